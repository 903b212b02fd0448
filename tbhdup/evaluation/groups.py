"""How well the groups of a scan's report keep to the truth."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tbhdup.errors import UsageError
from tbhdup.evaluation.copies import recall_by_edit
from tbhdup.evaluation.truth import ORIGINAL, Truth

SCHEMA = 1  # of JSON Lines


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """A copy is found when it shares a group with its own original.

    A group's majority source is the one with most members, the first seen on a tie: its members less one are true
    pairs, each member of another source is a false pair.
    """

    groups: int  # with at least two files of the benchmark
    found: int
    recall: float
    by_edit: Mapping[str, float]
    true_pairs: int
    false_pairs: int
    unknown: int  # members that are no file of the benchmark

    @property
    def precision(self) -> float:
        pairs = self.true_pairs + self.false_pairs
        return self.true_pairs / pairs if pairs else 1.0


def judge(truth: Truth, report: Path) -> EndToEnd:
    """Compare the groups of a report (JSON Lines of `tbhdup scan` or `report`) with the truth.

    Raises UsageError for what is no such report, or speaks of no file of the benchmark.
    """
    places = {os.path.realpath(file.path): place for place, file in enumerate(truth.files)}
    found: set[int] = set()
    groups = true_pairs = false_pairs = unknown = known = 0
    for paths in _groups(report):
        looked_up = [places.get(os.path.realpath(path)) for path in paths]
        members = list(dict.fromkeys(place for place in looked_up if place is not None))
        unknown += looked_up.count(None)
        known += len(members)
        if len(members) < 2:
            continue
        groups += 1
        sources = Counter(truth.files[place].source for place in members)
        most = sources.most_common(1)[0][1]
        true_pairs += most - 1
        false_pairs += len(members) - most
        originals = {truth.files[place].source for place in members if truth.files[place].edit == ORIGINAL}
        found.update(p for p in members if truth.files[p].copy and truth.files[p].source in originals)
    if unknown and not known:
        raise UsageError(f"{report} speaks of no file of the benchmark: scan the folder that its table lists")
    hits = [place in found for place in truth.copies]
    by_edit = recall_by_edit([truth.files[place].edit for place in truth.copies], hits)
    return EndToEnd(groups, len(found), len(found) / len(hits), by_edit, true_pairs, false_pairs, unknown)


def _groups(report: Path) -> Iterator[list[bytes]]:
    try:
        lines = [json.loads(line) for line in report.read_bytes().split(b"\n") if line.strip()]
        if not lines or lines[0]["type"] != "header" or lines[0]["schema"] != SCHEMA:
            raise UsageError(f"{report} is no report in JSON Lines of schema {SCHEMA}")
        for line in lines:
            if line["type"] == "group":
                yield [_path(member) for member in line["members"]]
    except OSError as error:
        raise UsageError(f"{report} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{report} is no report in JSON Lines: {error!r}") from error


def _path(member: Mapping[str, Any]) -> bytes:
    if "path_bytes" in member:
        return base64.b64decode(member["path_bytes"])
    return os.fsencode(member["path"])
