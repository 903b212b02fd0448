"""Groups of a report against a truth that is small enough to count by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tbhdup.errors import UsageError
from tbhdup.evaluation.groups import judge
from tbhdup.evaluation.truth import Known, Truth
from tbhdup.reports.jsonl import line, path_fields


def known(folder: Path, name: bytes, source: str, edit: str) -> Known:
    return Known(os.path.join(os.fsencode(folder), name), source, edit, "")


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    names = [
        (b"a", "1", "original"), (b"a1 \xff", "1", "half"), (b"a2", "1", "half"), (b"a3", "1", "crop"),
        (b"b", "2", "original"), (b"b1", "2", "crop"), (b"x", "3", "distractor"), (b"y", "4", "distractor"),
    ]  # fmt: skip
    return Truth(tuple(known(tmp_path, *name) for name in names), {"1": 0, "2": 4})


def report(folder: Path, *groups: tuple[bytes, ...]) -> Path:
    out = folder / "report.jsonl"
    lines = [line({"type": "header", "schema": 1})]
    for group in groups:
        members = [path_fields(os.path.join(os.fsencode(folder), name)) for name in group]
        lines.append(line({"type": "group", "members": members}))
    out.write_bytes(b"".join([*lines, line({"type": "summary"})]))
    return out


def test_recall_precision_and_false_pairs(truth: Truth, tmp_path: Path) -> None:
    ends = judge(truth, report(tmp_path, (b"a", b"a1 \xff", b"x"), (b"a2", b"a3"), (b"y", b"b", b"b1", b"gone")))
    assert (ends.found, ends.recall) == (2, 0.5)
    assert ends.by_edit == {"crop": 0.5, "half": 0.5}
    assert (ends.true_pairs, ends.false_pairs, ends.groups, ends.unknown) == (3, 2, 3, 1)
    assert ends.precision == 0.6


def test_on_a_tie_the_first_source_is_the_majority(truth: Truth, tmp_path: Path) -> None:
    ends = judge(truth, report(tmp_path, (b"x", b"a", b"b", b"b1", b"a1 \xff")))
    assert (ends.true_pairs, ends.false_pairs) == (1, 3)
    assert ends.found == 2


def test_a_report_without_groups_finds_nothing(truth: Truth, tmp_path: Path) -> None:
    ends = judge(truth, report(tmp_path))
    assert (ends.recall, ends.precision, ends.groups) == (0, 1, 0)


def test_paths_are_compared_as_files(truth: Truth, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    ends = judge(truth, report(tmp_path, (b"link/a", b"./a2", b"a2")))
    assert (ends.found, ends.true_pairs, ends.unknown) == (1, 1, 0)


def test_a_report_of_other_files_is_wrong_usage(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file of the benchmark"):
        judge(truth, report(tmp_path, (b"other", b"another")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        json.dumps({"type": "header", "schema": 99}),
        '{"type": "header", "schema": 1}\n{"type": "group"}',
        '{"type": "header", "schema": 1}\n{"type": "group", "members": [{"path_bytes": "x"}]}',
    ],
)
def test_what_is_no_report_is_wrong_usage(truth: Truth, tmp_path: Path, text: str) -> None:
    (tmp_path / "report.jsonl").write_text(text)
    with pytest.raises(UsageError, match="no report"):
        judge(truth, tmp_path / "report.jsonl")
    with pytest.raises(UsageError, match="cannot be read"):
        judge(truth, tmp_path / "nowhere.jsonl")
