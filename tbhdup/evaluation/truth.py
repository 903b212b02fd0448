"""What is known of every file of a benchmark: the picture that it was made from, and how."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

from tbhdup.errors import UsageError

ORIGINAL, STRANGER = "original", "distractor"
COLUMNS = ("path", "source", "edit", "parameters")


@dataclass(frozen=True, slots=True)
class Known:
    """One file of the benchmark.

    edit    ORIGINAL: the picture that others of its source were made from; STRANGER: nothing else has its source;
            any other word: an edited copy, and how it was made
    family  files of one family share a template and differ in what they show; "" for all others
    """

    path: bytes  # absolute
    source: str
    edit: str
    family: str

    @property
    def copy(self) -> bool:
        return self.edit not in (ORIGINAL, STRANGER)


@dataclass(frozen=True, slots=True)
class Truth:
    """The files of a benchmark, in the order of its table."""

    files: tuple[Known, ...]
    originals: dict[str, int]  # source -> place of its original among the files

    @property
    def copies(self) -> list[int]:
        """The places of the edited copies."""
        return [place for place, file in enumerate(self.files) if file.copy]


def read_truth(table: Path) -> Truth:
    """Read a CSV table with COLUMNS; its paths are relative to the folder `files` beside it, or to its own folder.

    `parameters` is a JSON object; `family` (and `template`, where one family has several) tell which files are alike
    by design. Raises UsageError for a table that cannot be read, makes no sense or holds no edited copy.
    """
    try:
        with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.DictReader(file)
            if missing := set(COLUMNS) - set(rows.fieldnames or ()):
                raise UsageError(f"{table} lacks the column {min(missing)}: it needs {', '.join(COLUMNS)}")
            files = tuple(_known(table, number, row) for number, row in enumerate(rows, 2))
    except (OSError, csv.Error) as error:
        raise UsageError(f"{table} cannot be read: {error}") from error
    originals: dict[str, int] = {}
    for place, known in enumerate(files):
        if known.edit == ORIGINAL and originals.setdefault(known.source, place) != place:
            raise UsageError(f"{table} has two originals of source {known.source}")
    orphans = sorted({known.source for known in files if known.copy and known.source not in originals})
    if orphans:
        raise UsageError(f"{table} has copies of {orphans[0]}, but no original of it")
    if not any(known.copy for known in files):
        raise UsageError(f"{table} lists no edited copy")
    return Truth(files, originals)


def _known(table: Path, number: int, row: dict[str, str | None]) -> Known:
    try:
        path, source, edit, text = (row[name] for name in COLUMNS)
        parameters = json.loads(text or "{}")
        words = [str(parameters[name]) for name in ("family", "template") if name in parameters]
    except (ValueError, TypeError) as error:
        raise UsageError(f"{table}, line {number}: parameters are no JSON object: {error}") from error
    if not path or not source or not edit:
        raise UsageError(f"{table}, line {number}: path, source and edit must not be empty")
    folder = table.parent.resolve()
    places = [place for place in (folder / "files" / path, folder / path) if place.exists()]
    return Known(os.fsencode(places[0] if places else folder / path), source, edit, " ".join(words))
