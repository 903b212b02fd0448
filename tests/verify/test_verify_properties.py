"""What holds for every pair: warps are confirmed, the order does not matter, nothing raises, all is repeatable."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import drawing
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps
from verify_views import photos, view_of

from tbhdup.values import Verdict
from tbhdup.verify import VERSION, prove

kinds = st.sampled_from(drawing.PHOTOS)
seeds = st.integers(0, 10_000)


def test_warped_crops_are_confirmed() -> None:
    """Each kind of picture, cut, scaled, turned, mirrored: one in some hundred has too little detail left in common."""
    rng = np.random.default_rng(1)
    missed = []
    for number in range(100):
        image = drawing.picture(drawing.PHOTOS[number % len(drawing.PHOTOS)], number)
        side, scale, turn = rng.uniform((0.71, 0.5, -15), (1, 2, 15))
        mirror, quarter = bool(rng.integers(2)), int(rng.integers(4)) * 90
        left, top = rng.uniform(0, 1 - side, 2)
        w, h = image.size
        copy = image.crop((round(left * w), round(top * h), round((left + side) * w), round((top + side) * h)))
        copy = copy.resize((round(copy.width * scale), round(copy.height * scale)), Image.Resampling.BICUBIC)
        copy = ImageOps.mirror(copy) if mirror else copy
        copy = copy.rotate(quarter + turn, Image.Resampling.BICUBIC, expand=True)
        verdict = prove(view_of(image), view_of(copy))
        if verdict.relation is None:
            missed.append((number, verdict.reason))
        else:
            assert ("mirrored" in verdict.relation.words) == mirror, number
    assert len(missed) <= 2, missed


@settings(max_examples=20, deadline=None)
@given(a=st.tuples(kinds, seeds), b=st.tuples(kinds, seeds))
def test_two_different_pictures_are_never_one(a: tuple[str, int], b: tuple[str, int]) -> None:
    same = a == b
    first, second = view_of(drawing.picture(*a)), view_of(drawing.picture(*b))
    assert prove(first, second).accepted == prove(second, first).accepted == same


def _odd_pictures() -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return {
        "one pixel": np.zeros((1, 1, 3), np.uint8),
        "one row": rng.integers(0, 255, (1, 384, 3), np.uint8),
        "one column": rng.integers(0, 255, (384, 1, 3), np.uint8),
        "strip": rng.integers(0, 255, (25, 384, 3), np.uint8),
        "tiny": rng.integers(0, 255, (8, 8, 3), np.uint8),
        "small": rng.integers(0, 255, (30, 30, 3), np.uint8),
        "black": np.zeros((288, 384, 3), np.uint8),
        "white": np.full((288, 384, 3), 255, np.uint8),
        "noise": rng.integers(0, 255, (288, 384, 3), np.uint8),
        "chessboard": np.kron(np.indices((18, 24)).sum(0) % 2, np.ones((16, 16)))[..., None]
        .repeat(3, 2)
        .astype(np.uint8)
        * 255,
        "stripes": np.tile(np.arange(384) // 12 % 2 * 255, (288, 1))[..., None].repeat(3, 2).astype(np.uint8),
        "picture": np.asarray(drawing.picture("city", 0, (384, 288))),
    }


ODD = _odd_pictures()


@pytest.mark.parametrize("name", ODD)
def test_odd_pictures_never_raise(name: str) -> None:
    image = ODD[name]
    first = view_of(Image.fromarray(image))
    for other, pixels in ODD.items():
        second = view_of(Image.fromarray(pixels))
        verdict, back = prove(first, second), prove(second, first)
        assert verdict.accepted == back.accepted == (name == other)
        assert verdict.accepted or verdict.reason


def _verdicts(pairs: list[tuple[Image.Image, Image.Image]], threads: int) -> list[Verdict]:
    views = [(view_of(a), view_of(b)) for a, b in pairs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda pair: prove(*pair), views))


def test_verdicts_are_the_same_every_time_and_with_any_number_of_threads() -> None:
    images = photos()
    pairs = [(image, image.crop((40, 30, 400, 330)).rotate(5, expand=True)) for image in images]
    pairs += [(images[0], images[1]), (drawing.form(1, 2), drawing.form(1, 3))]
    expected = _verdicts(pairs, 1)
    assert [v.accepted for v in expected] == [True] * len(images) + [False] * 2
    before = cv2.getNumThreads()
    try:
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            assert _verdicts(pairs, 1) == expected
            assert _verdicts(pairs, 4) == expected
    finally:
        cv2.setNumThreads(before)


def test_a_view_shared_by_threads_computes_its_features_once() -> None:
    view = view_of(drawing.picture("leaves", 1))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: view.fine, range(32)))
    assert len(found[0]) > 100
    assert all(features is found[0] for features in found)


def test_importing_leaves_opencv_alone() -> None:
    import subprocess

    code = "import cv2; n = cv2.getNumThreads(); import tbhdup.verify; assert cv2.getNumThreads() == n"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_is_a_word() -> None:
    assert VERSION
    assert VERSION.isalnum()
