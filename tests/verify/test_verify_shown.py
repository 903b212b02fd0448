"""What a proof saw: the common part lies where it was cut out, and what differs where something was laid over."""

from __future__ import annotations

import drawing
import numpy as np
import pytest
from PIL import Image, ImageDraw
from verify_views import photos, saved, view_of

from tbhdup.values import Verdict
from tbhdup.verify import Shown, maps, prove, show, whole
from tbhdup.verify.shown import Polygon, _areas, _without_holes

Box = tuple[float, float, float, float]


def bounds(*polygons: Polygon) -> Box:
    corners = np.concatenate([np.array(polygon) for polygon in polygons])
    return (*corners.min(axis=0), *corners.max(axis=0))


def covered(polygons: tuple[Polygon, ...], box: Box) -> tuple[float, float]:
    """How much of a box some rectangles cover, and how much of them lies in it; units of the picture."""
    size = 400
    mask = Image.new("1", (size, size))
    for polygon in polygons:
        ImageDraw.Draw(mask).polygon([(x * size, y * size) for x, y in polygon], fill=1)
    marked, wanted = np.asarray(mask), np.zeros((size, size), bool)
    left, top, right, bottom = (round(side * size) for side in box)
    wanted[top:bottom, left:right] = True
    both = (marked & wanted).sum()
    return both / wanted.sum(), both / max(marked.sum(), 1)


def checks(shown: Shown) -> None:
    """What always holds."""
    assert len(shown.differing_a) == len(shown.differing_b)
    if shown.map is None:
        assert (shown.outline_a, shown.outline_b, shown.differing_a) == ((), (), ())
        return
    m = np.array(shown.map).reshape(3, 3)
    assert maps.area(np.array(shown.outline_a)) == pytest.approx(shown.share_a)
    assert maps.area(np.array(shown.outline_b)) == pytest.approx(shown.share_b)
    for here, there in zip(shown.differing_a, shown.differing_b, strict=True):
        assert maps.apply(m, np.array(here)) == pytest.approx(np.array(there), abs=1e-6)


def test_the_verdict_is_that_of_the_proof() -> None:
    pictures = [
        *photos(),
        saved(photos()[0], 40),
        photos()[1].crop((60, 40, 400, 300)),
        drawing.form(1, 1),
        drawing.form(1, 2),
    ]
    views = [view_of(picture) for picture in pictures]
    for a in views:
        for b in views:
            shown = show(a, b)
            assert shown.verdict == prove(a, b)
            checks(shown)


@pytest.mark.parametrize("turned", [False, True])
def test_a_crop_is_outlined_where_it_was_cut_out(turned: bool) -> None:
    image = photos()[0]
    width, height = image.size
    views = view_of(image), view_of(saved(image.crop((96, 72, 432, 324)), 90))
    shown = show(*(views[::-1] if turned else views))
    checks(shown)
    assert shown.verdict.accepted
    part, rest = (shown.outline_b, shown.outline_a) if turned else (shown.outline_a, shown.outline_b)
    assert bounds(part) == pytest.approx((96 / width, 72 / height, 432 / width, 324 / height), abs=0.01)
    assert bounds(rest) == pytest.approx((0, 0, 1, 1), abs=0.01)
    assert shown.differing_a == ()


def test_what_is_pasted_over_differs_in_both_and_follows_the_mirror() -> None:
    for image in photos():
        other = drawing.picture("city", 9, (120, 110))
        copy = image.copy()
        copy.paste(other, (300, 60))
        copy = copy.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        shown = show(view_of(image), view_of(copy))
        checks(shown)
        width, height = image.size
        box = (300 / width, 60 / height, 420 / width, 170 / height)
        for areas, place in (
            (shown.differing_a, box),
            (shown.differing_b, (1 - box[2], box[1], 1 - box[0], box[3])),
        ):
            share, precision = covered(areas, place)
            assert share > 0.7
            assert precision > 0.7


def test_whole_copies_differ_nowhere() -> None:
    image = photos()[0]
    for copy in (image, saved(image, 60), image.transpose(Image.Transpose.ROTATE_90)):
        shown = show(view_of(image), view_of(copy))
        assert shown.verdict.accepted
        assert bounds(shown.outline_a) == pytest.approx((0, 0, 1, 1))
        assert (shown.share_a, shown.share_b, shown.differing_a) == (1, 1, ())
    assert whole(Verdict(True, 1.0, None)).map == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_pages_with_other_content_show_which_also_when_refused_at_a_glance() -> None:
    for content in range(2, 6):
        shown = show(view_of(drawing.form(1, 1)), view_of(drawing.form(1, content)))
        checks(shown)
        assert not shown.verdict.accepted
        assert bounds(shown.outline_a) == pytest.approx((0, 0, 1, 1), abs=0.01)
        assert shown.differing_a
        assert 0.3 < shown.agreeing < 0.99


def test_strangers_and_specks_have_no_map() -> None:
    views = [view_of(image) for image in photos()]
    speck = view_of(photos()[0].resize((20, 15)))
    for shown in (show(views[0], views[1]), show(views[0], speck)):
        checks(shown)
        assert shown.map is None
        assert not shown.verdict.accepted


def test_a_part_in_common_is_outlined() -> None:
    image = drawing.picture("leaves", 3, (720, 540))
    shown = show(view_of(image.crop((0, 0, 430, 540))), view_of(image.crop((230, 0, 720, 540))))
    checks(shown)
    assert shown.verdict.reason == "they share a part only"
    assert bounds(shown.outline_a) == pytest.approx((230 / 430, 0, 1, 1), abs=0.02)
    assert bounds(shown.outline_b) == pytest.approx((0, 0, 200 / 490, 1), abs=0.02)
    assert shown.agreeing > 0.9


def test_areas_cover_the_tiles_once_and_reach_the_rim() -> None:
    flags = np.random.default_rng(1).random((9, 14)) < 0.4
    areas = _areas(flags)
    assert sum(maps.area(area) for area in _areas(np.ones((9, 14), bool))) == pytest.approx(1)
    counts = np.array(
        [[sum(inside(area, (x + 1) / 15, (y + 1) / 10) for area in areas) for x in range(14)] for y in range(9)]
    )
    assert np.array_equal(counts, flags)
    assert _areas(np.zeros((3, 4), bool)) == []


def inside(area: np.ndarray, x: float, y: float) -> bool:
    (left, top), (right, bottom) = area[0], area[2]
    return left < x < right and top < y < bottom


def test_only_small_holes_are_filled() -> None:
    flags = np.ones((12, 12), bool)
    flags[2, 2:4] = flags[5:9, 5:9] = flags[0, 7] = False
    filled = _without_holes(flags)
    assert filled[2, 2:4].all()
    assert not filled[5:9, 5:9].any()
    assert not filled[0, 7]
    assert not _without_holes(np.zeros((5, 5), bool)).any()
