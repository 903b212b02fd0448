"""The figures as files: a table for spreadsheets, everything for programs."""

from __future__ import annotations

import base64
import csv
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tbhdup.evaluation.copies import Copies
from tbhdup.evaluation.groups import EndToEnd

ALL = "all"  # in the place of an edit: over all copies


def write_table(path: Path, copies: Copies, groups: EndToEnd | None) -> None:
    """One row an edit and rule, and one for all edits together (CSV, UTF-8)."""
    rules: list[tuple[tuple[object, ...], float, Mapping[str, float]]] = [
        ((f.measure, f.asked, f.radius, f.cosine, f.rate), f.recall, f.by_edit) for f in copies.figures
    ]
    if groups is not None:
        rules.append((("groups", None, None, None, None), groups.recall, groups.by_edit))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("edit", "copies", "measure", "rate_asked", "radius", "cosine", "rate", "recall"))
        for rule, recall, by_edit in rules:
            writer.writerow((ALL, copies.copies, *rule, recall))
            writer.writerows((edit, copies.edits[edit], *rule, value) for edit, value in by_edit.items())


def write_figures(path: Path, copies: Copies, groups: EndToEnd | None) -> None:
    """All figures as one JSON object."""
    skips = [
        {"path": os.fsdecode(s.path), "path_bytes": base64.b64encode(s.path).decode(), "reason": s.reason}
        for s in copies.skips
    ]
    ends = None if groups is None else {**asdict(groups), "precision": groups.precision}
    text = json.dumps({**asdict(copies), "skips": skips, "groups": ends}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
