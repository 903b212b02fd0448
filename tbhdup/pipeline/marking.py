"""Decisions of a person on pairs of files, which `tbhdup.marks` keeps by content."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tbhdup import marks, sources
from tbhdup.errors import TbhdupError, UsageError
from tbhdup.values import Digest, File


@dataclass(frozen=True, slots=True)
class Marked:
    """A pair of contents that are no duplicates, and the files that the store knows of each."""

    digests: tuple[Digest, Digest]
    paths: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    time: str  # of the decision, ISO 8601, UTC


def mark(a: bytes, b: bytes, store: Path, revoke: bool = False) -> bool:
    """Keep that the contents of two files are no duplicates, or take it back; whether this changed anything.

    Raises TbhdupError for a file that cannot be read, UsageError for files with the same bytes.
    """
    digests = [_digest(path) for path in (a, b)]
    if digests[0] == digests[1]:
        raise UsageError(f"{os.fsdecode(a)} and {os.fsdecode(b)} have the same bytes: nothing can tell them apart")
    return marks.put(store, *digests, revoke=revoke)


def marked(store: Path, files: Iterable[File]) -> list[Marked]:
    """The marks that hold, oldest first, with those of the files that have the contents."""
    found = marks.read(store)
    paths: dict[Digest, list[bytes]] = {digest: [] for mark in found for digest in mark.pair}
    if found:
        for file in files:
            if file.digest is not None and file.digest in paths:
                paths[file.digest].append(file.path)
    return [Marked(m.pair, (tuple(paths[m.pair[0]]), tuple(paths[m.pair[1]])), m.time) for m in found]


def _digest(path: bytes) -> Digest:
    try:
        return sources.digest(sources.read(path))
    except sources.Unusable as error:
        raise TbhdupError(f"{os.fsdecode(path)}: {error}") from error
