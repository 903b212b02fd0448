"""A decoder that takes the process with it costs one scan and one file, and both only once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import corpus
import drawing
import pytest

from tbhdup.store import Store

COUNT = 60

# Decoders of Pillow's own kind, put in the place of the native ones. They leave a line for each process they are called in.
PLUGIN = """
import ctypes, os, resource
from PIL import Image, ImageFile

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

class Fatal(ImageFile.PyDecoder):
    def decode(self, buffer):
        with open(os.environ["CALLS"], "a") as calls:
            print(os.getpid(), file=calls)
        self.die()

class Segfault(Fatal):
    def die(self):
        ctypes.string_at(0)

class Abort(Fatal):
    def die(self):
        os.abort()

Image.register_decoder("gif", Segfault)
Image.register_decoder("jpeg2k", Abort)
"""


class Scene:
    """A folder of photographs, a store, and a Python whose decoders of some formats are fatal."""

    def __init__(self, place: Path) -> None:
        self.photos, self.store, self.calls = place / "photos", place / "store", place / "calls"
        (place / "code").mkdir()
        (place / "code" / "sitecustomize.py").write_text(PLUGIN)
        self.environment = {
            **os.environ,
            "TBHDUP_STORE": str(self.store),
            "PYTHONPATH": str(place / "code"),
            "CALLS": str(self.calls),
        }
        self.photos.mkdir()
        self.calls.touch()
        kinds = sorted(drawing.KINDS)
        for number in range(COUNT):
            picture = drawing.picture(kinds[number % len(kinds)], number, (96, 72))
            picture.save(self.photos / f"{number:03d}.jpg")

    def scan(self) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "tbhdup", "scan", str(self.photos), "--verify", "never", "--format", "jsonl"]
        return subprocess.run(command, capture_output=True, env=self.environment, timeout=120, check=False)

    def finished(self) -> tuple[dict[str, str], dict]:
        """A scan that gets to its end: its skips with their reasons, and its summary."""
        done = self.scan()
        assert done.returncode == 0, done.stderr.decode()
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        skips = {Path(line["path"]).name: line["reason"] for line in lines if line["type"] == "skip"}
        return skips, lines[-1]

    def tried(self) -> int:
        """Processes in which a fatal decoder was called so far."""
        return len(set(self.calls.read_text().split()))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_crash_costs_one_scan_and_one_file(scene: Scene) -> None:
    fatal = corpus.encoded("GIF")
    (scene.photos / "030 fatal.gif").write_bytes(fatal)
    assert scene.scan().returncode == -signal.SIGSEGV
    assert scene.tried() == 1
    with Store.open(scene.store, write=False) as store:
        assert store.check() == []

    skips, summary = scene.finished()
    assert skips == {"030 fatal.gif": "crashed"}
    assert summary["pictures"] == COUNT
    assert scene.tried() == 2  # in the other process

    skips, summary = scene.finished()
    assert skips == {"030 fatal.gif": "crashed"}
    assert summary["known"] == COUNT + 1
    assert summary["read"] == 0
    assert scene.tried() == 2  # remembered

    (scene.photos / "copy.gif").write_bytes(fatal)  # known by its content: no scan dies of a copy
    skips, summary = scene.finished()
    assert skips == {"030 fatal.gif": "crashed", "copy.gif": "crashed"}
    assert summary["read"] == 1
    with Store.open(scene.store) as store:
        assert store.check() == []
        details = [file.detail for file in store.files() if file.skip is not None]
    assert details == ["the decoder died: Segmentation fault"] * 2


def test_several_fatal_files_cost_no_more_scans_than_they_are(scene: Scene) -> None:
    photo = corpus.quarters()
    for number in range(2):
        (scene.photos / f"{20 * number:03d} a.gif").write_bytes(corpus.encode(photo.rotate(number), "GIF"))
        (scene.photos / f"{20 * number:03d} b.jp2").write_bytes(corpus.encode(photo.rotate(number), "JPEG2000"))
    died = 0
    while (status := scene.scan().returncode) != 0:
        assert status in (-signal.SIGSEGV, -signal.SIGABRT)
        died += 1
        assert died <= 4
    assert died >= 1
    skips, summary = scene.finished()
    assert skips == dict.fromkeys(("000 a.gif", "000 b.jp2", "020 a.gif", "020 b.jp2"), "crashed")
    assert summary["pictures"] == COUNT
    assert summary["read"] == 0


def test_a_file_that_was_mended_is_looked_at_again(scene: Scene) -> None:
    (scene.photos / "fatal.gif").write_bytes(corpus.encoded("GIF"))
    assert scene.scan().returncode == -signal.SIGSEGV
    assert scene.finished()[0] == {"fatal.gif": "crashed"}
    (scene.photos / "fatal.gif").write_bytes(corpus.encoded("PNG"))
    skips, summary = scene.finished()
    assert skips == {}
    assert summary["pictures"] == COUNT + 1
