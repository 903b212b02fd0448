"""A scan that is interrupted or killed keeps what it committed, and the next one finishes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import drawing
import pytest

from tbhdup.store import Store

COUNT = 700


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
    time.sleep(4)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 130, errors.decode()
    assert errors.count(b"\n") == 1, errors.decode()
    summary = finish(photos, tmp_path / "store")
    assert summary["files"] == COUNT
    assert summary["known"] > 0


def test_killed_scans_lose_no_committed_row(photos: Path, tmp_path: Path) -> None:
    store, committed = tmp_path / "store", 0
    for wait in (1.5, 4.0, 5.5):
        running = start(photos, store)
        time.sleep(wait)
        running.kill()
        running.communicate()
        if (store / "data.mdb").exists():
            with Store.open(store) as opened:
                files = sum(1 for _ in opened.files())
                assert files >= committed
                assert opened.check() == []
            committed = files
    assert finish(photos, store)["files"] == COUNT
