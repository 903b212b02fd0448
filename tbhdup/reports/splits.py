"""Splits: every file and its set, as CSV or JSON Lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tbhdup.reports import csv, jsonl

Rows = Iterable[tuple[bytes, str]]


def write_csv(rows: Rows) -> Iterator[bytes]:
    """Header and a line a file: path, set. Names that are not UTF-8 keep their very bytes."""
    yield csv.line(("path", "set"))
    for path, name in rows:
        yield csv.line((csv.text(path), name))


def write_jsonl(rows: Rows) -> Iterator[bytes]:
    """A line a file: path, set."""
    for path, name in rows:
        yield jsonl.line({**jsonl.path_fields(path), "set": name})


WRITERS: dict[str, Callable[[Rows], Iterator[bytes]]] = {".csv": write_csv, ".jsonl": write_jsonl}
"""By the end of the file's name."""
