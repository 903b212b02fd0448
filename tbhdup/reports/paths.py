"""Paths, one a line, raw bytes; with NUL instead of newline for any name: what could go, and what stays."""

from __future__ import annotations

from collections.abc import Iterator

from tbhdup.values import Report


def write(report: Report, end: bytes = b"\n") -> Iterator[bytes]:
    """The files that the groups could do without: every member but the one to keep."""
    for path in _spare(report):
        yield path + end


def keep(report: Report, end: bytes = b"\n") -> Iterator[bytes]:
    """All pictures that were scanned, but for what `write` gives."""
    spare = set(_spare(report))
    for path in report.files:
        if path not in spare:
            yield path + end


def _spare(report: Report) -> Iterator[bytes]:
    return (member.path for group in report.groups for member in group.members if not member.keep)
