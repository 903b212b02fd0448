"""Commands that need no network start without one: what a process has imported is read from Python's own log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import drawing
import pytest

HEAVY = {"torch", "cv2", "numpy", "PIL", "lmdb"}
ENTRY = "import sys; sys.argv[0] = 'tbhdup'; from tbhdup.cli import main; main()"  # as the installed script does it


def start(*arguments: str, **environment: str) -> tuple[str, set[str]]:
    """Run the command line: what it says, and the top-level packages that it has imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", ENTRY, *arguments],
        capture_output=True,
        env={**os.environ, "NO_COLOR": "1", **environment},
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modules = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert "tbhdup.cli" in modules
    return done.stdout, {module.partition(".")[0] for module in modules}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    (folder / "photos").mkdir()
    for number in range(2):
        drawing.picture("landscape", 1, (96, 72)).save(folder / "photos" / f"{number}.png", compress_level=number)
    _, imported = start("scan", str(folder / "photos"), TBHDUP_STORE=str(folder / "store"))
    assert imported >= HEAVY  # so that the others say something
    return folder / "store"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(argument: str) -> None:
    said, imported = start(argument)
    assert "tbhdup" in said
    assert not imported & HEAVY


@pytest.mark.parametrize("command", ["scan", "similar", "compare", "report", "train", "store", "model"])
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    said, imported = start(command, "--help")
    assert f"tbhdup {command}" in said
    assert not imported & HEAVY


@pytest.mark.parametrize(
    ("words", "completed"), [("tbhdup sc", "scan"), ("tbhdup scan --ver", "--verify"), ("tbhdup store ch", "check")]
)
def test_completion_imports_nothing_heavy(words: str, completed: str) -> None:
    said, imported = start(
        _TBHDUP_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1)
    )
    assert said.split() == [completed]
    assert not imported & HEAVY


def test_report_and_store_load_no_network(store: Path) -> None:
    for arguments in (
        ("report", "--format", "jsonl"),
        ("report", "--format", "paths"),
        ("store", "info"),
        ("store", "check"),
    ):
        said, imported = start(*arguments, TBHDUP_STORE=str(store))
        assert said
        assert not imported & {"torch", "cv2", "PIL"}


def test_a_scan_without_news_loads_no_network(store: Path) -> None:
    said, imported = start("scan", str(store.parent / "photos"), TBHDUP_STORE=str(store))
    assert '"known": 2' in said
    assert "torch" not in imported
