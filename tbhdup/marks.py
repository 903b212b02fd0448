"""What a person has decided: pairs of contents that are no duplicates, in a file of their own beside the store.

The file is JSON Lines, and only ever grows: a line a decision, on disk before `put` returns. Of several lines on one
pair the last one holds. Contents are named by digest, so a decision follows its pictures wherever they are moved, and
is kept when the store is deleted or made anew. A line whose writing was cut short has no effect; the next one to write
ends it with CANCEL.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tbhdup.errors import StoreError
from tbhdup.values import Digest

SCHEMA = 1
NOT_DUPLICATE, REVOKED = "not-duplicate", "revoked"
CANCEL = b"\x18"  # ASCII's own word for "what stands before this is void"

Pair = tuple[Digest, Digest]  # the smaller digest first


@dataclass(frozen=True, slots=True)
class Mark:
    """Two contents that are no duplicates of each other, whatever the pixels say."""

    pair: Pair
    time: str  # of the decision, ISO 8601, UTC


def ordered(a: Digest, b: Digest) -> Pair:
    """The pair as it is kept, whichever picture was named first."""
    return min(a, b), max(a, b)


def file_of(store: Path) -> Path:
    """Where the marks of a store are: beside its folder, with its name."""
    place = store.resolve()
    return place.with_name(f"{place.name}.marks.jsonl")


def read(store: Path) -> tuple[Mark, ...]:
    """The marks that hold, oldest first. Raises StoreError when the file cannot be read, or holds anything else."""
    file = file_of(store)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"the marks {file} cannot be read: {error.strerror}") from error
    found: dict[Pair, Mark] = {}
    *whole, _ = data.split(b"\n")  # behind the last newline: nothing, or a line that is not yet whole
    for number, line in enumerate(whole, 1):
        if line.endswith(CANCEL):
            continue
        try:
            decision, mark = _parse(line)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(
                f"line {number} of {file} is no mark that this version knows: mend or remove the line, "
                "or upgrade tbhdup if a newer version wrote it"
            ) from error
        found.pop(mark.pair, None)
        if decision == NOT_DUPLICATE:
            found[mark.pair] = mark
    return tuple(found.values())


def pairs(store: Path) -> frozenset[Pair]:
    """The pairs that are marked as no duplicates."""
    return frozenset(mark.pair for mark in read(store))


def put(store: Path, a: Digest, b: Digest, *, revoke: bool = False) -> bool:
    """Mark two contents as no duplicates, or take that back; whether this changed anything.

    On disk when it returns. Raises ValueError for one content with itself, StoreError when it cannot be written.
    """
    if a == b:
        raise ValueError("a content cannot be told apart from itself")
    pair = ordered(a, b)
    if (pair in pairs(store)) is not revoke:
        return False
    decision = {
        "schema": SCHEMA,
        "mark": REVOKED if revoke else NOT_DUPLICATE,
        "a": pair[0].hex(),
        "b": pair[1].hex(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    file = file_of(store)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _append(file, json.dumps(decision).encode() + b"\n")
    except OSError as error:
        raise StoreError(f"the mark cannot be written to {file}: {error.strerror}") from error
    return True


def _parse(line: bytes) -> tuple[str, Mark]:
    fields: dict[str, Any] = json.loads(line)
    pair = bytes.fromhex(fields["a"]), bytes.fromhex(fields["b"])
    decision = fields["mark"]
    if fields["schema"] != SCHEMA or decision not in (NOT_DUPLICATE, REVOKED):
        raise ValueError(decision)
    if [len(digest) for digest in pair] != [16, 16] or pair[0] >= pair[1]:
        raise ValueError(pair)
    return decision, Mark(pair, str(fields["time"]))


def _append(file: Path, line: bytes) -> None:
    """Add a line in one write, and wait until the disk has it and, for a new file, its name."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":
                line = CANCEL + b"\n" + line
        written = os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if written != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if os.name == "posix":
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
