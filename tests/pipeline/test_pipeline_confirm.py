"""Which pairs are proven: a small scan whose largest picture is a framed copy."""

from __future__ import annotations

from pathlib import Path

import drawing
import numpy as np
from PIL import Image, ImageOps

import tbhdup
from tbhdup.pipeline.confirm import _likely_centres
from tbhdup.search.candidates import CANDIDATE


def test_the_likely_centre_is_nearest_to_most_candidates_then_first_by_rank() -> None:
    digests = [bytes([number]) * 16 for number in range(4)]
    rank = {digest: (-number,) for number, digest in enumerate(digests)}
    found = np.array([(0, 1, 0, 0.9), (1, 2, 0, 0.8), (1, 3, 0, 0.7)], CANDIDATE)
    order = _likely_centres(found, digests, rank)
    assert sorted(digests, key=order.__getitem__) == [digests[1], digests[0], digests[2], digests[3]]
    none = _likely_centres(found[:0], digests, rank)
    assert sorted(digests, key=none.__getitem__) == digests[::-1]


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
