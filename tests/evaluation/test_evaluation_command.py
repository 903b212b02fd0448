"""`tbhdup evaluate copies` in a subprocess: the table, the files it writes, and what it says when it cannot."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import evaluation_benchmark as benchmark
import evaluation_command as command
import pytest
from PIL import Image

SHIPPED_RULES = 14


def run(*arguments: object, folder: Path, check: int = 0, before: str = "") -> subprocess.CompletedProcess[str]:
    return command.run(*arguments, check=check, before=before, TBHDUP_STORE=folder / "store", COLUMNS=80)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    benchmark.make(folder)
    return folder


def test_figures_on_stdout_and_as_files(folder: Path) -> None:
    scanned = run("scan", folder / "files", folder=folder).stdout
    (folder / "report.jsonl").write_text(scanned)
    out = folder / "deep" / "out"
    done = run(
        "evaluate", "copies", folder / "truth.csv", "--groups", folder / "report.jsonl", "--out", out, folder=folder
    )
    assert done.stderr.count("skipped") == 1
    assert "broken.jpg" in done.stderr
    said = done.stdout.splitlines()
    assert max(map(len, said)) <= 80
    assert "…" not in done.stdout
    for edit in ("all", "bytecopy", "crop", "framed", "half", "jpeg", "mirror", "broken"):
        assert any(line.split()[:1] == [edit] for line in said), edit

    figures = json.loads((out / "copies.json").read_text())
    assert figures["files"] == len((folder / "truth.csv").read_text().splitlines()) - 1
    assert figures["groups"]["found"] >= 2 * benchmark.SOURCES
    assert figures["groups"]["by_edit"]["bytecopy"] == 1
    assert [skip["reason"] for skip in figures["skips"]] == ["not-an-image"]
    assert len(figures["tail"]) == 17

    with (out / "copies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (SHIPPED_RULES + 1) * (1 + 7)
    told = {(row["edit"], row["measure"], row["rate_asked"]): float(row["recall"]) for row in rows}
    assert len(told) == len(rows)
    for figure in figures["figures"]:
        asked = "" if figure["asked"] is None else str(figure["asked"])
        assert told["all", figure["measure"], asked] == figure["recall"]
        assert told["half", figure["measure"], asked] == figure["by_edit"]["half"]
    with Image.open(out / "copies.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 50  # not an empty sheet


def test_without_the_extra_nothing_is_begun(folder: Path) -> None:
    missing = run(
        "evaluate", "copies", folder / "truth.csv", "--out", folder / "none",
        folder=folder, check=1, before="sys.modules['matplotlib'] = None",
    )  # fmt: skip
    assert missing.stderr.count("\n") == 1
    assert "tbhdup[plot]" in missing.stderr
    assert not (folder / "none").exists()


def test_wrong_usage_is_one_line(folder: Path) -> None:
    wrong = run("evaluate", "copies", folder / "nowhere.csv", folder=folder, check=2)
    assert wrong.stderr.count("\n") == 1


def test_help_is_light(folder: Path) -> None:
    after = "import atexit; atexit.register(lambda: print({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    said = run("evaluate", "copies", "--help", folder=folder, before=after).stdout
    assert "TRUTH.csv" in said
    assert said.splitlines()[-1] == "set()"
