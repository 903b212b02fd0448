"""CSV: a line a file of a group; the bytes of names pass through as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict

from tbhdup.values import Member, Report

MEMBER = ("path", "digest", "width", "height", "size", "distance", "cosine", "relation", "confidence")
"""The columns of `cells`."""


def write(report: Report) -> Iterator[bytes]:
    """Header and lines. Names that are not UTF-8 keep their very bytes."""
    yield line(("group", "kind", *MEMBER, "keep"))
    for number, group in enumerate(report.groups, 1):
        for member in group.members:
            yield line((number, group.kind, *cells(member), "yes" if member.keep else "no"))


def cells(member: Member) -> tuple[object, ...]:
    """What is to be said of one file, as MEMBER names it."""
    facts = {**asdict(member), "path": text(member.path), "digest": member.digest.hex()}
    return tuple(facts[column] for column in MEMBER)


def text(path: bytes) -> str:
    """A path as `line` takes it."""
    return path.decode("utf-8", "surrogateescape")


def line(values: tuple[object, ...]) -> bytes:
    """One row as a line of bytes, its newline included."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(values)  # it quotes what holds a character of its line's end
    return buffer.getvalue().removesuffix("\r\n").encode("utf-8", "surrogateescape") + b"\n"
