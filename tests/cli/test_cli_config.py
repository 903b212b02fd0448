"""Settings: from a file, the environment and the command line, each stronger than the one before."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import drawing
import pytest

from tbhdup.cli import config, scan
from tbhdup.cli.settings import find, known, load
from tbhdup.errors import UsageError

OWN = {name: "" for name in os.environ if name.startswith("TBHDUP_")}


def run(place: Path, *arguments: str, check: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *arguments],
        capture_output=True,
        env={**os.environ, **OWN, "NO_COLOR": "1", **environment},
        check=False,
        text=True,
        cwd=place,
    )
    assert done.returncode == check, done.stderr
    return done


def shown(place: Path, *arguments: str, **environment: str) -> dict[str, tuple[object, str]]:
    """What `tbhdup config` says: value and place by name."""
    found = {}
    for line in run(place, "config", *arguments, **environment).stdout.splitlines():
        if not line.startswith("# "):
            (name, value), (_, _, place_of) = next(iter(tomllib.loads(line).items())), line.rpartition("  # ")
            found[name] = value, place_of
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "project" / "photos").mkdir(parents=True)
    return tmp_path / "project"


def test_the_command_line_counts_before_the_environment_and_that_before_the_file(place: Path) -> None:
    file = place / "tbhdup.toml"
    file.write_text(
        'candidates = 7\ndevice = "cpu"\nverify = "never"\nstore = "own/store"\nprefer = ["best"]\n'.replace(
            "\\\n", "\n"
        )
    )
    found = shown(place / "photos", "--candidates", "9", TBHDUP_CANDIDATES="8", TBHDUP_VERIFY="auto")
    assert found["candidates"] == (9, "command line")
    assert found["verify"] == ("auto", "TBHDUP_VERIFY")
    assert found["device"] == ("cpu", str(file))
    assert found["max-false-pairs"] == (1.0, "default")
    assert found["store"] == (str(place / "own" / "store"), str(file))  # from the file's folder on
    assert found["prefer"] == ([str(place / "best")], str(file))
    assert "radius" not in found
    assert shown(place.parent)["store"][1] == "default"
    several = shown(place, TBHDUP_PREFER=f"a{os.pathsep}b", TBHDUP_KEEP="path:*/a b/*,oldest")
    assert several["prefer"] == (["a", "b"], "TBHDUP_PREFER")
    assert several["keep"] == ("path:*/a b/*,oldest", "TBHDUP_KEEP")


def test_commands_heed_the_file(place: Path) -> None:
    for name in ("a.png", "b.png"):
        drawing.picture("landscape", 1, (96, 72)).save(place / "photos" / name)
    (place / "tbhdup.toml").write_text('store = "own/store"\nkeep = "path:*/b.*"\ncandidates = 3\n')
    said = run(place / "photos", "scan", ".", "--format", "csv").stdout.splitlines()
    assert [line.rpartition(",")[2] for line in said if ".png" in line] == ["no", "yes"]
    assert (place / "own" / "store").is_dir()
    assert '"candidates": 3' in run(place, "report").stdout.splitlines()[0]
    assert '"candidates": 5' in run(place, "report", "--candidates", "5").stdout.splitlines()[0]
    assert "files: 2" in run(place, "store", "info").stdout  # a subcommand


def test_the_next_file_above_counts(place: Path) -> None:
    other, ours = place / "photos" / "pyproject.toml", place / "pyproject.toml"
    other.write_text('[project]\nname = "other"\n')
    ours.write_text("[tool.tbhdup]\ncandidates = 4\n[tool.other]\nx = 1\n")
    assert find(place / "photos") == ours
    assert shown(place / "photos")["candidates"] == (4, str(ours))
    (place / "tbhdup.toml").write_text("")
    assert find(place / "photos") == place / "tbhdup.toml"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("candidate = 5", "no setting is called 'candidate': use store, .*candidates"),
        ("candidates = '5'", "candidates: a whole number expected, not '5'"),
        ("candidates = true", "candidates: a whole number"),
        ("candidates = 1.5", "candidates: a whole number"),
        ("candidates = 0", "candidates: at least 1 expected, not 0"),
        ("cosine = 2", "cosine: at least -1, at most 1"),
        ("max-false-pairs = 'x'", "max-false-pairs: a number"),
        ("max_false_pairs = 1", "no setting is called 'max_false_pairs'"),
        ("device = 'gpu'", "device: one of auto, cpu"),
        ("store = ['a']", "store: a text"),
        ("prefer = 'a'", "prefer: a list expected"),
        ("prefer = [1]", "prefer: a text expected, or a list"),
        ("candidates = ", "cannot be read"),
        ("[scan]", "no setting is called 'scan'"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_that_names_the_file(place: Path, line: str, words: str) -> None:
    file = place / "tbhdup.toml"
    file.write_text(line)
    with pytest.raises(UsageError, match=words) as caught:
        load(place, known(config.config), {})
    assert str(file) in str(caught.value)


def test_a_wrong_file_is_one_line_and_stops_neither_help_nor_version(place: Path) -> None:
    (place / "pyproject.toml").write_text("[tool]\ntbhdup = 3\n")
    assert run(place, "report", check=2).stderr.count("\n") == 1
    (place / "pyproject.toml").write_bytes(b"\xff")
    assert run(place, "report", check=2).stderr.count("\n") == 1
    for argument in ("--help", "--version"):
        run(place, argument)


def test_every_setting_is_an_option_of_its_name_and_has_a_variable() -> None:
    settings = known(config.config)
    assert all(setting.variable == f"TBHDUP_{name.upper().replace('-', '_')}" for name, setting in settings.items())
    shared = {name: setting for name, setting in known(scan.scan).items() if setting.variable}
    assert shared == settings
