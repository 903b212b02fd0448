"""Proofs in processes of their own: the same verdicts as in this one, and what they die of costs a pair."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations

import drawing
import pytest
from PIL import Image, ImageOps

from tbhdup import sources
from tbhdup.pipeline import provers
from tbhdup.pipeline.provers import Inquiry, Pair, Provers
from tbhdup.pipeline.views import ABSENT, Unseen, Views
from tbhdup.values import Digest, Verdict


class Files:
    """Contents in memory; some have thumbnails, some have lost their files."""

    def __init__(self) -> None:
        self.kept: dict[Digest, bytes] = {}
        self.thumbnails: dict[Digest, bytes] = {}
        self.asked: list[Digest] = []

    def add(self, data: bytes, with_thumbnail: bool = True) -> Digest:
        digest = sources.digest(data)
        self.kept[digest] = data
        if with_thumbnail:
            seen = sources.see(data, sources.SMALL)
            self.thumbnails[digest] = sources.pack_thumbnail(seen.picture, seen.small)
        return digest

    def thumbnail(self, digest: Digest) -> bytes | None:
        return self.thumbnails.get(digest)

    def data(self, digest: Digest) -> bytes:
        self.asked.append(digest)
        if digest not in self.kept:
            raise Unseen("no file of it is there")
        return self.kept[digest]


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return data.getvalue()


@pytest.fixture(scope="module")
def files() -> Files:
    found = Files()
    for seed in range(3):
        image = drawing.picture("city", seed, (320, 240))
        found.add(jpeg(image))
        found.add(jpeg(image.crop((30, 20, 290, 220))), with_thumbnail=seed != 1)
        found.add(jpeg(ImageOps.mirror(image), 50))
    return found


def settled(opened: Provers, pairs: Sequence[Pair], at_once: int = 5) -> list[Verdict]:
    """The verdicts of pairs, asked for by two inquiries, a few at once."""
    verdicts: dict[Pair, Verdict] = {}

    def inquiry(pairs: Sequence[Pair]) -> Inquiry:
        for start in range(0, len(pairs), at_once):
            asked = pairs[start : start + at_once]
            verdicts.update(zip(asked, (yield asked), strict=True))

    opened.settle([inquiry(pairs[::2]), inquiry(pairs[1::2])])
    return [verdicts[pair] for pair in pairs]


def proven(files: Files, pairs: Sequence[Pair], threads: int) -> list[Verdict]:
    with Provers(files, threads, many=False) as opened:
        return settled(opened, pairs)


def test_processes_say_what_this_process_says(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = list(combinations(sorted(files.kept), 2))
    here = proven(files, pairs, 1)
    assert 6 <= sum(verdict.accepted for verdict in here) <= 9
    monkeypatch.setattr(provers, "FEW", 0)
    with Provers(files, 2, many=False) as opened:
        there = settled(opened, pairs)
        assert len(opened._processes) == 2
        assert settled(opened, pairs[:3]) == here[:3]
    assert there == here
    assert all(process._running is None for process in opened._processes)


def test_where_many_pairs_are_expected_processes_start_before_the_first(files: Files) -> None:
    pairs = list(combinations(sorted(files.kept), 2))[:4]
    with Provers(files, 2, many=True) as opened:
        assert len(opened._processes) == 2
        verdicts = settled(opened, pairs)
    assert all(process._running is None for process in opened._processes)
    assert verdicts == proven(files, pairs, 1)
    with Provers(files, 1, many=True) as opened:  # one thread: nothing to prove side by side
        assert settled(opened, pairs) == verdicts
        assert opened._processes == []


def test_a_place_without_an_inquiry_helps_another(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provers, "FEW", 0)
    pairs = list(combinations(sorted(files.kept), 2))
    with Provers(files, 2, many=False) as opened:
        verdicts: list[Verdict] = []

        def alone() -> Inquiry:
            verdicts.extend((yield pairs))

        opened.settle([alone()])
        assert all(process._ready for process in opened._processes)
    assert verdicts == proven(files, pairs, 1)


def test_few_pairs_start_no_process(files: Files) -> None:
    pairs = list(combinations(sorted(files.kept), 2))[:4]
    with Provers(files, 2, many=False) as opened:
        assert settled(opened, []) == []
        assert len(settled(opened, pairs)) == 4
        assert opened._processes == []


def test_exact_copies_are_proven_though_their_files_are_gone(files: Files) -> None:
    first, crop, mirrored = list(files.kept)[:3]
    away = Files()
    away.thumbnails = dict(files.thumbnails)
    for copy, words in ((mirrored, ("mirrored",)), (crop, ("cropped",))):
        (verdict,) = proven(away, [(first, copy)], 1)
        assert verdict.accepted
        assert verdict.relation is not None
        assert verdict.relation.words == words
    assert away.asked == []
    covered = drawing.picture("city", 0, (320, 240))
    covered.paste("red", (0, 0, 160, 240))
    overlaid = away.add(jpeg(covered))
    del away.kept[overlaid]
    (verdict,) = proven(away, [(first, overlaid)], 1)
    assert not verdict.accepted
    assert verdict.reason == f"{ABSENT}: no file of it is there"


@pytest.mark.parametrize("few", [0, 100])
def test_what_cannot_be_seen_is_told(files: Files, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(provers, "FEW", few)
    mixed = Files()
    whole = mixed.add(next(iter(files.kept.values())), with_thumbnail=False)
    broken = mixed.add(b"\xff\xd8\xff\xe0 no more than that", with_thumbnail=False)
    damaged = mixed.add(jpeg(drawing.picture("fruit", 1)), with_thumbnail=False)
    mixed.thumbnails[damaged] = b"no thumbnail"
    gone = b"g" * 16
    reasons = [verdict.reason for verdict in proven(mixed, [(whole, gone), (whole, broken), (damaged, whole)], 2)]
    assert reasons[0] == f"{ABSENT}: no file of it is there"
    assert reasons[1].startswith(ABSENT)
    assert ABSENT not in reasons[2]


def test_a_process_that_dies_costs_its_pair_and_is_replaced(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provers, "FEW", 0)
    pairs = list(combinations(sorted(files.kept), 2))
    with Provers(files, 2, many=False) as opened:
        before = settled(opened, pairs)
        for process in opened._processes:
            assert process._running is not None
            os.kill(process._running.pid, signal.SIGKILL)
            process._running.wait()
        after = settled(opened, pairs)
    lost = [verdict for verdict in after if verdict.reason.startswith(f"{ABSENT}: the proof died: Killed")]
    assert len(lost) == 2
    assert sum(a == b for a, b in zip(after, before, strict=True)) == len(pairs) - 2


def test_where_no_process_can_live_this_one_proves(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = list(combinations(sorted(files.kept), 2))[:6]
    expected = proven(files, pairs, 1)
    monkeypatch.setattr(provers, "FEW", 0)
    for command in (["/no/such/python"], [sys.executable, "-c", "raise SystemExit(3)"]):
        monkeypatch.setattr(provers.processes, "command", lambda *_, command=command: command)
        assert proven(files, pairs, 2) == expected


def test_an_error_in_a_process_reaches_the_scan(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provers, "FEW", 0)
    code = (
        "from tbhdup.pipeline import provers\n"
        "def fail(*pair): raise ZeroDivisionError('in the proof')\n"
        "provers.Views.prove = fail\n"
        "import sys; sys.argv = ['', '4']; provers.main()"
    )
    monkeypatch.setattr(provers.processes, "command", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(RuntimeError, match="in the proof"):
        proven(files, list(combinations(sorted(files.kept), 2))[:2], 2)


def test_the_other_process_ends_with_its_input() -> None:
    done = subprocess.run(
        provers.processes.command("tbhdup.pipeline.provers", "4"), input=b"", capture_output=True, check=False
    )
    assert done.returncode == 0


def test_views_keep_no_more_than_they_are_told(files: Files) -> None:
    views = Views(files, 2)
    for digest in files.kept:
        views.get(digest)
    assert len(views._kept) == 2
