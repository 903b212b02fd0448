from __future__ import annotations

import drawing
import numpy as np
import pytest
from PIL import Image

from tbhdup.training.edits import spin
from tbhdup.training.views import view

PLAIN = (200, 90, 30)


@pytest.mark.parametrize("size", [(120, 80), (80, 120), (100, 100)])
def test_a_picture_that_is_turned_and_cut_out_has_no_corners(size: tuple[int, int]) -> None:
    turned = [spin(Image.new("RGB", size, PLAIN), np.random.default_rng(seed)) for seed in range(150)]
    cut = [image for image in turned if image.width < size[0] and image.height < size[1]]
    grown = [image for image in turned if image.width > size[0] or image.height > size[1]]
    assert len(cut) > 40
    assert len(grown) > 40
    for image in cut:
        other = (np.abs(np.asarray(image, np.int16) - PLAIN) > 1).any(axis=2)
        assert other.sum() <= 4  # a corner's own pixel may be rounded off
        assert abs(image.width / image.height / (size[0] / size[1]) - 1) < 0.1
    assert sum(len(image.getcolors() or "") > 1 for image in grown) > 35


def test_spun_views_are_others_and_the_rest_are_drawn_as_before() -> None:
    image, other = (drawing.picture("city", seed, (160, 120)) for seed in (1, 2))

    def views(spun: float) -> list[bytes]:
        return [view(image, np.random.default_rng(seed), other, 64, 1.0, spun).tobytes() for seed in range(12)]

    assert views(0.0) == [view(image, np.random.default_rng(seed), other, 64, 1.0).tobytes() for seed in range(12)]
    assert sum(a != b for a, b in zip(views(0.0), views(1.0), strict=True)) == 12
