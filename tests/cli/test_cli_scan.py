"""The installed command line in a subprocess, on the sample gallery and on odd files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import corpus
import pytest

GALLERY = Path(__file__).resolve().parent.parent / "data" / "gallery"


def run(*arguments: object, store: Path, check: int | None = 0) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "TBHDUP_STORE": str(store), "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *map(str, arguments)], capture_output=True, env=environment, check=False
    )
    if check is not None:
        assert done.returncode == check, done.stderr.decode()
    return done


def lines(output: bytes) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """The gallery in a folder of its own, its store, and the first report."""
    folder = tmp_path_factory.mktemp("scan")
    shutil.copytree(GALLERY, folder / "photos")
    done = run("scan", folder / "photos", store=folder / "store")
    return folder / "photos", folder / "store", lines(done.stdout)


def test_scan_groups_every_edited_copy_with_its_original(scanned) -> None:
    photos, _, report = scanned
    assert report[0]["type"] == "header"
    assert report[0]["schema"] == 1
    groups = [{Path(m["path"]).name for m in line["members"]} for line in report if line["type"] == "group"]
    for original in sorted((photos / "taken").iterdir()):
        copies = {p.name for p in (photos / "sent").glob(f"{original.stem}-*")}
        assert copies, original
        home = [group for group in groups if original.name in group]
        assert len(home) == 1, original
        assert copies <= home[0]
    assert report[-1]["type"] == "summary"
    assert report[-1]["encoded"] == report[-1]["pictures"]


def test_no_group_mixes_two_pictures(scanned) -> None:
    _, _, report = scanned
    for line in report:
        if line["type"] == "group":
            stems = {"-".join(Path(m["path"]).stem.split("-")[:2]) for m in line["members"]} - {"copy"}
            assert len(stems) == 1, line


def test_byte_copies_are_called_identical(scanned) -> None:
    _, _, report = scanned
    members = [m for line in report if line["type"] == "group" for m in line["members"]]
    copy = next(m for m in members if m["path"].endswith("copy.jpg"))
    twin = next(m for m in members if m["digest"] == copy["digest"] and m is not copy)
    assert {copy["relation"], twin["relation"]} & {"identical bytes"}


def test_second_scan_reads_and_proves_nothing(scanned) -> None:
    photos, store, report = scanned
    again = lines(run("scan", photos, store=store).stdout)
    summary = again[-1]
    assert summary["read"] == summary["decoded"] == summary["encoded"] == summary["proven"] == 0
    assert summary["known"] == summary["files"]
    assert again[:-1] == report[:-1]


def test_report_says_the_same_without_torch(scanned) -> None:
    photos, store, report = scanned
    code = (
        "import sys; sys.argv = ['tbhdup', 'report', '--format', 'jsonl']\n"
        "from tbhdup.cli import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, "TBHDUP_STORE": str(store)}, check=True
    )
    assert [line for line in lines(done.stdout) if line["type"] == "group"] == [
        line for line in report if line["type"] == "group"
    ]
    below = lines(run("report", photos / "taken", store=store).stdout)
    assert below[-1]["files"] == len(list((photos / "taken").iterdir()))


def test_moved_and_touched_files_are_not_decoded(tmp_path: Path) -> None:
    shutil.copytree(GALLERY, tmp_path / "photos")
    store = tmp_path / "store"
    run("scan", tmp_path / "photos", store=store)
    (tmp_path / "photos" / "taken").rename(tmp_path / "photos" / "moved")
    moved = lines(run("scan", tmp_path / "photos", store=store).stdout)[-1]
    assert moved["decoded"] == 0
    assert moved["read"] == 0
    for path in (tmp_path / "photos" / "moved").iterdir():
        os.utime(path)
    touched = lines(run("scan", tmp_path / "photos", store=store).stdout)[-1]
    assert touched["read"] == len(list((tmp_path / "photos" / "moved").iterdir()))
    assert touched["decoded"] == touched["encoded"] == 0
    assert run("store", "check", store=store).stdout == b"the store is sound\n"


def test_formats_and_exit_statuses(scanned) -> None:
    photos, store, report = scanned
    members = [m for line in report if line["type"] == "group" for m in line["members"]]
    spare = sorted(m["path"] for m in members if not m["keep"])
    csv = run("scan", photos, "--format", "csv", store=store).stdout.decode().splitlines()
    assert len(csv) == 1 + len(members)
    paths = run("scan", photos, "--format", "paths", "-0", store=store).stdout
    assert sorted(paths.decode().split("\0")[:-1]) == spare
    terminal = run("scan", photos, "--format", "terminal", store=store).stdout.decode()
    assert "keep" in terminal
    assert "mirrored" in terminal
    run("scan", photos, "--fail-if-found", store=store, check=3)
    run("scan", photos, "--verify", "never", store=store)
    wrong = run("scan", photos / "nowhere", store=store, check=2)
    assert wrong.stderr.count(b"\n") == 1


def test_bad_pictures_cost_one_skip_each(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    corpus.make(folder)
    summary = lines(run("scan", folder, store=tmp_path / "store").stdout)[-1]
    assert summary["skipped"] > 0
    assert summary["pictures"] > 0
    run("scan", folder, "--strict", store=tmp_path / "store", check=4)


def test_similar_finds_the_original_first(scanned) -> None:
    photos, store, _ = scanned
    query = photos / "sent" / next(p.name for p in (photos / "sent").iterdir() if "mirrored" in p.name)
    hits = lines(run("similar", query, "--limit", "5", "--json", store=store).stdout)
    assert Path(hits[0]["path"]).stem == query.stem.removesuffix("-mirrored")
    assert hits[0]["relation"].startswith("mirrored") or "mirrored" in hits[0]["relation"]
    exact = lines(run("similar", photos / "sent" / "copy.jpg", "--radius", "0", "--json", store=store).stdout)
    assert {hit["distance"] for hit in exact} == {0}
    assert run("similar", query, store=store).stdout


def test_compare_exits_as_cmp_does(scanned) -> None:
    photos, store, _ = scanned
    framed = next(p for p in (photos / "sent").iterdir() if "cropped" in p.name)
    original = photos / "taken" / framed.name.replace("-cropped", "")
    said = run("compare", original, framed, store=store).stdout.decode()
    assert "cropped" in said
    others = sorted((photos / "taken").iterdir())
    run("compare", others[0], others[2], store=store, check=1)
    run("compare", original, original, store=store)


def test_help_and_version_are_light() -> None:
    for argument in ("--help", "--version"):
        code = (
            f"import sys; sys.argv = ['tbhdup', {argument!r}]\n"
            "from tbhdup.cli import app\n"
            "try: app()\n"
            "except SystemExit: pass\n"
            "assert not {'torch', 'cv2', 'numpy'} & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_closed_pipe_is_no_error(scanned) -> None:
    photos, store, _ = scanned
    environment = {**os.environ, "TBHDUP_STORE": str(store)}
    command = f"{sys.executable} -m tbhdup scan '{photos}' --format jsonl | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, env=environment, check=True)
    assert done.stderr == b""


def test_model_and_store_info(scanned) -> None:
    _, store, report = scanned
    assert report[0]["model"].encode() in run("model", "info", store=store).stdout
    assert b"pictures" in run("store", "info", store=store).stdout
    assert b"--weights" in run("model", "calibrate", store=store, check=2).stderr
    assert b"sead" in run("train", "nowhere", "--set", "sead=1", store=store, check=2).stderr
    missing = run("store", "info", store=store / "nowhere", check=1)
    assert b"tbhdup scan" in missing.stderr
