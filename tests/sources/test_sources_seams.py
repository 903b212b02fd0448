"""The pictures in a picture: what was put together or framed falls apart at its seams."""

from __future__ import annotations

import io

import drawing
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps

from tbhdup import sources
from tbhdup.sources.seams import LEAST_AREA, MOST_PARTS, WHOLE, Box, parts

SIDE = 128
SEEDS = range(12)
KINDS = list(drawing.KINDS)


def drawn(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    return drawing.picture(KINDS[seed % len(KINDS)], seed, size)


def squeezed(image: Image.Image, side: int = SIDE) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0))


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = max(0.0, min(a.right, b.right) - max(a.left, b.left))
    height = max(0.0, min(a.bottom, b.bottom) - max(a.top, b.top))
    areas = sum((box.right - box.left) * (box.bottom - box.top) for box in (a, b))
    return width * height / (areas - width * height)


def beside(a: Image.Image, b: Image.Image, gap: int) -> tuple[Image.Image, Box]:
    out = Image.new("RGB", (a.width + gap + b.width, a.height), "white")
    out.paste(a, (0, 0))
    out.paste(b, (a.width + gap, 0))
    return out, Box(0, 0, a.width / out.width, 1)


def below(a: Image.Image, b: Image.Image, gap: int) -> tuple[Image.Image, Box]:
    out = Image.new("RGB", (a.width, a.height + gap + b.height), "black")
    out.paste(a, (0, 0))
    out.paste(b, (0, a.height + gap))
    return out, Box(0, 0, 1, a.height / out.height)


def barred(a: Image.Image, b: Image.Image, gap: int) -> tuple[Image.Image, Box]:
    out = Image.new("RGB", (a.width, a.height + 120), "white")
    out.paste(a, (0, 50))
    return out, Box(0, 50 / out.height, 1, (50 + a.height) / out.height)


def framed(a: Image.Image, b: Image.Image, gap: int) -> tuple[Image.Image, Box]:
    out = ImageOps.expand(a, 40, "navy")
    x, y = 40 / out.width, 40 / out.height
    return out, Box(x, y, 1 - x, 1 - y)


@pytest.mark.parametrize("make", [beside, below, barred, framed])
def test_what_was_put_together_is_found_again(make) -> None:
    found = []
    for seed in SEEDS:
        image, part = make(drawn(seed), drawn(seed + 101), 6 * (seed % 2))
        found.append(any(overlap(part, box) > 0.75 for box in parts(squeezed(image))))
    assert np.mean(found) >= 0.6


def test_four_pictures_fall_into_quarters() -> None:
    found, gap = [], 6
    for seed in SEEDS:
        out = Image.new("RGB", (480 + gap, 360 + gap), "white")
        for number in range(4):
            out.paste(drawn(seed + 20 * number), (number % 2 * (240 + gap), number // 2 * (180 + gap)))
        pieces = parts(squeezed(out))
        quarters = [Box(x, y, x + 0.5, y + 0.5) for x in (0, 0.5) for y in (0, 0.5)]
        found.append(all(max((overlap(quarter, box) for box in pieces), default=0) > 0.75 for quarter in quarters))
    assert np.mean(found) >= 0.6


def test_most_pictures_are_in_one_piece() -> None:
    pieces = [len(parts(squeezed(drawn(seed)))) for seed in range(40)]
    assert np.mean([count > 0 for count in pieces]) <= 0.2


def test_a_picture_of_one_colour_has_no_parts() -> None:
    assert parts(np.full((SIDE, SIDE, 3), 77, np.uint8)) == []


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 8),
    arrays.arrays(np.uint8, (16, 16, 3), elements=st.sampled_from([0, 40, 90, 200, 255])),
)
def test_parts_lie_inside_and_apart(scale: int, blocks: np.ndarray) -> None:
    pixels = np.kron(blocks[: 2 * scale, : 2 * scale], np.ones((SIDE // (2 * scale) + 1,) * 2 + (1,), np.uint8))
    found = parts(np.ascontiguousarray(pixels[:SIDE, :SIDE]))
    assert len(found) <= MOST_PARTS
    assert len(found) != 1 or found[0] != WHOLE
    areas = [(box.right - box.left) * (box.bottom - box.top) for box in found]
    assert areas == sorted(areas, reverse=True)
    assert sum(areas) <= 1 + 1e-9
    for box, area in zip(found, areas, strict=True):
        assert area >= LEAST_AREA
        assert 0 <= box.left < box.right <= 1
        assert 0 <= box.top < box.bottom <= 1
    assert all(overlap(a, b) < 1e-9 for at, a in enumerate(found) for b in found[:at])


@pytest.mark.parametrize("side", [96, 128, 160])
def test_what_is_seen_of_a_file_is_the_whole_and_its_parts(side: int) -> None:
    left, right = drawn(3), drawn(104)
    image, _ = beside(left, right, 0)
    data = io.BytesIO()
    image.save(data, "PNG")
    picture, small, (whole, *pieces) = sources.see(data.getvalue(), side)
    assert (picture.width, picture.height, picture.format) == (*image.size, "PNG")
    assert np.array_equal(small, sources.square(picture, sources.SMALL))
    assert np.array_equal(whole, sources.square(picture, side))
    assert len(pieces) == 2
    near = [
        min(np.abs(piece.astype(int) - squeezed(part, side).astype(int)).mean() for piece in pieces)
        for part in (left, right)
    ]
    assert max(near) < 14
