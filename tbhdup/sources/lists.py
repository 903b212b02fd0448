"""Lists of files, and manifests: tables of files with, if need be, their sets and labels."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from tbhdup.errors import MissingExtra, UsageError
from tbhdup.sources.names import is_parquet

SPLIT = ("split", "set")  # names of the column; `set` is that of the splits that `leaks` writes


@dataclass(frozen=True, slots=True)
class Row:
    """What a manifest says of one path. "": nothing."""

    split: str = ""
    label: str = ""


def split_list(data: bytes) -> list[bytes]:
    """The paths in a list, absolute: ended by NUL if there is a NUL in it, else one a line. Empty ones are left out."""
    names = data.split(b"\0" if b"\0" in data else b"\n")
    return [os.path.abspath(name) for name in names if name]


def read_manifest(path: bytes) -> dict[bytes, Row]:
    """The rows of a manifest by absolute path, in its order.

    CSV (UTF-8; other bytes in names are kept) or Parquet, with a column `path` and, if need be, `split` (or `set`) and
    `label`. Relative paths start from the manifest's folder. A path may be that of a folder or an archive.
    Raises UsageError for what is no such table, or names one path with two splits or labels; MissingExtra.
    """
    shown = os.fsdecode(path)
    folder = os.path.dirname(os.path.abspath(path))
    rows: dict[bytes, Row] = {}
    try:
        table = _parquet(path) if is_parquet(path) else _csv(path)
        for number, (name, split, label) in enumerate(table, 1):
            if not name or b"\0" in name:
                raise UsageError(f"{shown}: row {number} names no path")
            full = os.path.normpath(os.path.join(folder, name))
            row = Row(sys.intern(split), sys.intern(label))
            if rows.setdefault(full, row) != row:
                raise UsageError(f"{shown}: row {number} says something else of {os.fsdecode(name)!r} than one before")
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror or error}") from error
    return rows


_Line = tuple[bytes, str, str]


def _csv(path: bytes) -> Iterator[_Line]:
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            lines = csv.DictReader(file, strict=True)
            wanted = _columns(path, lines.fieldnames or ())
            for line in lines:
                name, split, label = (line.get(column) or "" if column else "" for column in wanted)
                yield name.encode("utf-8", "surrogateescape"), split, label
        except csv.Error as error:
            raise UsageError(f"{os.fsdecode(path)}: {error}") from error


def _parquet(path: bytes) -> Iterator[_Line]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("a Parquet manifest", "datasets") from error
    try:
        with parquet.ParquetFile(os.fsdecode(path)) as file:
            wanted = _columns(path, file.schema_arrow.names)
            for batch in file.iter_batches(columns=[column for column in wanted if column]):
                columns = [batch.column(column).to_pylist() if column else repeat(None) for column in wanted]
                for name, split, label in zip(*columns, strict=False):
                    yield _text(name).encode("utf-8", "surrogateescape"), _text(split), _text(label)
    except pyarrow.ArrowException as error:
        raise UsageError(f"{os.fsdecode(path)}: {str(error).splitlines()[0]}") from error


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)


def _columns(path: bytes, names: Iterable[str]) -> tuple[str, str | None, str | None]:
    """The names of the columns for path, split and label."""
    known = set(names)
    if "path" not in known:
        raise UsageError(f"{os.fsdecode(path)}: a manifest needs a column called path")
    return "path", next((name for name in SPLIT if name in known), None), "label" if "label" in known else None
