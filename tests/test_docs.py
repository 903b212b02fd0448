"""The documents say what is so: examples run, and the manual page is that of the commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

TOP = Path(__file__).resolve().parent.parent
GALLERY = TOP / "tests" / "data" / "gallery"
SECTIONS = ("In scripts", "From Python", "Act on a report", "Keep training and test sets apart")


def blocks() -> Iterator[tuple[str, str]]:
    """The indented blocks of the README's sections, as (section, code)."""
    readme = (TOP / "README.md").read_text("utf-8")
    for part in re.split(r"^## ", readme, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        if title in SECTIONS:
            for block in re.findall(r"(?:^    .*\n(?:[ ]*\n(?=    ))*)+", body, flags=re.MULTILINE):
                yield title, "\n".join(line.removeprefix("    ").rstrip() for line in block.splitlines())


EXAMPLES = list(blocks())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples speak of, and the command in front of all others."""
    place = tmp_path_factory.mktemp("docs")
    shutil.copytree(GALLERY, place / "photos")
    for name, source in (("train", "taken"), ("test", "sent")):
        shutil.copytree(GALLERY / source, place / "data" / name)
    (place / "data" / "val").mkdir()
    files = sorted(path.relative_to(place) for path in (place / "data").rglob("*.jpg"))
    rows = {"path": [str(p) for p in files], "split": [p.parts[1] for p in files], "label": ["city"] * len(files)}
    parquet.write_table(pyarrow.table(rows), place / "data.parquet")
    (place / "bin").mkdir()
    command = place / "bin" / "tbhdup"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tbhdup "$@"\n')
    command.chmod(0o755)
    return place


def test_every_section_has_examples() -> None:
    assert {title for title, _ in EXAMPLES} == set(SECTIONS)


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[f"{t}-{n}" for n, (t, _) in enumerate(EXAMPLES)])
def test_examples_of_the_readme_run(place: Path, title: str, code: str) -> None:
    python = code.startswith(("import ", "from "))
    done = subprocess.run(
        [sys.executable, "-c", code] if python else ["bash", "-o", "pipefail", "-c", code],
        capture_output=True,
        cwd=place,
        env={
            **os.environ,
            "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(TOP), os.environ.get("PYTHONPATH")))),
            "TBHDUP_STORE": str(place / "own" / "store"),
            "XDG_DATA_HOME": str(place / "data-home"),
            "NO_COLOR": "1",
        },
        check=False,
        text=True,
    )
    assert done.returncode == (3 if "--fail-if-found" in code.splitlines()[-1] else 0), done.stderr
    assert "rror" not in done.stderr
    if python:
        assert done.stdout
    if title == "In scripts":
        assert "there are copies" in done.stdout
        assert "one picture" in done.stdout
        assert (place / "cropped.csv").read_text().count("\n") >= 2


def test_the_manual_page_is_that_of_the_commands(tmp_path: Path) -> None:
    subprocess.run([sys.executable, TOP / "docs" / "make_man.py", tmp_path / "tbhdup.1"], check=True)
    made, kept = (folder.joinpath("tbhdup.1").read_text("utf-8") for folder in (tmp_path, TOP / "docs"))
    assert made == kept, "run: python docs/make_man.py docs/tbhdup.1"


def test_the_manual_page_is_sound() -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", TOP / "docs" / "tbhdup.1"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    plain = re.sub(".\b|\x1b\\[[0-9;]*m", "", done.stdout)
    assert "--max-false-pairs X" in plain
    assert "TBHDUP_STORE" in plain
