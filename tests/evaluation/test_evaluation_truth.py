"""The table of a benchmark: what it says of each file, and what it must not say."""

from __future__ import annotations

import os
from pathlib import Path

import evaluation_benchmark as benchmark
import pytest

from tbhdup.errors import UsageError
from tbhdup.evaluation.truth import Known, read_truth

ORIGINAL = ("a.jpg", "s1", "original", {})
COPY = ("b.jpg", "s1", "half", {"factor": 0.5})


def test_every_row_is_read(tmp_path: Path) -> None:
    alike = ("c.jpg", "d1", "distractor", {"family": "form", "template": 2})
    truth = read_truth(benchmark.write(tmp_path / "truth.csv", [COPY, alike, ORIGINAL]))
    folder = os.fsencode(tmp_path.resolve())
    assert truth.files == (
        Known(folder + b"/b.jpg", "s1", "half", ""),
        Known(folder + b"/c.jpg", "d1", "distractor", "form 2"),
        Known(folder + b"/a.jpg", "s1", "original", ""),
    )
    assert truth.originals == {"s1": 2}
    assert truth.copies == [0]


def test_files_may_lie_beside_the_table_or_in_files(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "b.jpg").touch()
    (tmp_path / "a.jpg").touch()
    truth = read_truth(benchmark.write(tmp_path / "truth.csv", [ORIGINAL, COPY]))
    assert [Path(os.fsdecode(file.path)).relative_to(tmp_path.resolve()) for file in truth.files] == [
        Path("a.jpg"),
        Path("files/b.jpg"),
    ]


def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    odd = os.fsdecode(b"odd \xff.jpg")
    truth = read_truth(benchmark.write(tmp_path / "truth.csv", [ORIGINAL, (odd, "s1", "half", {})]))
    assert truth.files[1].path.endswith(b"odd \xff.jpg")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([COPY], "no original"),
        ([ORIGINAL, ORIGINAL, COPY], "two originals"),
        ([ORIGINAL], "no edited copy"),
        ([ORIGINAL, ("", "s1", "half", {})], "line 3"),
    ],
)
def test_tables_that_make_no_sense_are_wrong_usage(tmp_path: Path, rows: list, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_truth(benchmark.write(tmp_path / "truth.csv", rows))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,source,edit\na,s,original\n", "parameters"),
        ("path,source,edit,parameters\na,s,original,{\n", "line 2"),
        ("path,source,edit,parameters\na,s,original,3\n", "line 2"),
        ("path,source,edit,parameters\na,s\n", "line 2"),
        ("", "lacks"),
    ],
)
def test_damaged_tables_are_wrong_usage(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_truth(tmp_path / "truth.csv")


def test_a_table_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_truth(tmp_path / "truth.csv")
