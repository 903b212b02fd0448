"""Archives, manifests, lists, keep-lists and the hook for pre-commit, by the installed command in a subprocess."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

ROOT = Path(__file__).resolve().parent.parent.parent
GALLERY = ROOT / "tests" / "data" / "gallery"
ODD = b'not utf-8 \xff, "quoted"\nline.jpg'


def run(
    *arguments: object, store: Path, check: int = 0, data: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "TBHDUP_STORE": str(store), "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *arguments],
        capture_output=True,
        env=environment,
        check=False,
        input=data,
        cwd=cwd,
    )
    assert done.returncode == check, done.stderr.decode()
    return done


def lines(output: bytes) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def groups(report: list[dict]) -> list[list[tuple[str, str, bool]]]:
    found = [line["members"] for line in report if line["type"] == "group"]
    return sorted(sorted((Path(m["path"]).name, m["relation"], m["keep"]) for m in members) for members in found)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the gallery in a folder `photos`, in archives, a manifest and a list beside it."""
    place = tmp_path_factory.mktemp("inputs")
    shutil.copytree(
        GALLERY, place / "photos", ignore=shutil.ignore_patterns("fruit*", "page*", "landscape*", "city-2*")
    )
    files = sorted((place / "photos").glob("*/*"))
    os.link(files[0], os.path.join(os.fsencode(place / "photos" / "sent"), ODD))
    paths = [*map(os.fsencode, files), os.path.join(os.fsencode(place / "photos" / "sent"), ODD)]
    with tarfile.open(place / "shard.tar.gz", "w:gz") as tar, zipfile.ZipFile(place / "all.zip", "w") as zipped:
        for path in paths:
            name = os.fsdecode(os.path.relpath(path, os.fsencode(place / "photos")))
            info = tar.gettarinfo(os.fsdecode(path), name)
            info.type, info.size = tarfile.REGTYPE, os.path.getsize(path)
            with open(path, "rb") as file:
                tar.addfile(info, file)
            if path != paths[-1]:
                zipped.write(os.fsdecode(path), name)
        tar.addfile(tarfile.TarInfo("0001.json"))
    splits = ["train" if b"taken" in path else "test" for path in paths]
    table = {
        "path": pa.array([os.path.relpath(path, os.fsencode(place)) for path in paths], pa.binary()),
        "split": splits,
    }
    parquet.write_table(
        pa.table({**table, "label": [os.path.basename(path)[:4] for path in paths]}), place / "data.parquet"
    )
    (place / "list").write_bytes(b"".join(path + b"\0" for path in paths))
    return place


@pytest.fixture(scope="module")
def store(place: Path) -> Path:
    return place / "store"


@pytest.fixture(scope="module")
def expected(place: Path, store: Path) -> list:
    found = groups(lines(run("scan", place / "photos", store=store).stdout))
    assert len(found) == 3
    assert any(
        Path(os.fsdecode(ODD.replace(b"\xff", "\ufffd".encode()))).name == m[0] for group in found for m in group
    )
    return found


def test_a_shard_gives_the_same_groups_from_nothing(place: Path, expected: list, tmp_path: Path) -> None:
    first = run("scan", place / "shard.tar.gz", store=tmp_path / "store").stdout
    assert groups(lines(first)) == expected
    assert lines(first)[-1]["decoded"] > 0
    again = lines(run("scan", place / "shard.tar.gz", store=tmp_path / "store").stdout)
    assert again[:-1] == lines(first)[:-1]
    assert again[-1]["read"] == again[-1]["decoded"] == again[-1]["proven"] == 0


def test_manifest_list_and_folder_give_the_same_groups(place: Path, store: Path, expected: list) -> None:
    names = (place / "list").read_bytes()
    for command, data in (
        (["scan", place / "data.parquet"], b""),
        (["scan", "--files-from", place / "list"], b""),
        (["scan", "--files-from", "-"], names),
    ):
        report = lines(run(*command, store=store, data=data).stdout)
        assert groups(report) == expected
        assert report[-1]["decoded"] == report[-1]["skipped"] == 0
        assert report[-1]["known"] == names.count(b"\0")
    some = b"".join(path + b"\n" for path in (b"photos/taken", b"all.zip", b"photos/nowhere.jpg"))
    report = lines(run("scan", "--files-from", "-", store=store, data=some, cwd=place).stdout)
    assert [(line["path"], line["reason"]) for line in report if line["type"] == "skip"] == [
        (str(place / "photos" / "nowhere.jpg"), "vanished")
    ]
    assert report[-1]["files"] == len(list((place / "photos/taken").iterdir())) + names.count(b"\0") - 1


@pytest.mark.usefixtures("expected")
def test_every_format_names_members_and_keep_and_drop_are_the_whole(place: Path, store: Path) -> None:
    report = run("scan", place / "shard.tar.gz", "--format", "jsonl", store=store).stdout
    inside = os.fsencode(place / "shard.tar.gz") + b"/"
    drop = run("scan", place / "shard.tar.gz", "--format", "paths", "-0", store=store).stdout.split(b"\0")[:-1]
    keep = run("report", place / "shard.tar.gz", "--format", "keep", "-0", store=store).stdout.split(b"\0")[:-1]
    members = {inside + b"sent/" + ODD} | {
        inside + os.fsencode(path.relative_to(place / "photos"))
        for path in (place / "photos").glob("*/*") if os.fsencode(path.name) != ODD
    }  # fmt: skip
    assert sorted([*drop, *keep]) == sorted(members)
    assert len(drop) == lines(report)[-1]["duplicates"]
    for form in ("csv", "terminal", "html"):
        assert b"shard.tar.gz" in run("scan", place / "shard.tar.gz", "--format", form, store=store).stdout
    page = run("scan", place / "shard.tar.gz", "--format", "html", store=store).stdout
    assert page.count(b"data:image/webp;base64,") >= 6  # thumbnails are read from the archive
    saved = place / "saved.jsonl"
    saved.write_bytes(report)
    assert groups(lines(run("report", "--from", saved, store=store).stdout)) == groups(lines(report))
    assert run("report", "--from", saved, "--format", "keep", store=store, check=2).stderr.count(b"\n") == 1


@pytest.mark.usefixtures("expected")
def test_members_never_go(place: Path, store: Path) -> None:
    report = run("scan", place / "all.zip", place / "photos", "--format", "jsonl", store=store).stdout
    saved = place / "both.jsonl"
    saved.write_bytes(report)
    before = (place / "all.zip").read_bytes()
    plan = run("apply", saved, "--action", "move", "--to", place / "out", "--kind", "duplicate", store=store).stdout
    for line in plan.decode().splitlines():
        assert ("all.zip" in line) == ("in an archive" in line), line
    assert plan.count(b"in an archive") == len(zipfile.ZipFile(place / "all.zip").namelist())
    assert (place / "all.zip").read_bytes() == before


@pytest.mark.usefixtures("expected")
def test_members_are_compared_and_looked_for_as_files_are(place: Path, store: Path) -> None:
    member = place / "all.zip" / "taken" / "leaves-1.jpg"
    said = run("compare", member, place / "photos" / "sent" / "leaves-1-mirrored.jpg", store=store).stdout
    assert b"mirrored" in said
    assert run("scan", member, store=store, check=2).stderr.count(b"\n") == 1


@pytest.mark.usefixtures("expected")
def test_leaks_of_a_manifest(place: Path, store: Path) -> None:
    splits = place / "splits.csv"
    command = ("leaks", place / "data.parquet", "--labels", "column", "--write-splits", splits, "--fail-if-found")
    done = run(*command, store=store, check=3)
    report = lines(done.stdout)
    assert [s["set"] for s in report[0]["sets"]] == ["test", "train"]
    leaks = [line for line in report if line["type"] == "leak" and line["between"] == "sets"]
    assert len(leaks) == 3
    for leak in leaks:
        assert {f["side"] == "train" for f in leak["files"]} == {True, False}
        assert all(("taken" in f["path"]) == (f["side"] == "train") for f in leak["files"])
    (label,) = [line for line in report if line["type"] == "leak" and line["between"] == "labels"]
    assert label["sides"] == ["city", "copy", "not "]
    assert f"{sum('sent' in f['path'] for leak in leaks for f in leak['files'])} of them" in done.stderr.decode()
    # What was written is a manifest itself, and has no leak any more.
    mended = splits.read_bytes().replace(
        b",train\n", b",train\n" + str(GALLERY / "taken/city-2.jpg").encode() + b",test\n", 1
    )
    splits.write_bytes(mended)
    run("leaks", splits, "--fail-if-found", store=store)
    run("leaks", place / "all.zip", place / "photos", "--fail-if-found", store=store, check=3)


def test_wrong_usage_costs_one_line(place: Path, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("path,split\na.jpg,train\nb.jpg,train\n")
    (tmp_path / "none.csv").write_text("path,split\na.jpg,train\nb.jpg,\n")
    for wrong in (
        ("scan",), ("scan", "--files-from", tmp_path / "nowhere"), ("leaks", tmp_path / "one.csv"),
        ("leaks", tmp_path / "none.csv"), ("leaks", place / "photos", place / "all.zip", "--labels", "column"),
        ("leaks", place / "all.zip"),
    ):  # fmt: skip
        done = run(*wrong, store=tmp_path / "store", check=2)
        assert done.stdout == b""
        assert done.stderr.count(b"\n") == 1


def hook() -> dict[str, str]:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    fields = (line.lstrip("- ").partition(": ") for line in text.splitlines())
    return {name: value for name, _, value in fields}


@pytest.mark.usefixtures("expected")
def test_the_hook_fails_for_copies_that_a_commit_adds(place: Path, store: Path, tmp_path: Path) -> None:
    """The entry with the names of staged files, relative to the root of the repository, as pre-commit runs it."""
    entry = shlex.split(hook()["entry"])
    assert (hook()["id"], entry[0], hook()["types"], hook()["require_serial"]) == (
        "tbhdup",
        "tbhdup",
        "[image]",
        "true",
    )
    repository = tmp_path / "repository"
    shutil.copytree(place / "photos" / "taken", repository / "old")
    shutil.copy(repository / "old" / "leaves-1.jpg", repository / "old" / "leaves-1 again.jpg")
    (repository / "new").mkdir()
    shutil.copy(place / "photos" / "sent" / "leaves-2-turned.jpg", repository / "new")
    shutil.copy(GALLERY / "taken" / "city-2.jpg", repository / "new")
    run(*entry[1:], "new/city-2.jpg", store=store, cwd=repository)  # what is twice already is no fault of this commit
    done = run(*entry[1:], "new/city-2.jpg", "new/leaves-2-turned.jpg", store=store, cwd=repository, check=3)
    said = done.stdout.decode()
    assert "old/leaves-2.jpg" in said
    assert "new/leaves-2-turned.jpg" in said
    assert "again" not in said
