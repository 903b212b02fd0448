"""Pictures that look alike and are not one picture."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import drawing
import numpy as np
import pytest
from PIL import Image, ImageOps
from verify_views import saved, view_of

from tbhdup.verify import View, prove


@pytest.mark.parametrize("template", [drawing.form, drawing.slide, drawing.chat])
def test_one_template_with_other_content_is_not_one_picture(template: Callable[[int, int], Image.Image]) -> None:
    for layout in range(3):
        views = [view_of(template(layout, content)) for content in range(4)]
        for a, b in combinations(views, 2):
            assert not prove(a, b).accepted


def test_chats_whose_bubbles_happen_to_lie_alike_are_not_one_picture() -> None:
    """Found among the pairs of 1,000 screens: on plain ground the edges of bubbles agree whatever they hold."""
    for content, other in ((12, 391), (46, 164), (61, 482), (161, 575)):
        assert not prove(view_of(drawing.chat(3, content)), view_of(drawing.chat(3, other))).accepted


def _captioned(image: Image.Image, words: str) -> Image.Image:
    canvas = Image.new("RGB", (image.width, image.height + 90), (250, 240, 220))
    canvas.paste(image, (0, 90))
    drawing.ImageDraw.Draw(canvas).text((20, 15), words, (40, 20, 20), drawing._font(40))
    return canvas


def test_one_caption_bar_over_other_pictures_is_not_one_picture() -> None:
    views = [view_of(_captioned(drawing.picture(kind, 4), "kettle by the jetty")) for kind in drawing.PHOTOS]
    for a, b in combinations(views, 2):
        assert not prove(a, b).accepted


def test_one_picture_under_other_captions_is_one_picture_overlaid() -> None:
    image = drawing.picture("fruit", 9)
    verdict = prove(view_of(_captioned(image, "marble quarry")), view_of(_captioned(image, "yew and fern, north")))
    assert verdict.accepted
    assert verdict.relation is not None
    assert "overlaid" in verdict.relation.words


def test_one_frame_around_other_pictures_is_not_one_picture() -> None:
    frames = []
    for kind in drawing.PHOTOS:
        frame = drawing.picture("leaves", 1)
        frame.paste(drawing.picture(kind, 8, (360, 270)), (60, 45))
        frames.append(view_of(frame))
    for a, b in combinations(frames, 2):
        assert not prove(a, b).accepted


def test_two_collages_with_a_picture_in_common_only_share_a_part() -> None:
    left, right, third = (drawing.picture(kind, 5, (320, 240)) for kind in ("city", "fruit", "landscape"))
    collages = []
    for pair in ((left, right), (left, third)):
        canvas = Image.new("RGB", (640, 240))
        for k, image in enumerate(pair):
            canvas.paste(image, (320 * k, 0))
        collages.append(view_of(canvas))
    assert not prove(*collages).accepted
    moved = Image.new("RGB", (640, 240))
    moved.paste(third, (0, 0))
    moved.paste(left, (320, 0))
    verdict = prove(collages[0], view_of(moved))
    assert not verdict.accepted
    assert "part" in verdict.reason


def test_different_pictures_of_one_kind_are_not_one_picture() -> None:
    for kind in drawing.KINDS:
        views = [view_of(drawing.picture(kind, seed)) for seed in range(4)]
        for a, b in combinations(views, 2):
            verdict = prove(a, b)
            assert not verdict.accepted
            assert verdict.reason
            assert verdict.relation is None


def _soft(level: int) -> Image.Image:
    ramp = np.linspace(level, level + 6, 300)[None, :, None] + np.zeros((200, 300, 3))
    return Image.fromarray(ramp.astype(np.uint8))


@pytest.mark.parametrize("image", [Image.new("RGB", (300, 200), (250, 250, 250)), _soft(100), _soft(10)])
def test_near_blank_pictures_match_as_identical_pixels_only(image: Image.Image) -> None:
    same = prove(view_of(image), view_of(image.copy()))
    assert same.accepted
    assert same.relation is not None
    assert same.relation.words == ("identical pixels",)
    touched = image.copy()
    touched.putpixel((3, 3), (0, 0, 0))
    for other in (touched, ImageOps.mirror(touched), image.resize((150, 100))):
        verdict = prove(view_of(image), view_of(other))
        assert not verdict.accepted
        assert "detail" in verdict.reason


def _with_pixels(view: View, pixels: Callable[[], bytes]) -> View:
    return View(view.square, view.size, view.drafted, lambda: view.image, pixels)


def test_pixels_are_read_only_when_they_could_be_equal() -> None:
    def never() -> bytes:
        raise AssertionError("asked for the pixels")

    a, b = view_of(drawing.picture("city", 1)), view_of(drawing.picture("fruit", 1))
    assert not prove(_with_pixels(a, never), _with_pixels(b, never)).accepted
    larger = View(a.square, (a.size[0] * 2, a.size[1] * 2), False, lambda: a.image, never)
    assert prove(_with_pixels(a, never), larger).accepted


def test_pixels_that_cannot_be_read_are_not_confirmed() -> None:
    def broken() -> bytes:
        raise OSError("the disk is gone")

    textured = view_of(drawing.picture("leaves", 2))
    verdict = prove(textured, _with_pixels(textured, broken))
    assert verdict.accepted
    assert verdict.relation is not None
    assert verdict.relation.words == ("re-encoded",)
    blank = view_of(Image.new("RGB", (300, 200), (9, 9, 9)))
    verdict = prove(blank, _with_pixels(blank, broken))
    assert not verdict.accepted
    assert "the disk is gone" in verdict.reason


def _lit_unevenly(sheet: Image.Image, least: float) -> Image.Image:
    """Paper that gets darker towards its right end, to so much of its light."""
    light = np.interp(np.arange(sheet.width), (0.4 * sheet.width, sheet.width), (1.0, least))
    return Image.fromarray((np.asarray(sheet.convert("RGB")) * light[None, :, None]).astype(np.uint8))


@pytest.mark.parametrize("least", [0.8, 0.7])
def test_forms_that_are_lit_unevenly_are_pages(least: float) -> None:
    """Two of them must not pass as one form with something laid over."""
    shaded = view_of(_lit_unevenly(drawing.form(1, 2), least))
    assert shaded.ground[1] < 0.5
    assert shaded.is_page
    for content in range(3, 7):
        other = drawing.form(1, content)
        assert not prove(shaded, view_of(other)).accepted
        assert not prove(shaded, view_of(_lit_unevenly(other, least))).accepted
    assert prove(shaded, view_of(saved(_lit_unevenly(drawing.form(1, 2), least)))).accepted


@pytest.mark.parametrize("kind", drawing.PHOTOS)
def test_a_photograph_is_no_page_however_it_is_lit(kind: str) -> None:
    for seed in range(4):
        assert not view_of(drawing.picture(kind, seed)).is_page
        assert not view_of(_lit_unevenly(drawing.picture(kind, seed), 0.5)).is_page


def test_a_thing_on_plain_ground_is_no_page() -> None:
    """What was laid over a product shot is something laid over; what is written on a page is its content."""
    thing = Image.new("RGB", (480, 400), "white")
    thing.paste(drawing.picture("leaves", 4).resize((300, 220)), (60, 60))
    assert view_of(thing).ground[1] > 0.5
    assert not view_of(thing).is_page
    stuck = thing.copy()
    stuck.paste((200, 30, 30), (300, 220, 420, 330))
    verdict = prove(view_of(thing), view_of(stuck))
    assert verdict.accepted
    assert verdict.relation is not None
    assert "overlaid" in verdict.relation.words


@pytest.mark.parametrize("kind", drawing.PHOTOS)
def test_another_shot_of_a_scene_is_no_copy(kind: str) -> None:
    """The camera has moved: each picture shows what the other one lacks, and nothing parts that from the rest."""
    for seed in range(3):
        scene = drawing.picture(kind, seed, (520, 390))
        first = scene.crop((0, 0, 430, 320))
        second = scene.rotate(3, Image.Resampling.BICUBIC).crop((70, 50, 500, 370))
        verdict = prove(view_of(first), view_of(second))
        assert not verdict.accepted
        assert verdict.reason == "perhaps another shot of the scene"


@pytest.mark.parametrize("kind", drawing.PHOTOS)
def test_a_strip_on_two_sides_tells_a_hand_that_moved_from_two_crops(kind: str) -> None:
    """Flat things show no parallax; what a hand leaves is a little aslant, what crops leave is upright."""
    for seed in range(3):
        scene = drawing.picture(kind, seed, (540, 410))
        first = scene.crop((20, 15, 500, 375))
        turned = scene.rotate(0.6, Image.Resampling.BICUBIC)
        for view in (turned.crop((30, 22, 510, 382)), turned.crop((34, 30, 514, 390))):
            assert not prove(view_of(first), view_of(view)).accepted, seed
        assert prove(view_of(first), view_of(scene.crop((30, 22, 510, 382)))).accepted, seed


def _shot(shelf: Image.Image, thing: Image.Image, at: tuple[int, int], seed: int) -> Image.Image:
    """A thing before a shelf, with the noise of a camera."""
    picture = shelf.copy()
    picture.paste(thing, at)
    noise = np.random.default_rng(seed).normal(0, 4, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def test_another_thing_held_before_one_shelf_is_not_laid_over_it() -> None:
    """The shelf has moved as well, by a pixel or two; what is laid over a copy moves nothing else."""
    for seed in range(3):
        shelf = drawing.picture("leaves", seed, (480, 360))
        things = [drawing.picture("fruit", seed + number, (180, 150)) for number in (5, 9)]
        first = view_of(_shot(shelf, things[0], (30, 60), 1))
        turned = shelf.rotate(0.5, Image.Resampling.BICUBIC)
        assert prove(first, view_of(_shot(shelf, things[1], (40, 50), 2))).accepted, seed
        assert not prove(first, view_of(_shot(turned, things[1], (40, 50), 2))).accepted, seed


def test_half_of_a_collage_is_no_other_shot() -> None:
    """It lacks the picture's margins and has another picture beside them, but beyond a seam."""
    for seed in range(3):
        picture = drawing.picture("city", seed, (480, 360))
        collage = Image.new("RGB", (720, 360))
        collage.paste(picture.crop((60, 0, 420, 360)), (0, 0))
        collage.paste(drawing.picture("leaves", seed, (360, 360)), (360, 0))
        verdict = prove(view_of(picture), view_of(collage))
        assert verdict.accepted
        assert verdict.relation is not None
        assert "part of a collage" in verdict.relation.words


def _seen_from_beside(scene: Image.Image, most: float) -> Image.Image:
    """What a camera sees that has moved sideways: things at other depths move by other distances, at most so many pixels."""
    pixels = np.asarray(scene, np.float64)
    columns = np.arange(scene.width)
    depth = most * np.sin(3 * np.pi * np.arange(scene.height) / scene.height)
    rows = [
        np.stack([np.interp(columns + shift, columns, row[:, channel]) for channel in range(3)], axis=-1)
        for row, shift in zip(pixels, depth, strict=True)
    ]
    return Image.fromarray(np.round(np.stack(rows)).astype(np.uint8))


@pytest.mark.parametrize("kind", drawing.PHOTOS)
def test_near_things_that_moved_against_far_ones_tell_another_shot(kind: str) -> None:
    box = (20, 15, 440, 330)
    for seed in range(3):
        scene = drawing.picture(kind, seed)
        assert prove(view_of(scene), view_of(scene.crop(box))).accepted
        verdict = prove(view_of(scene), view_of(_seen_from_beside(scene, 3).crop(box)))
        assert not verdict.accepted, seed
        assert verdict.reason == "perhaps another shot of the scene"


@pytest.mark.parametrize("kind", drawing.PHOTOS)
def test_poor_quality_hides_no_other_shot(kind: str) -> None:
    """What it leaves is compared small, where two shots from nearly one place agree as well, but lie elsewhere."""
    for seed in range(2):
        scene = drawing.picture(kind, seed)
        assert prove(view_of(scene), view_of(saved(scene, 4))).accepted
        assert not prove(view_of(scene), view_of(saved(_seen_from_beside(scene, 6), 4))).accepted
