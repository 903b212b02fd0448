"""Pictures looked at in processes of their own: the same as in this one, and what they die of costs one picture."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import corpus
import drawing
import numpy as np
import pytest
from PIL import Image

import tbhdup
from tbhdup import sources
from tbhdup.model.record import BATCH
from tbhdup.pipeline import lookers
from tbhdup.pipeline.index import index
from tbhdup.pipeline.lookers import FEW, Look, Lookers
from tbhdup.sources import Disk
from tbhdup.store import Store
from tbhdup.values import Digest, Reason, quiet

SIDE = 96


class Watch:
    """Notes what is decoded in this process."""

    def __init__(self) -> None:
        self.seen: list[Digest] = []

    @contextmanager
    def __call__(self, digest: Digest):
        self.seen.append(digest)
        yield


@pytest.fixture(scope="module")
def contents() -> dict[Digest, bytes]:
    pictures = [corpus.encode(drawing.picture("city", seed, (160, 120)), "PNG") for seed in range(4)]
    datas = [*pictures, corpus.encoded("GIF"), b"\xff\xd8\xff\xe0 no more than that"]
    return {sources.digest(data): data for data in datas}


def looked(contents: dict[Digest, bytes], pictures: int, threads: int) -> tuple[list[object], int]:
    watch = Watch()
    with Lookers(SIDE, pictures, threads, watch) as opened:
        found = opened.look(contents)
        assert opened.look({}) == {}
    assert list(found) == list(contents)
    return list(found.values()), len(watch.seen)


def plain(look: object) -> object:
    if isinstance(look, Look):
        return [square.tobytes() for square in look.squares], look[1:]
    assert isinstance(look, sources.Unusable)
    return look.reason, look.detail


def test_processes_see_what_this_process_sees(contents: dict[Digest, bytes]) -> None:
    here, watched = looked(contents, FEW, 2)
    assert watched == len(contents)
    assert [isinstance(look, Look) for look in here] == [True] * 5 + [False]
    there, watched = looked(contents, FEW + 1, 2)
    assert watched == 0
    assert list(map(plain, there)) == list(map(plain, here))
    assert looked(contents, FEW + 1, 1)[1] == len(contents)  # one thread: nothing to do side by side


def test_what_a_process_dies_of_costs_one_picture(
    contents: dict[Digest, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = looked(contents, FEW + 1, 2)
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nfrom PIL import Image, ImageFile\n"
        "class Fatal(ImageFile.PyDecoder):\n    def decode(self, buffer):\n        os.abort()\n"
        "Image.register_decoder('gif', Fatal)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    after, _ = looked(contents, FEW + 1, 2)
    crashed = after.pop(4)
    assert isinstance(crashed, sources.Unusable)
    assert crashed.reason is Reason.CRASHED
    assert "Aborted" in crashed.detail
    del before[4]
    assert list(map(plain, after)) == list(map(plain, before))


def test_where_no_process_can_live_this_one_looks(
    contents: dict[Digest, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (["/no/such/python"], [sys.executable, "-c", "raise SystemExit(3)"]):
        monkeypatch.setattr(lookers.processes, "command", lambda *_, command=command: command)
        looks, watched = looked(contents, FEW + 1, 2)
        assert watched == len(contents)
        assert sum(isinstance(look, Look) for look in looks) == 5


def test_processes_that_are_killed_between_chunks_are_replaced(contents: dict[Digest, bytes]) -> None:
    with Lookers(SIDE, FEW + 1, 2, Watch()) as opened:
        first = opened.look(contents)
        assert opened._free is not None
        for _ in range(2):
            process = opened._free.get()
            assert process._running is not None
            os.kill(process._running.pid, signal.SIGKILL)
            process._running.wait()
            opened._free.put(process)
        again = opened.look(contents)
    assert list(map(plain, again.values())) == list(map(plain, first.values()))


def test_pictures_are_looked_at_while_the_network_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 8 * BATCH
    for number in range(count):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / f"{number}.png")
    looked_at, enough = 0, threading.Event()
    look = Lookers.look

    def watched(opened: Lookers, contents: dict[Digest, bytes]) -> dict[Digest, Look | sources.Unusable]:
        nonlocal looked_at
        found = look(opened, contents)
        looked_at += len(found)
        if looked_at >= count:
            enough.set()
        return found

    class Encoder:
        def __init__(self) -> None:
            assert enough.wait(60)

        def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.zeros(len(pixels), np.uint64), np.zeros((len(pixels), 128), np.int8)

    monkeypatch.setattr(Lookers, "look", watched)
    with Store.open(tmp_path / "store") as store:
        seen = index(Disk([os.fsencode(tmp_path)]), store, "model", SIDE, Encoder, 2, quiet)
    assert (seen.decoded, seen.encoded) == (count, count)


def test_a_scan_of_many_files_is_that_of_few(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(FEW + 6):
        drawing.picture("fruit", number % 40, (120 + number // 40, 90)).save(photos / f"{number:03d}.jpg")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more than that")
    first, second = (
        tbhdup.scan([photos], store=tmp_path / f"store{threads}", options=tbhdup.Options(threads=threads))
        for threads in (1, 2)
    )
    assert first.groups == second.groups
    assert len(first.skips) == 1
    assert first.skips == second.skips
    assert first.summary.decoded == second.summary.decoded == FEW + 6
