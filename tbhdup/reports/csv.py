"""CSV: a line a file of a group; the bytes of names pass through as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tbhdup.values import Report

COLUMNS = (
    "group",
    "kind",
    "path",
    "digest",
    "width",
    "height",
    "size",
    "distance",
    "cosine",
    "relation",
    "confidence",
    "keep",
)


def write(report: Report) -> Iterator[bytes]:
    """Header and lines. Names that are not UTF-8 keep their very bytes."""
    yield line(COLUMNS)
    for number, group in enumerate(report.groups, 1):
        for m in group.members:
            path = m.path.decode("utf-8", "surrogateescape")
            yield line(
                (number, group.kind, path, m.digest.hex(), m.width, m.height, m.size, m.distance, m.cosine,
                 m.relation, m.confidence, "yes" if m.keep else "no")
            )  # fmt: skip


def line(values: tuple[object, ...]) -> bytes:
    """One row as a line of bytes, its newline included."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(values)  # it quotes what holds a character of its line's end
    return buffer.getvalue().removesuffix("\r\n").encode("utf-8", "surrogateescape") + b"\n"
