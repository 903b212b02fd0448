"""Real files with awkward names, through a real scan, in every format, and back to the same bytes."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import drawing
import pytest

KEEP = b"!"  # comes first of all names, so this copy is the one to keep
NAMES = (
    b"two\nlines.jpg",
    b"carriage\rreturn.jpg",
    b"\"quoted\", 'twice'; comma,.jpg",
    b"<script>alert(1)<script>.jpg",
    b"not utf-8 \xff\xfe\x80.jpg",
    b"x" * 251 + b".jpg",
    b"\xff" * 251 + b".jpg",
    b"-rf.jpg",
    b"--strict",
    b"tab\t\x1b[31m[red]colour[.jpg",
    b"back\\slash\\n.jpg",
    "line\u2028separator\u0085next.jpg".encode(),
    "写真 ü".encode(),
)
FOLDER = b'new\nline, "quote" \xff'


def run(*arguments: object, store: Path, cwd: bytes | None = None, **environment: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *(a if isinstance(a, bytes) else str(a) for a in arguments)],
        capture_output=True,
        env={**os.environ, "TBHDUP_STORE": str(store), "NO_COLOR": "1", **environment},
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def path_in(fields: dict[str, str], name: str = "path") -> bytes:
    exact = fields.get(f"{name}_bytes")
    return fields[name].encode("utf-8") if exact is None else base64.b64decode(exact, validate=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """In a folder with a name like that: copies of one picture, and as many empty files in a folder of their own."""
    folder = os.path.join(os.fsencode(tmp_path_factory.mktemp("names")), FOLDER)
    os.makedirs(os.path.join(folder, b"empty"))
    picture = io.BytesIO()
    drawing.picture("landscape", 1, (160, 120)).save(picture, "JPEG")
    for name in (KEEP, *NAMES):
        for place, data in ((name, picture.getvalue()), (os.path.join(b"empty", name), b"")):
            with open(os.path.join(folder, place), "wb") as file:
                file.write(data)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("names_store")


@pytest.fixture(scope="module")
def scanned(folder: bytes, store: Path) -> list[dict]:
    return [json.loads(line) for line in run("scan", folder, "--format", "jsonl", store=store).splitlines()]


def below(folder: bytes, names: tuple[bytes, ...]) -> list[bytes]:
    return sorted(os.path.join(folder, name) for name in names)


def test_json_lines(folder: bytes, scanned: list[dict]) -> None:
    (group,) = (line for line in scanned if line["type"] == "group")
    assert sorted(map(path_in, group["members"])) == below(folder, (KEEP, *NAMES))
    assert path_in(group, "centre") == os.path.join(folder, KEEP)
    skips = [line for line in scanned if line["type"] == "skip"]
    assert {line["reason"] for line in skips} == {"empty"}
    assert sorted(map(path_in, skips)) == below(os.path.join(folder, b"empty"), (KEEP, *NAMES))


@pytest.mark.usefixtures("scanned")
@pytest.mark.parametrize("command", ["scan", "report"])
def test_the_other_formats(folder: bytes, store: Path, command: str) -> None:
    text = run(command, folder, "--format", "csv", store=store).decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert sorted(row["path"].encode("utf-8", "surrogateescape") for row in rows) == below(folder, (KEEP, *NAMES))
    spare = run(command, folder, "--format", "paths", "-0", store=store)
    assert sorted(spare.split(b"\0")[:-1]) == below(folder, NAMES)
    assert all(os.path.exists(path) for path in spare.split(b"\0")[:-1])
    lines = run(command, folder, "--format", "paths", store=store)
    assert lines == spare.replace(b"\0", b"\n")


def test_the_terminal_shows_a_line_a_file_and_no_control_characters(
    folder: bytes, store: Path, scanned: list[dict]
) -> None:
    shown = run("scan", folder, "--format", "terminal", store=store, COLUMNS="4000").decode()
    assert sum("160 x 120" in line for line in shown.split("\n")) == len(NAMES) + 1
    assert sum(line.startswith("skipped") for line in shown.split("\n")) == len(NAMES) + 1
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert "two\\nlines.jpg" in shown
    assert "[red]colour[.jpg" in shown


@pytest.mark.usefixtures("scanned")
def test_files_named_on_the_command_line(folder: bytes, store: Path) -> None:
    output = run("scan", "--format", "jsonl", "--", *NAMES, store=store, cwd=folder)
    lines = [json.loads(line) for line in output.splitlines()]
    (group,) = (line for line in lines if line["type"] == "group")
    assert sorted(map(path_in, group["members"])) == below(folder, NAMES)
    assert lines[-1]["known"] == lines[-1]["files"] == len(NAMES)


@pytest.mark.usefixtures("scanned")
def test_the_language_of_the_system_changes_nothing(folder: bytes, store: Path) -> None:
    plain = run("scan", folder, "--format", "paths", "-0", store=store)
    for language in ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX"}):
        assert run("scan", folder, "--format", "paths", "-0", store=store, **language) == plain


def test_similar_names_a_query_whatever_it_is_called(tmp_path: Path) -> None:
    gallery = Path(__file__).parents[1] / "data" / "gallery"
    photo = os.path.join(os.fsencode(tmp_path), b"odd\xff\n\x1b[31m.jpg")
    with open(photo, "wb") as file:
        file.write((gallery / "taken" / "city-1.jpg").read_bytes())
    base = [sys.executable, "-m", "tbhdup"]
    subprocess.run([*base, "scan", gallery, "--store", tmp_path / "store"], check=True, capture_output=True)
    asked = [*base, "similar", photo, "--store", tmp_path / "store"]
    plain = subprocess.run(asked, check=True, capture_output=True).stdout
    assert rb"odd\xff\n\x1b[31m.jpg" in plain
    assert b"city-1.jpg" in plain
    lines = subprocess.run([*asked, "--json"], check=True, capture_output=True).stdout.splitlines()
    assert base64.b64decode(json.loads(lines[0])["query_bytes"]) == photo
