"""The first look: what is exact at a small size is proven without loading a picture; everything else is left open."""

from __future__ import annotations

from collections.abc import Callable

import drawing
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from verify_views import photos, saved, view_of

from tbhdup.verify import View, prove
from tbhdup.verify.view import GLANCE

Edit = Callable[[Image.Image], Image.Image]

WHOLE: dict[str, Edit] = {
    "re-encoded": lambda image: saved(image, 40),
    "resized": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BILINEAR),
    "mirrored": ImageOps.mirror,
    "turned 90": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "turned 180": lambda image: image.rotate(180),
    "inverted": ImageOps.invert,
    "grey": lambda image: image.convert("L").convert("RGB"),
    "tone changed": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
}


def blind(image: Image.Image, size: tuple[int, int] | None = None) -> View:
    """A view of which nothing but the square can be seen."""

    def refuse() -> np.ndarray:
        raise AssertionError("the picture was asked for")

    seen = view_of(image)
    return View(seen.square, size or seen.size, seen.drafted, refuse, lambda: b"")


@pytest.mark.parametrize("word", WHOLE)
def test_whole_copies_are_proven_unread(word: str) -> None:
    proven = 0
    for image in photos():
        copy = WHOLE[word](image)
        try:
            verdict = prove(blind(image), blind(copy))
        except AssertionError:
            continue
        assert verdict.accepted
        assert verdict.relation is not None
        assert word in verdict.relation.words
        proven += 1
    assert proven >= len(photos()) - 1


def test_a_small_thing_laid_over_is_told_or_looked_at_in_full() -> None:
    in_full = 0
    for image in photos():
        copy = image.copy()
        ImageDraw.Draw(copy).ellipse((200, 140, 240, 180), fill="red")
        try:
            verdict = prove(blind(image), blind(copy))
        except AssertionError as error:
            assert "asked for" in str(error)
            in_full += 1
            continue
        assert verdict.relation is not None
        assert verdict.relation.words == ("overlaid",)
    assert in_full


def test_a_thing_laid_over_an_exact_copy_is_told_unread() -> None:
    for image in photos():
        copy = image.copy()
        ImageDraw.Draw(copy).ellipse((200, 140, 270, 210), fill="red")
        assert prove(blind(image), blind(copy)).relation.words == ("overlaid",)


def test_what_covers_much_is_looked_at_in_full() -> None:
    for image in photos():
        copy = image.copy()
        ImageDraw.Draw(copy).rectangle((0, 0, image.width // 2, image.height), fill="red")
        with pytest.raises(AssertionError, match="asked for"):
            prove(blind(image), blind(copy))


def test_the_softer_one_of_two_is_told_unread() -> None:
    for image in photos():
        soft = image.filter(ImageFilter.GaussianBlur(3))
        assert "blurred" in prove(blind(image), blind(soft)).relation.words
        assert "blurred" not in prove(blind(soft), blind(image)).relation.words


def test_pages_are_never_taken_at_a_glance() -> None:
    page = drawing.form(1, 2)
    with pytest.raises(AssertionError, match="asked for"):
        prove(blind(page), blind(saved(page, 60)))


def test_pages_with_other_content_are_refused_at_a_glance() -> None:
    verdicts = []
    for content in range(2, 8):
        try:
            verdicts.append(prove(blind(drawing.form(1, 1)), blind(drawing.form(1, content))))
        except AssertionError:
            continue
    assert verdicts
    assert not any(verdict.accepted for verdict in verdicts)


def test_equal_squares_of_one_size_have_their_pixels_compared() -> None:
    image = photos()[0]
    assert prove(blind(image), blind(image)).relation.words == ("identical pixels",)
    assert prove(blind(image), blind(image, (10, 10))).reason == "too small to compare"


def test_a_square_of_another_side_is_brought_to_size() -> None:
    seen = view_of(photos()[0])
    large = View(np.asarray(photos()[0].resize((160, 160))), seen.size, False, seen._load, seen.pixels)
    assert large.glance.shape == (GLANCE, GLANCE)
    assert prove(large, seen).accepted
