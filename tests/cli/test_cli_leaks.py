"""`tbhdup leaks`, `mark` and `marks` in a subprocess: every format, the exit statuses, the splits."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GALLERY = Path(__file__).resolve().parent.parent / "data" / "gallery"
ODD = b'not utf-8 \xff, "quoted"\nline [red]\'s.jpg'


def run(*arguments: object, store: Path, check: int = 0) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "TBHDUP_STORE": str(store), "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *map(str, arguments)], capture_output=True, env=environment, check=False
    )
    assert done.returncode == check, done.stderr.decode()
    return done


def lines(output: bytes) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def path_in(fields: dict[str, str]) -> bytes:
    exact = fields.get("path_bytes")
    return fields["path"].encode() if exact is None else base64.b64decode(exact, validate=True)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery's pictures as taken are train, their copies are test, and val has one of odd name and a broken one."""
    folder = tmp_path_factory.mktemp("leaks")
    shutil.copytree(GALLERY / "taken", folder / "train" / "taken")
    shutil.copytree(GALLERY / "sent", folder / "test" / "sent")
    (folder / "val").mkdir()
    shutil.copy(GALLERY / "taken" / "city-1.jpg", os.path.join(os.fsencode(folder / "val"), ODD))
    (folder / "val" / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leaks_store") / "store"


@pytest.fixture(scope="module")
def found(sets: Path, store: Path) -> list[dict]:
    roots = [sets / name for name in ("train", "test", "val")]
    return lines(run("leaks", *roots, "--labels", "folder", "--fail-if-found", store=store, check=3).stdout)


def test_json_lines(sets: Path, found: list[dict]) -> None:
    header, *middle, summary = found
    assert (header["type"], header["schema"]) == ("header", 1)
    assert [(s["set"], s["path"]) for s in header["sets"]] == [(n, str(sets / n)) for n in ("train", "test", "val")]
    leaks = [line for line in middle if line.get("between") == "sets"]
    labels = [line for line in middle if line.get("between") == "labels"]
    assert (summary["leaks"], summary["labels"]) == (len(leaks), len(labels))
    for leak in leaks:
        assert leak["sides"] == sorted({f["side"] for f in leak["files"]}, key=["train", "test", "val"].index)
        for file in leak["files"]:
            assert path_in(file).startswith(os.fsencode(sets / file["side"]))
    # Every edited copy's name begins with that of its original.
    city, *others = sorted(leaks, key=lambda leak: -len(leak["files"]))
    assert {Path(f["path"]).stem for f in city["files"]} >= {"copy", "city-1"}
    assert city["kind"] == "identical"
    assert city["sides"] == ["train", "test", "val"]
    assert os.path.join(os.fsencode(sets / "val"), ODD) in map(path_in, city["files"])
    for leak in others:
        assert len({"-".join(Path(f["path"]).stem.split("-")[:2]) for f in leak["files"]}) == 1
    assert len(leaks) >= 8
    assert all(label["sides"] == ["sent", "taken"] for label in labels)
    assert [line["reason"] for line in middle if line["type"] == "skip"] == ["empty"]
    for name in ("train", "test", "val"):
        leaky = {path_in(f) for leak in leaks for f in leak["files"] if f["side"] == name}
        assert summary["leaking"][name] == len(leaky)


@pytest.mark.usefixtures("found")
def test_csv_and_terminal_say_the_same(sets: Path, store: Path, found: list[dict]) -> None:
    roots = [sets / name for name in ("train", "test", "val")]
    leaks = [line for line in found if line["type"] == "leak" and line["between"] == "sets"]
    text = run("leaks", *roots, "--format", "csv", "--strict", store=store, check=4).stdout
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8", "surrogateescape"), newline="")))
    assert {row["between"] for row in rows} == {"sets"}
    assert [(row["side"], row["path"].encode("utf-8", "surrogateescape")) for row in rows] == [
        (file["side"], path_in(file)) for leak in leaks for file in leak["files"]
    ]
    assert {row["leak"] for row in rows} == {str(number) for number in range(1, len(leaks) + 1)}
    shown = run("leaks", *roots, "--format", "terminal", "--labels", "folder", store=store).stdout.decode()
    assert "identical, train and test and val" in shown
    assert f"{len(leaks)} leaks between the sets" in shown
    assert "labels sent and taken" in shown
    assert "[red]" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


@pytest.mark.usefixtures("found")
def test_splits_in_both_forms(sets: Path, store: Path, tmp_path: Path) -> None:
    roots = [sets / name for name in ("train", "test", "val")]
    said = run("leaks", *roots, "--write-splits", tmp_path / "s.csv", store=store).stderr.decode()
    run("leaks", *roots, "--write-splits", tmp_path / "s.jsonl", "--priority", "val,test,train", store=store)
    text = (tmp_path / "s.csv").read_bytes().decode("utf-8", "surrogateescape")
    rows = [
        (row["path"].encode("utf-8", "surrogateescape"), row["set"])
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]
    assert rows == [(path_in(line), line["set"]) for line in lines((tmp_path / "s.jsonl").read_bytes())]
    pictures = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(os.fsencode(sets))
        for name in names
        if name != b"empty.jpg"
    ]
    assert [path for path, _ in rows] == sorted(pictures)
    now = {os.path.relpath(path, os.fsencode(sets)): name for path, name in rows}
    assert now[b"train/taken/city-1.jpg"] == now[b"test/sent/copy.jpg"] == now[b"val/" + ODD] == "val"
    assert now[b"train/taken/city-2.jpg"] == "test"
    moved = sum(not path.startswith(os.fsencode(sets / name)) for path, name in rows)
    assert f"{moved} of them" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.csv", "s.jsonl"]
    run("leaks", *roots, "--write-splits", tmp_path / "s.csv", "--priority", "train,test,val", store=store)
    assert b",val\n" not in (tmp_path / "s.csv").read_bytes()


def test_wrong_usage_costs_one_line_and_no_scan(sets: Path, tmp_path: Path) -> None:
    train, test = sets / "train", sets / "test"
    for wrong in (
        (train,),
        (train, train),
        (train, train / "taken"),
        (train, sets / "nowhere"),
        (train, test, "--priority", "train"),
        (train, test, "--write-splits", tmp_path / "s.txt"),
        (train, test, "--write-splits", tmp_path / "nowhere" / "s.csv"),
    ):
        done = run("leaks", *wrong, store=tmp_path / "store", check=2)
        assert done.stdout == b""
        assert done.stderr.count(b"\n") == 1
    run("leaks", train, test, "--format", "html", store=tmp_path / "store", check=2)


@pytest.mark.usefixtures("found")
def test_splits_that_cannot_be_written(sets: Path, store: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv.part").mkdir()
    done = run("leaks", sets / "train", sets / "test", "--write-splits", tmp_path / "s.csv", store=store, check=1)
    assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.usefixtures("found")
def test_a_mark_is_made_listed_heeded_and_taken_back(sets: Path, store: Path) -> None:
    taken, mirrored = sets / "train/taken/leaves-1.jpg", sets / "test/sent/leaves-1-mirrored.jpg"

    def together(*command: object) -> bool:
        report = lines(run(*command, store=store).stdout)
        members = [line.get("members", line.get("files")) for line in report if line["type"] in ("group", "leak")]
        return any({str(taken), str(mirrored)} <= {m["path"] for m in group} for group in members)

    commands = [("leaks", sets / "train", sets / "test"), ("scan", sets), ("report",)]
    assert all(together(*command) for command in commands)
    assert run("mark", taken, mirrored, "--not-duplicate", store=store).stdout
    assert b"already" in run("mark", mirrored, taken, "--not-duplicate", store=store).stdout
    assert not any(together(*command) for command in commands)
    hits = lines(run("similar", taken, "--json", store=store).stdout)
    assert hits
    assert str(mirrored) not in {hit["path"] for hit in hits}
    (mark,) = lines(run("marks", "--json", store=store).stdout)
    assert mark["mark"] == "not-duplicate"
    assert {file["path"] for side in "ab" for file in mark[side]["files"]} == {str(taken), str(mirrored)}
    assert taken.name.encode() in run("marks", store=store).stdout
    run("mark", taken, mirrored, "--revoke", store=store)
    run("mark", taken, mirrored, "--revoke", store=store, check=1)
    assert run("marks", store=store).stdout == b""
    assert all(together(*command) for command in commands)


def test_a_mark_must_say_what_and_be_of_two_contents(sets: Path, tmp_path: Path) -> None:
    city, copy = sets / "train/taken/city-1.jpg", sets / "test/sent/copy.jpg"
    for wrong in ((city, sets), (city, copy, "--not-duplicate"), (city, sets, "--not-duplicate", "--revoke")):
        assert run("mark", *wrong, store=tmp_path / "store", check=2).stderr.count(b"\n") == 1
    run("mark", city, tmp_path / "nowhere.jpg", "--not-duplicate", store=tmp_path / "store", check=1)
    other = sets / "train/taken/city-2.jpg"
    run("mark", city, other, "--not-duplicate", store=tmp_path / "store")
    assert b"not in the store" in run("marks", store=tmp_path / "store").stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.marks.jsonl"]


def test_help_loads_nothing_heavy_and_says_who_wins() -> None:
    for command in ("leaks", "mark", "marks"):
        code = (
            f"import sys; sys.argv = ['tbhdup', {command!r}, '--help']\n"
            "from tbhdup.cli import app\n"
            "try: app()\n"
            "except SystemExit: pass\n"
            "assert not {'torch', 'cv2', 'numpy', 'jinja2'} & set(sys.modules)\n"
        )
        environment = {**os.environ, "COLUMNS": "300", "NO_COLOR": "1"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
        assert b"Usage" in done.stdout
        if command == "leaks":
            assert b"set named last" in b" ".join(done.stdout.split())
