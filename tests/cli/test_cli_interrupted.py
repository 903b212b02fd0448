"""A scan that is interrupted or killed keeps what it committed, and the next one finishes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import drawing
import pytest

from tbhdup.errors import StoreError
from tbhdup.store import Store
from tbhdup.values import File

COUNT = 700
KILLS, KILLS_A_STORE = 20, 10
GALLERY = Path(__file__).resolve().parent.parent / "data" / "gallery"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Enough files for a scan of several seconds: few drawings, each saved many times in other qualities."""
    folder = tmp_path_factory.mktemp("many")
    kinds = sorted(drawing.KINDS)
    drawn = [drawing.picture(kinds[n % len(kinds)], n, (480, 360)) for n in range(14)]
    for number in range(COUNT):
        drawn[number % len(drawn)].save(folder / f"{number:04d}.jpg", quality=40 + number // len(drawn))
    return folder


def start(photos: Path, store: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tbhdup", "scan", str(photos), "--verify", "never", "--format", "jsonl"]
    # A shell's background job ignores SIGINT and hands that down: put the usual behaviour back.
    return subprocess.Popen(
        command,
        env={**os.environ, "TBHDUP_STORE": str(store)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def finish(photos: Path, store: Path) -> dict:
    done = start(photos, store)
    output, errors = done.communicate()
    assert done.returncode == 0, errors.decode()
    return json.loads(output.splitlines()[-1])


def test_ctrl_c_says_so_and_keeps_the_work(photos: Path, tmp_path: Path) -> None:
    running = start(photos, tmp_path / "store")
    while not committed(tmp_path / "store").pictures:
        assert running.poll() is None
        time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 130, errors.decode()
    assert errors.count(b"\n") == 1, errors.decode()
    summary = finish(photos, tmp_path / "store")
    assert summary["files"] == COUNT
    assert summary["known"] > 0


@dataclass(frozen=True)
class Rows:
    """Everything that is committed at one moment."""

    files: frozenset[File] = frozenset()
    pictures: frozenset[bytes] = frozenset()  # whole rows
    verdicts: int = 0

    def __le__(self, later: Rows) -> bool:
        return self.files <= later.files and self.pictures <= later.pictures and self.verdicts <= later.verdicts


def committed(place: Path) -> Rows:
    """What a reader sees, also while a scan writes."""
    try:
        opened = Store.open(place, write=False)
    except StoreError:
        return Rows()  # the scan has not come so far as to make it
    with opened as store:
        info = store.info()
        pictures = frozenset(row.tobytes() for model in info.pictures for row in store.pictures(model))
        return Rows(frozenset(store.files()), pictures, sum(info.verdicts.values()))


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """The sample gallery, with copies that must be proven, more drawings, and files that are no pictures."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copytree(GALLERY, folder / "gallery")
    for number in range(96):
        kinds = sorted(drawing.KINDS)
        drawing.picture(kinds[number % len(kinds)], number, (64, 48)).save(folder / f"{number:03d}.png")
    (folder / "empty.jpg").touch()
    (folder / "words.jpg").write_text("no picture")
    return folder


def scan(photos: Path, place: Path) -> subprocess.Popen[bytes]:
    """The command line, which commits so often that a kill comes before, in and after commits."""
    code = "from tbhdup.store import batch; batch.COMMIT_SECONDS = 0.05; from tbhdup.cli import main; main()"
    options = ["--store", str(place), "--candidates", "1", "--format", "jsonl"]
    return subprocess.Popen(
        [sys.executable, "-c", code, "scan", str(photos), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def outcome(running: subprocess.Popen[bytes]) -> list[dict]:
    """What a scan that gets to its end says, but for how much of it was work."""
    output, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors.decode()
    *lines, summary = [json.loads(line) for line in output.splitlines()]
    work = ("known", "read", "decoded", "encoded", "proven", "recalled", "seconds")
    return [*lines, {name: value for name, value in summary.items() if name not in work}]


@pytest.mark.timeout(900)  # a minute on an idle machine
def test_killed_scans_lose_no_committed_row_and_change_no_result(small: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    undisturbed = outcome(scan(small, tmp_path / "undisturbed"))
    duration = time.monotonic() - start
    assert undisturbed[-1]["groups"] > 5
    rng, kills, halfway = random.Random(20), 0, 0
    while kills < KILLS:
        place = tmp_path / str(kills)
        for attempt in range(KILLS_A_STORE):
            running, known = scan(small, place), len(committed(place).files)
            # By turns: at any moment of its life; and when it has just committed something new.
            wait = rng.uniform(0.3, duration) if attempt % 2 else rng.uniform(0, duration / 8)
            while attempt % 2 == 0 and running.poll() is None and len(committed(place).files) == known:
                time.sleep(0.05)
            try:
                running.wait(wait)
                break
            except subprocess.TimeoutExpired:
                before = committed(place)
                running.kill()
                running.communicate()
                after = committed(place)
                assert before <= after
                halfway += 0 < len(after.files) < undisturbed[-1]["files"]
                kills += 1
        else:
            running = scan(small, place)
        assert outcome(running) == undisturbed
    assert halfway
    for place in tmp_path.iterdir():
        command = [sys.executable, "-m", "tbhdup", "store", "check", "--store", str(place)]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"the store is sound\n"
