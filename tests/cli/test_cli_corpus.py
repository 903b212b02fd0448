"""A whole scan over good, odd and bad pictures: each file costs its one skip or gives its one row, and nothing else."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import corpus
import pytest
from corpus import Expectation

from tbhdup.sources import FORMATS
from tbhdup.store import Store
from tbhdup.values import Reason

PR_CAPBSET_DROP = 24
RIGHTS_OF_ROOT = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: with them no permission is ever missing

# Files that are there when the folder is listed and gone, or longer, at the moment they are opened.
UNREST = """
import os, sys

def meddle(event, arguments):
    if event == "open" and isinstance(arguments[0], bytes):
        if arguments[0].endswith(b"/vanishing.jpg"):
            os.unlink(arguments[0])
        elif arguments[0].endswith(b"/changing.jpg"):
            os.truncate(arguments[0], 50)

sys.addaudithook(meddle)
"""


def drop_rights() -> None:
    """In the child of a privileged user: from here on permissions count."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for right in RIGHTS_OF_ROOT:
            if libc.prctl(PR_CAPBSET_DROP, right, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


def permissions_count(folder: Path) -> bool:
    """Whether `drop_rights` does what it says on this system."""
    (folder / "locked").touch(mode=0o000)
    code = f"open({str(folder / 'locked')!r})"
    try:
        done = subprocess.run([sys.executable, "-c", code], preexec_fn=drop_rights, capture_output=True, check=False)
    except subprocess.SubprocessError:
        return False
    return b"PermissionError" in done.stderr


def scan(
    *arguments: object, store: Path, check: int = 0, prepare: Callable[[], None] | None = None, **environment: str
) -> list[dict]:
    command = [sys.executable, "-m", "tbhdup", "scan", "--format", "jsonl"]
    done = subprocess.run(
        [*command, *(a if isinstance(a, bytes) else str(a) for a in arguments)],
        capture_output=True,
        env={**os.environ, "TBHDUP_STORE": str(store), **environment},
        preexec_fn=prepare,
        timeout=120,
        check=False,
    )
    assert done.returncode == check, done.stderr.decode()
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def skips_in(lines: list[dict]) -> dict[str, str]:
    told = [(line["path"], line["reason"]) for line in lines if line["type"] == "skip"]
    assert len(dict(told)) == len(told)  # each file once
    return dict(told)


def outcomes(place: Path) -> dict[bytes, object]:
    """By path: the reason a file was skipped, or format, width and height of its picture."""
    with Store.open(place, write=False) as store:
        (model,) = store.info().pictures
        rows = {row["digest"].tobytes(): row for row in store.pictures(model)}
        found: dict[bytes, object] = {}
        for file in store.files():
            if file.digest is None:
                found[file.path] = file.skip
            else:
                row = rows[file.digest]
                found[file.path] = (FORMATS[row["format"]], int(row["width"]), int(row["height"]))
        assert store.check() == []
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[bytes, Expectation]:
    made = corpus.make(folder)
    return {os.path.join(os.fsencode(folder), name): expectation for name, expectation in made.items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus_store")


@pytest.fixture(scope="module")
def scanned(folder: Path, expected: dict[bytes, Expectation], place: Path) -> list[dict]:
    assert expected
    return scan(folder, store=place)


@pytest.mark.usefixtures("scanned")
def test_every_file_gives_its_one_row(expected: dict[bytes, Expectation], place: Path) -> None:
    assert outcomes(place) == {
        path: x.reason or (x.format, x.width, x.height) for path, x in expected.items() if x.listed
    }


def test_every_bad_file_is_told_once_with_its_reason(expected: dict[bytes, Expectation], scanned: list[dict]) -> None:
    wanted = {os.fsdecode(path): str(x.reason) for path, x in expected.items() if x.listed and x.reason}
    assert len(wanted) > 15
    assert skips_in(scanned) == wanted
    summary = scanned[-1]
    assert summary["skipped"] == len(wanted)
    assert summary["files"] == sum(x.listed for x in expected.values())


def test_copies_among_them_are_found(expected: dict[bytes, Expectation], scanned: list[dict]) -> None:
    """Under every awkward name lies the same file."""
    names = sum(x.listed and b"/names/" in path for path, x in expected.items())
    groups = [[m["path"] for m in line["members"]] for line in scanned if line["type"] == "group"]
    assert names in [sum("/names/" in path for path in group) for group in groups]


def test_a_second_scan_says_the_same_and_reads_nothing(folder: Path, place: Path, scanned: list[dict]) -> None:
    again = scan(folder, "--strict", store=place, check=4)
    assert again[:-1] == scanned[:-1]
    assert again[-1]["read"] == 0
    assert again[-1]["known"] == again[-1]["files"] == scanned[-1]["files"]


@pytest.mark.usefixtures("scanned")
def test_strict_minds_only_what_was_skipped(folder: Path, place: Path) -> None:
    assert skips_in(scan(folder / "good", "--strict", store=place)) == {}


@pytest.mark.usefixtures("expected")
def test_what_is_no_file_is_told_when_it_is_named(folder: Path, tmp_path: Path) -> None:
    special = folder / "special"
    lines = scan(*(special / f"{name}.jpg" for name in ("pipe", "loop", "broken", "link")), store=tmp_path)
    assert skips_in(lines) == {
        str(special / "pipe.jpg"): "not-a-file",
        str(special / "loop.jpg"): "loop",
        str(special / "broken.jpg"): "vanished",
    }
    assert lines[-1]["files"] == lines[-1]["pictures"] == 1
    scan(special / "pipe.jpg", "--strict", store=tmp_path, check=4)


def test_files_that_vanish_or_change_under_the_scan(folder: Path, tmp_path: Path) -> None:
    photos, code = tmp_path / "photos", tmp_path / "code"
    photos.mkdir()
    code.mkdir()
    (code / "sitecustomize.py").write_text(UNREST)
    data = corpus.encoded("JPEG")
    for name in ("vanishing.jpg", "changing.jpg", "staying.jpg"):
        (photos / name).write_bytes(data)
    lines = scan(photos, "--strict", store=tmp_path / "store", check=4, PYTHONPATH=str(code))
    assert skips_in(lines) == {str(photos / "vanishing.jpg"): "vanished", str(photos / "changing.jpg"): "changed"}
    assert lines[-1]["pictures"] == 1
    (photos / "changing.jpg").write_bytes(data)
    after = scan(photos, "--strict", store=tmp_path / "store")
    assert skips_in(after) == {}
    assert after[-1]["files"] == 2
    assert set(outcomes(tmp_path / "store")) == {
        os.fsencode(photos / f"{name}.jpg") for name in ("changing", "staying")
    }


def test_files_without_permission_are_told_and_looked_at_again(folder: Path, tmp_path: Path) -> None:
    if not permissions_count(tmp_path):
        pytest.skip("this user's rights cannot be dropped")
    photos = tmp_path / "photos"
    (photos / "room").mkdir(parents=True)
    data = corpus.encoded("JPEG")
    for name in ("locked.jpg", "open.jpg", "room/inside.jpg"):
        (photos / name).write_bytes(data)
    locked = [photos / "locked.jpg", photos / "room"]
    for path in locked:
        path.chmod(0o000)
    try:
        lines = scan(photos, "--strict", store=tmp_path / "store", check=4, prepare=drop_rights)
        again = scan(photos, "--strict", store=tmp_path / "store", check=4, prepare=drop_rights)
    finally:
        for path in locked:
            path.chmod(0o755)
    assert skips_in(lines) == skips_in(again) == {str(path): Reason.UNREADABLE.value for path in locked}
    assert lines[-1]["pictures"] == 1
    after = scan(photos, "--strict", store=tmp_path / "store", prepare=drop_rights)
    assert skips_in(after) == {}
    assert after[-1]["files"] == 3
