"""A report in the forms that people and scripts read: one module a format."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tbhdup.reports import csv, html, jsonl, paths
from tbhdup.values import Report

WRITERS: dict[str, Callable[[Report], Iterator[bytes]]] = {
    "jsonl": jsonl.write,
    "csv": csv.write,
    "paths": paths.write,
    "keep": paths.keep,
    "html": html.write,
}
"""Formats that are bytes whatever the terminal; the terminal's own is drawn by the command line."""

__all__ = ["WRITERS", "csv", "html", "jsonl", "paths"]
