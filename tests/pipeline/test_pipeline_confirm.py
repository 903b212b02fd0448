"""Which pairs are proven: a small scan whose largest picture is a framed copy."""

from __future__ import annotations

from pathlib import Path

import drawing
import numpy as np
from PIL import Image, ImageOps

import tbhdup
from tbhdup.pipeline.confirm import _likely_centres, _neighbourhoods, _Parts
from tbhdup.search.candidates import CANDIDATE
from tbhdup.store import PICTURE
from tbhdup.values import Verdict


def test_the_likely_centre_is_nearest_to_most_candidates_then_first_by_rank() -> None:
    digests = [bytes([number]) * 16 for number in range(4)]
    rank = {digest: (-number,) for number, digest in enumerate(digests)}
    pictures = np.zeros(4, PICTURE)
    for row, (x, y) in zip(pictures, [(60, 80), (100, 0), (80, 60), (50, -86)], strict=True):
        row["latent"][:2] = x, y
    # The fourth is a candidate of all others, but only for a part: as a whole it is far from them.
    found = np.array([(0, 2, 0, 0.96), (1, 2, 0, 0.8), (0, 3, 0, 0.99), (1, 3, 0, 0.99), (2, 3, 0, 0.99)], CANDIDATE)
    order = _likely_centres(found, pictures, digests, rank)
    assert sorted(digests, key=order.__getitem__) == [digests[2], digests[0], digests[1], digests[3]]
    none = _likely_centres(found[:0], pictures, digests, rank)
    assert sorted(digests, key=none.__getitem__) == digests[::-1]


def test_a_neighbourhood_asks_for_its_centres_in_turn_and_for_the_nearest_of_each_first() -> None:
    digests = [bytes([number]) * 16 for number in range(6)]
    rank = {digest: (number,) for number, digest in enumerate([digests[k] for k in (2, 5, 0, 1, 3, 4)])}
    pairs = [(0, 1, 0, 0.9), (0, 2, 0, 0.7), (1, 2, 0, 0.8), (3, 5, 0, 0.6), (4, 5, 0, 0.7)]
    first, second = _neighbourhoods(np.array(pairs, CANDIDATE), digests, rank)
    assert list(first) == [(digests[i], digests[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    assert list(second) == [(digests[i], digests[j]) for i, j in ((4, 5), (3, 5))]
    assert list(first.values()) == [np.float32(0.8), np.float32(0.7), np.float32(0.9)]
    (whole,) = _neighbourhoods(np.array([*pairs, (2, 5, 0, 0.5)], CANDIDATE), digests, rank)
    assert list(whole)[:3] == [(digests[i], digests[j]) for i, j in ((1, 2), (0, 2), (2, 5))]


A, B, C, D = (bytes([number]) * 16 for number in range(4))
REFUSED = Verdict(False, 1.0, None, "no map between them")


def two_parts(near: dict[tuple[bytes, bytes], float], roots: float) -> _Parts:
    """A and B are connected, and C and D; candidates have a cosine of 0.5 at least, the roots A and C this one."""
    parts = _Parts({x: (number,) for number, x in enumerate((A, B, C, D))}, frozenset(), near, 0.5, lambda *_: roots)
    parts.note((A, B), Verdict(True, 1.0, None))
    parts.note((C, D), Verdict(True, 1.0, None))
    return parts


def test_only_a_close_pair_is_asked_for_after_the_centres_were_refused() -> None:
    for cosine, asked in ((0.7, []), (0.8, [(B, C)])):
        parts = two_parts({(B, C): cosine, (B, D): 0.6}, 0.6)
        assert parts.choose([(B, C), (B, D)], 1)[0] == [(A, C)]
        parts.note((A, C), REFUSED)
        assert parts.choose([(B, D), (B, C)], 1)[0] == asked
        parts.note((B, C), REFUSED)
        assert parts.choose([(B, D), (B, C)], 1)[0] == []


def test_centres_that_are_no_candidates_are_asked_for_only_where_a_pair_is_near_enough_for_both() -> None:
    assert two_parts({(B, C): 0.6}, 0.39).choose([(B, C)], 1) == ([], [])
    assert two_parts({(B, C): 0.6}, 0.41).choose([(B, C)], 1)[0] == [(A, C)]
    assert two_parts({(B, C): 0.6, (A, C): 0.5}, 0.39).choose([(B, C)], 1)[0] == [(A, C)]


def test_copies_are_told_from_the_original_not_from_its_largest_copy(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    original = drawing.picture("city", 3, (480, 360))
    original.save(photos / "original.png")
    ImageOps.expand(original, 40, "white").resize((1120, 880), Image.Resampling.LANCZOS).save(photos / "framed.png")
    for quality in (40, 60, 80):
        original.save(photos / f"q{quality}.jpg", quality=quality)
    ImageOps.mirror(original).save(photos / "mirrored.png")
    (group,) = tbhdup.scan([photos], store=tmp_path / "store").groups
    relations = {member.path.rpartition(b"/")[2].decode(): member.relation for member in group.members}
    assert len(relations) == 6
    assert "cropped" not in relations["mirrored.png"]
    assert all("cropped" not in relations[f"q{quality}.jpg"] for quality in (40, 60, 80))


def test_the_halves_of_a_collage_are_found_and_do_not_join_their_pictures(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    left, right = drawing.picture("city", 5, (480, 360)), drawing.picture("landscape", 6, (480, 360))
    for name, image in (("left", left), ("right", right)):
        image.save(photos / f"{name}.png")
    collage = Image.new("RGB", (960, 360))
    collage.paste(left, (0, 0))
    collage.paste(right, (480, 0))
    collage.save(photos / "collage.jpg", quality=85)
    report = tbhdup.scan([photos], store=tmp_path / "store")
    assert report.summary.candidates >= 2
    (group,) = report.groups
    names = {member.path.rpartition(b"/")[2] for member in group.members}
    assert b"collage.jpg" in names
    assert len(names) == 2
    hits = tbhdup.similar([photos / "collage.jpg"], store=tmp_path / "store", limit=2)[0]
    assert {hit.path.rpartition(b"/")[2] for hit in hits} == {b"left.png", b"right.png"}


def test_every_candidate_is_proven_where_that_is_asked_for(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    original = drawing.picture("city", 3, (480, 360))
    for quality in (30, 50, 70, 90):
        original.save(photos / f"q{quality}.jpg", quality=quality)
    auto = tbhdup.scan([photos], store=tmp_path / "one").summary
    always = tbhdup.scan([photos], store=tmp_path / "two", options=tbhdup.Options(verify="always")).summary
    assert auto.candidates == always.candidates == always.proven == 6
    assert 3 <= auto.proven < 6


def test_an_outcome_is_used_again_until_what_it_hangs_on_changes(tmp_path: Path) -> None:
    photos, store = tmp_path / "photos", tmp_path / "store"
    photos.mkdir()
    original = drawing.picture("city", 3, (480, 360))
    for quality in (30, 60, 90):
        original.save(photos / f"q{quality}.jpg", quality=quality)
    stages: list[str] = []

    def scan(**options: object) -> tbhdup.Report:
        stages.clear()
        return tbhdup.scan(
            [photos], store=store, options=tbhdup.Options(**options), on_progress=lambda p: stages.append(p.stage)
        )

    first = scan()
    assert "search" in stages
    again = scan()
    assert "search" not in stages
    assert again.groups == first.groups
    assert (again.summary.proven, again.summary.recalled) == (0, first.summary.proven)
    assert again.summary.candidates == first.summary.candidates
    assert tbhdup.report(store=store).groups == first.groups

    scan(cosine=0.9)
    assert "search" in stages
    tbhdup.mark(photos / "q30.jpg", photos / "q90.jpg", store=store)
    assert len(scan().groups[0].members) == 2
    assert "search" in stages
    ImageOps.mirror(original).save(photos / "mirrored.png")
    assert len(scan().groups[0].members) == 3
    assert "search" in stages


def test_an_outcome_is_not_kept_while_a_file_is_away(tmp_path: Path) -> None:
    """Two pages: thumbnails do not settle them, so that the proof reads files."""
    photos, store = tmp_path / "photos", tmp_path / "store"
    photos.mkdir()
    page = drawing.picture("page", 3, (480, 360))
    for quality in (60, 90):
        page.save(photos / f"q{quality}.jpg", quality=quality)
    tbhdup.scan([photos], store=store, options=tbhdup.Options(verify="never"))
    photos.rename(tmp_path / "elsewhere")
    assert not tbhdup.report(store=store).groups
    (tmp_path / "elsewhere").rename(photos)
    assert len(tbhdup.report(store=store).groups) == 1
