"""The parts of the proof, each against a plain computation."""

from __future__ import annotations

import drawing
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFilter, ImageOps
from verify_views import view_of

from tbhdup.verify import features, maps, propose, view
from tbhdup.verify.rules import best_box
from tbhdup.verify.tiles import Frame, compare, refine


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.sampled_from([-2.0, 0.0, 1.0])))
def test_the_best_box_is_the_best_of_all(gain: np.ndarray) -> None:
    rows, columns = gain.shape
    sums = [
        gain[t:b, u:v].sum()
        for t in range(rows)
        for b in range(t + 1, rows + 1)
        for u in range(columns)
        for v in range(u + 1, columns + 1)
    ]
    t, b, u, v = best_box(gain)
    assert gain[t:b, u:v].sum() == max(sums)


def test_orientations_are_eight_different_maps_of_the_square_onto_itself() -> None:
    found = maps.orientations()
    assert np.array_equal(found[0], np.eye(3))
    assert len({tuple(m.ravel()) for m in found}) == 8
    for m in found:
        assert {tuple(p) for p in maps.apply(m, maps.SQUARE)} == {tuple(p) for p in maps.SQUARE}


@pytest.mark.parametrize("transpose", [None, *Image.Transpose])
def test_the_aligned_test_finds_each_orientation(transpose: Image.Transpose | None) -> None:
    image = drawing.picture("city", 4)
    copy = image if transpose is None else image.transpose(transpose)
    proposal = propose.aligned(view_of(image), view_of(ImageOps.invert(copy)))
    assert proposal is not None
    assert proposal.negative
    w, h = image.size
    dot = image.copy()
    dot.paste((255, 0, 255), (w // 4 - 3, h // 8 - 3, w // 4 + 3, h // 8 + 3))
    turned = np.asarray(dot if transpose is None else dot.transpose(transpose))
    y, x = np.argwhere((turned == (255, 0, 255)).all(axis=2)).mean(axis=0)
    expected = ((x + 0.5) / turned.shape[1], (y + 0.5) / turned.shape[0])
    assert maps.apply(proposal.map, np.array([[0.25, 0.125]]))[0] == pytest.approx(expected, abs=0.01)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 3), st.floats(0.1, 3))
def test_the_overlap_of_rectangles_is_what_intervals_say(x: float, y: float, w: float, h: float) -> None:
    m = np.array([[w, 0, x], [0, h, y], [0, 0, 1]])
    wide = max(0.0, min(1, x + w) - max(0, x))
    tall = max(0.0, min(1, y + h) - max(0, y))
    corners = maps.overlap(m)
    assert (maps.area(corners) if len(corners) else 0) == pytest.approx(wide * tall, abs=1e-9)


def test_maps_that_fold_or_flatten_are_not_sane() -> None:
    assert maps.is_sane(np.eye(3))
    for bad in (
        np.zeros((3, 3)),
        np.full((3, 3), np.nan),
        np.diag([1.0, 0, 1]),
        np.array([[1, 0, 0], [0, 1, 0], [-1.5, 0, 1.0]]),
    ):
        assert not maps.is_sane(bad)


def test_a_homography_is_found_from_its_points() -> None:
    m = np.array([[1.1, 0.1, 5], [-0.05, 0.9, 3], [4e-4, -3e-4, 1]])
    points = np.random.default_rng(2).uniform(0, 300, (12, 2))
    assert maps.direct_homography(points, maps.apply(m, points)) == pytest.approx(m, abs=1e-6)
    near = maps.linearised(m, points[0])
    assert maps.apply(near, points[:1]) == pytest.approx(maps.apply(m, points[:1]))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("kind", drawing.PHOTOS)
def test_mirrored_and_inverted_features_need_no_second_detection(kind: str, quick: bool) -> None:
    image = drawing.picture(kind, 1, (320, 240)).convert("L")
    found = features.find_features(np.asarray(image), quick)
    flipped = features.mirrored(found)
    for derived, edited in (
        (flipped, ImageOps.mirror(image)),
        (features.inverted(found), ImageOps.invert(image)),
        (features.inverted(flipped), ImageOps.invert(ImageOps.mirror(image))),
    ):
        again = features.find_features(np.asarray(edited), quick)
        pairs = features.match(derived, again)
        gaps = np.linalg.norm(derived.places[pairs[:, 0]] - again.places[pairs[:, 1]], axis=1)
        turns = np.exp(1j * (derived.angles[pairs[:, 0]] - again.angles[pairs[:, 1]]))
        assert len(pairs) > 0.7 * len(found)
        assert (gaps < 2).mean() > 0.95
        assert np.median(np.abs(np.angle(turns))) < 0.05


@pytest.mark.parametrize("kind", drawing.PHOTOS)
def test_quick_features_lie_where_the_others_do_and_find_a_smaller_copy(kind: str) -> None:
    image = drawing.picture(kind, 2, (320, 240)).convert("L")
    slow, found = (features.find_features(np.asarray(image), quick) for quick in (False, True))
    assert np.array_equal(slow.places, found.places)
    assert not np.array_equal(slow.descriptors, found.descriptors)
    half = features.find_features(np.asarray(image.resize((200, 150))), quick=True)
    pairs = features.match(found, half)
    gaps = np.linalg.norm(found.places[pairs[:, 0]] / 1.6 - half.places[pairs[:, 1]], axis=1)
    assert (gaps < 2).sum() >= 25


@pytest.mark.parametrize("quick", [False, True])
def test_a_blank_picture_has_no_features_and_no_matches(quick: bool) -> None:
    none = features.find_features(np.zeros((100, 100), np.uint8), quick)
    assert len(none) == 0
    assert none.descriptors.shape == (0, 128)
    assert features.match(none, none).shape == (0, 2)


@pytest.mark.parametrize("block", [6, 9, 14])
def test_the_blocks_of_a_pixelated_picture_are_measured(block: int) -> None:
    for kind in drawing.PHOTOS:
        image = drawing.picture(kind, 2, (384, 288))
        assert view_of(image).block == 0
        small = image.resize((384 // block, 288 // block), Image.Resampling.BOX)
        coarse = small.resize((small.width * block, small.height * block), Image.Resampling.NEAREST)
        assert view_of(coarse).block == pytest.approx(block, rel=0.05)


def test_a_map_that_is_a_pixel_off_is_refined() -> None:
    view = view_of(drawing.picture("leaves", 3, (384, 288)))
    shifted = np.roll(view.grey, 1, axis=1)
    frame = Frame(view.grey, shifted, np.ones_like(view.grey, np.uint8), np.eye(3))
    tiles = compare(frame, negative=False)
    assert np.median(tiles.drift.shift[tiles.agree], axis=0) == pytest.approx((1, 0), abs=0.1)
    refined = refine(tiles, frame, np.eye(3))
    assert maps.apply(refined, np.array([[0.5, 0.5]]))[0] == pytest.approx((0.5 + 1 / 384, 0.5), abs=1e-3)


def test_few_tiles_leave_the_map_alone() -> None:
    blank = np.zeros((64, 64), np.float32)
    frame = Frame(blank, blank, np.ones((64, 64), np.uint8), np.eye(3))
    assert np.array_equal(refine(compare(frame, negative=False), frame, np.eye(3)), np.eye(3))


def _by_features(a: view.View, b: view.View) -> list[propose.Proposal]:
    return propose.by_features(a, b, propose.by_coarse_features(a, b))


def test_fine_features_are_looked_for_only_where_coarse_ones_leave_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    find = view.find_features
    monkeypatch.setattr(view, "find_features", lambda grey, **how: asked.append(max(grey.shape)) or find(grey, **how))
    city = drawing.picture("city", 1, (360, 270))
    (sure,) = _by_features(view_of(city), view_of(city.crop((20, 20, 340, 250))))
    assert sure.inliers >= propose.PLENTY
    other = drawing.picture("city", 2, (360, 270))
    assert _by_features(view_of(city), view_of(other)) == []
    assert set(asked) == {view.COARSE}
    hinted = view_of(city), view_of(other)
    assert propose.by_features(*hinted, propose.Agreement([], propose.HINT - 1)) == []
    assert set(asked) == {view.COARSE}
    propose.by_features(*hinted, propose.Agreement([], propose.HINT))
    assert asked[-1] == view.FINE
    blur = ImageFilter.GaussianBlur(12)
    smooth = [view_of(drawing.picture("city", seed, (360, 270)).filter(blur)) for seed in (1, 2)]
    assert min(len(one.coarse) for one in smooth) < propose.ENOUGH
    _by_features(*smooth)
    assert asked[-1] == view.FINE


def test_along_an_edge_the_drift_is_uncertain() -> None:
    stripes = (np.arange(384) // 12 % 2 * 80 + 60)[None, :] + np.zeros((288, 384))
    edges = np.asarray(stripes + np.random.default_rng(0).normal(0, 1, stripes.shape), np.float32)
    frame = Frame(edges, edges, np.ones_like(edges, np.uint8), np.eye(3))
    tiles = compare(frame, negative=False, measure_drift=True)
    across, down = np.median(tiles.drift.certainty[tiles.agree], axis=0)
    assert across > 0.9
    assert down < 0.3


def test_points_of_no_weight_do_not_move_a_homography() -> None:
    rng = np.random.default_rng(0)
    m = np.array([[1.1, 0.1, 3], [-0.05, 0.9, 2], [1e-4, 2e-4, 1]])
    source = rng.uniform(0, 300, (60, 2))
    target = maps.apply(m, source)
    weights = np.ones((60, 2))
    target[:10, 0] += 40
    weights[:10, 0] = 0
    assert maps.direct_homography(source, target, weights) == pytest.approx(m, abs=1e-6)
    assert maps.direct_homography(source, target) != pytest.approx(m, abs=1e-2)
