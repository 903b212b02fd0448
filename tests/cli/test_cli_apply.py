"""report --from, apply and undo, as the installed command line runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import drawing
import pytest
from trees import manifest


def run(place: Path, *arguments: object, check: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "TBHDUP_STORE": str(place / "own" / "store"),
        "XDG_DATA_HOME": str(place / "data"),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *map(str, arguments)],
        capture_output=True,
        env=environment,
        check=False,
        text=True,
        cwd=place,
    )
    assert done.returncode == check, done.stderr
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with byte copies, a resized copy, a hard link and a symbolic link; scanned, the report in a file."""
    place = tmp_path_factory.mktemp("apply")
    photos = place / "photos"
    (photos / "backup").mkdir(parents=True)
    for number, kind in enumerate(("landscape", "city")):
        picture = drawing.picture(kind, number, (320, 240))
        picture.save(photos / f"{number}.png")
        shutil.copy2(photos / f"{number}.png", photos / "backup" / f"copy of {number}.png")
    picture.resize((240, 180)).save(photos / "small.jpg", quality=90)
    os.link(photos / "0.png", photos / "0-linked.png")
    (photos / "0-symbolic.png").symlink_to("0.png")
    report = run(place, "scan", "photos", "--format", "jsonl").stdout
    (place / "report.jsonl").write_text(report)
    return place


def test_without_yes_nothing_is_done(place: Path) -> None:
    before = manifest(place / "photos")
    said = run(place, "apply", "report.jsonl", "--action", "trash").stdout
    assert "copy of 0.png" in said
    assert "--yes" in said
    assert manifest(place / "photos") == before
    assert not (place / "own" / "store.journal.jsonl").exists()


@pytest.mark.parametrize(
    "options", [["trash"], ["trash", "--kind", "duplicate"], ["move", "--to", "away"], ["hardlink"], ["symlink"]]
)
def test_apply_and_undo(place: Path, options: list[str]) -> None:
    before = manifest(place / "photos")
    arguments = ["apply", "report.jsonl", "--prefer", "photos/backup", "--action", *options]
    run(place, *arguments, "--yes")
    after = manifest(place / "photos")
    changed = {Path(os.fsdecode(path)).name for path in before if after.get(path) != before[path]}
    assert changed >= {"0.png", "0-linked.png", "1.png"}
    assert ("small.jpg" in changed) == ("duplicate" in options)
    assert "0-symbolic.png" not in changed
    assert all((place / "photos" / "backup" / f"copy of {number}.png").is_file() for number in (0, 1))
    lines = [json.loads(line) for line in (place / "own" / "store.journal.jsonl").read_text().splitlines()]
    assert lines[-1]["type"] == "done"
    run(place, "undo")
    assert manifest(place / "photos") == before


def test_a_file_that_changed_is_refused_and_told(place: Path) -> None:
    copy = place / "photos" / "backup" / "copy of 0.png"
    kept, times = copy.read_bytes(), (copy.stat().st_atime_ns, copy.stat().st_mtime_ns)
    copy.write_bytes(kept[:-1] + b"?")
    os.utime(copy, ns=times)
    done = run(place, "apply", "report.jsonl", "--action", "trash", "--prefer", "photos/backup", "--yes", check=1)
    assert "left out" in done.stderr
    assert (place / "photos" / "0.png").exists()
    shown = run(place, "report", "--from", "report.jsonl", "--under", "photos/backup", "--format", "paths")
    assert "copy of 0" in shown.stderr
    copy.write_bytes(kept)
    os.utime(copy, ns=times)
    run(place, "undo")


def test_a_report_is_filtered_and_marked_anew(place: Path) -> None:
    def names(*options: str) -> set[str]:
        return {
            Path(p).name
            for p in run(place, "report", "--from", "report.jsonl", "--format", "paths", *options).stdout.split("\n")
        }

    assert {"copy of 0.png", "small.jpg"} <= names()
    assert "copy of 0.png" not in names("--kind", "duplicate")
    assert "0.png" in names("--prefer", "photos/backup")
    assert "small.jpg" not in names("--keep", "newest,path", "--reference", "photos/small.jpg")
    assert names("--relation", "inverted") == {""}


def test_wrong_usage_is_one_line(place: Path) -> None:
    for arguments in (
        ["apply", "report.jsonl", "--action", "move"],
        ["apply", "report.jsonl", "--action", "hardlink", "--kind", "duplicate"],
        ["apply", "report.jsonl", "--action", "trash", "--keep", "biggest"],
        ["apply", "nowhere.jsonl", "--action", "trash"],
        ["report", "photos", "--from", "report.jsonl"],
        ["undo", "yesterday"],
    ):
        assert run(place, *arguments, check=2).stderr.count("\n") == 1
    assert "line 1" in run(place, "apply", "photos/0.png", "--action", "trash", check=1).stderr


def test_a_mark_that_was_made_since_the_report_is_heeded(place: Path) -> None:
    plan = ["apply", "report.jsonl", "--action", "trash", "--kind", "duplicate"]
    listed = ["report", "--from", "report.jsonl", "--format", "jsonl"]
    assert all("small.jpg" in run(place, *arguments).stdout for arguments in (plan, listed))
    for number in (0, 1):
        run(place, "mark", f"photos/{number}.png", "photos/small.jpg", "--not-duplicate")
    assert not any("small.jpg" in run(place, *arguments).stdout for arguments in (plan, listed))
