"""A report in the forms that people and scripts read: one module a format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import cast

_HOMES = {
    "jsonl": ("jsonl", "write"),
    "csv": ("csv", "write"),
    "paths": ("paths", "write"),
    "keep": ("paths", "keep"),
    "html": ("html", "write"),
}

FORMATS = tuple(_HOMES)
"""Formats that are bytes whatever the terminal; the terminal's own is drawn by the command line."""


def writer(form: str) -> Callable[..., Iterator[bytes]]:
    """What writes a report in one of FORMATS: a function of the report. Its module is loaded when it is asked for."""
    module, name = _HOMES[form]
    return cast("Callable[..., Iterator[bytes]]", getattr(import_module(f"{__name__}.{module}"), name))
