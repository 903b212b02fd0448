"""Paths: the files that a group could do without, one a line, raw bytes; with NUL instead of newline for any name."""

from __future__ import annotations

from collections.abc import Iterator

from tbhdup.values import Report


def write(report: Report, end: bytes = b"\n") -> Iterator[bytes]:
    """Every member but the one to keep."""
    for group in report.groups:
        for member in group.members:
            if not member.keep:
                yield member.path + end
