"""How one picture was made from the other, in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tbhdup.values import Relation
from tbhdup.verify import maps
from tbhdup.verify.tiles import median
from tbhdup.verify.view import COLOURS, LETTERED, View, commonest, paper

RELATIONS = (
    "identical pixels",
    "re-encoded",
    "resized",
    "stretched",
    "mirrored",
    "turned 90",
    "turned 180",
    "turned 270",
    "rotated",
    "cropped",
    "padded",
    "framed",
    "overlaid",
    "part of a collage",
    "tone changed",
    "grey",
    "inverted",
    "blurred",
    "perspective",
)

RESIZED = 1.03  # factor of lengths, either way
STRETCHED = 1.04  # factor between the two directions
ROTATED = 1.0  # degrees
BENT = 1.03  # factor between the nearest and the farthest corner
WHOLE = 0.97  # share of a picture that counts as all of it
MARGIN = 0.02  # of a side
TONE = 8.0  # levels, mean difference per channel
GREY = 3.0  # levels, mean difference between channels: below, a picture is grey
BLURRED = 1.07  # times that the other one's detail is finer, at thumbnail size
BUSY = 0.3  # share of the surroundings' squares with texture that makes them a picture,
PLAIN = 0.3  # unless one grey takes so much of them
FINE_DETAIL = 1.5  # sigma that parts fine detail from coarse, pixels of the view
SOFT = 0.2  # of the picture's fine detail: surroundings with less are a blurred filling
AREAS, SAMPLES = 8, 4  # areas and samples in each, along each side: two sizes of a picture differ in its detail
FILLED = 0.8  # share of the surroundings that one grey takes where they were filled
BARS = 0.1  # share that makes them more than a plain margin
THING = 0.15  # share that makes them, beside one side, a picture of a thing on plain ground, where it is no lettering
MOVED = frozenset(("rotated", "perspective"))
EXACT_BESIDE_ANOTHER = 0.7  # share of the agreeing tiles that half a collage has at least, and a second shot seldom
STRIP = 0.006, 0.1  # shares of each picture that the other lacks where a camera has moved a little between two shots,
SKEW = 0.005  # and how far from upright it then sees the other's sides: of two crops of one picture it is 0.002 at most
EXACT_THOUGH_MOVED = 0.25  # share of the agreeing tiles, where something lies over a copy that is seen from elsewhere


GRID = np.stack(np.meshgrid(*2 * [(np.arange(AREAS * SAMPLES) + 0.5) / (AREAS * SAMPLES)]), axis=-1).reshape(-1, 2)
"""(N, 2) places of the unit square at which colours are compared, row by row."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a proof found.

    map         from a to b
    negative    b shows a's negative
    inliers     features that agree with the map
    agreement   median correlation of the tiles that both pictures have texture in
    exact       share of the agreeing tiles that is exact
    overlaid    something lies over one of the two
    sharper     how many times finer a's detail is than b's, at thumbnail size
    """

    map: maps.Map
    negative: bool
    inliers: int
    agreement: float
    exact: float
    overlaid: bool
    sharper: float

    def turned(self) -> Evidence:
        """The same, seen from b."""
        back = np.linalg.inv(self.map)
        return replace(self, map=back, sharper=1 / self.sharper)


def is_another_shot(a: View, b: View, relation: Relation, evidence: Evidence) -> bool:
    """Whether what passed for a copy looks like a second shot of the scene, from where the camera had moved to.

    Then either picture shows what the other one lacks, and the scene goes on where the first one ends. Around a cropped
    copy one grey fills the rest, or other things lie beyond a seam; else it is seldom turned by a few degrees as well.
    A strip along two sides, not quite upright, is left by a hand that moved, and next to never by edits.
    """
    moved = not MOVED.isdisjoint(relation.words)
    lacks = 1 - max(relation.share_a, relation.share_b)
    if lacks >= STRIP[0] and _goes_on(a, b, evidence, lacks, moved):
        return True
    covered = evidence.overlaid and "padded" not in relation.words
    return covered and moved and evidence.exact < EXACT_THOUGH_MOVED


def _goes_on(a: View, b: View, evidence: Evidence, lacks: float, moved: bool) -> bool:
    """Whether the scene goes on in what each of two pictures shows and the other lacks, of both so much at least."""
    exact, joined = evidence.exact >= EXACT_BESIDE_ANOTHER, a.is_joined or b.is_joined
    parts = (a, maps.overlap(np.linalg.inv(evidence.map))), (b, maps.overlap(evidence.map))
    filled = any(_is_filled(view, part) for view, part in parts)
    if lacks < STRIP[1] and maps.skew(evidence.map) >= SKEW and not (joined and exact):
        return not filled or a.is_page or b.is_page  # paper is of one grey, too
    another_view = moved or not (evidence.overlaid or exact)
    if lacks <= 1 - WHOLE or joined or filled or not another_view:
        return False
    return any(_surroundings(view, part) == "part of a collage" for view, part in parts)


def describe(a: View, b: View, evidence: Evidence) -> Relation:
    """How b was made from a. A turn is clockwise, and comes after the mirror (left to right), where both are told."""
    m = evidence.map
    shown, filled = maps.overlap(np.linalg.inv(m)), maps.overlap(m)
    share_a, share_b = (min(1.0, maps.area(part)) for part in (shown, filled))
    words = _geometry(a, b, m, shown)
    if share_a < WHOLE:
        words.append("cropped")
    if share_b < WHOLE:
        words.append(_surroundings(b, filled))
    if evidence.overlaid:
        words.append("overlaid")
    words += _tone(a, b, m, evidence.negative)
    if evidence.sharper >= BLURRED:
        words.append("blurred")
    x, y, t, u, v, w = maps.linearised(m, shown.mean(axis=0))[:2].ravel().tolist()
    return Relation(
        words=tuple(words) or ("re-encoded",),
        share_a=share_a,
        share_b=share_b,
        inliers=evidence.inliers,
        agreement=evidence.agreement,
        transform=(x, y, t, u, v, w),
    )


def has_moved(a: View, b: View, m: maps.Map) -> bool:
    """Whether either picture lacks a part of the other, or is turned by less than a quarter or seen from elsewhere."""
    shown = maps.overlap(np.linalg.inv(m))
    return max(shares(m)) < WHOLE or not MOVED.isdisjoint(_geometry(a, b, m, shown))


def shares(m: maps.Map) -> tuple[float, float]:
    """The part of a that b shows, and the part of b that a fills, 0..1."""
    return min(1.0, maps.area(maps.overlap(np.linalg.inv(m)))), min(1.0, maps.area(maps.overlap(m)))


def _geometry(a: View, b: View, m: maps.Map, shown: maps.Points) -> list[str]:
    """The words for a map whose part (N, 2) of a is shown in b."""
    words = []
    affine = maps.linearised(m, shown.mean(axis=0))
    depth = shown @ m[2, :2] + m[2, 2]
    bent = bool(depth.max() / depth.min() > BENT)
    slope = np.diag(b.size) @ affine[:2, :2] @ np.diag(1 / np.array(a.size))
    if np.linalg.det(slope) < 0:
        words.append("mirrored")
        slope = slope @ np.diag([-1, 1])
    angle = float(np.degrees(np.arctan2(slope[1, 0] - slope[0, 1], slope[0, 0] + slope[1, 1])))
    quarters = round(angle / 90)
    if quarters % 4:
        words.append(f"turned {quarters % 4 * 90}")
    if bent:
        words.append("perspective")
    elif abs(angle - 90 * quarters) > ROTATED:
        words.append("rotated")
    along, across = np.linalg.norm(slope, axis=0)
    if not bent and max(along / across, across / along) > STRETCHED:
        words.append("stretched")
    elif not 1 / RESIZED < np.sqrt(along * across) < RESIZED:
        words.append("resized")
    return words


def _surroundings(b: View, part: maps.Points) -> str:
    """What b has around the part (N, 2) that a fills."""
    low, high = part.min(axis=0), part.max(axis=0)
    sides = [low[0] > MARGIN, low[1] > MARGIN, high[0] < 1 - MARGIN, high[1] < 1 - MARGIN]
    if sum(sides) >= 3:
        return "framed"
    if _is_soft(b, part):
        return "padded"
    outside = _outside(part, *b.textured.shape)
    busy = float(b.textured[outside].mean()) if outside.any() else 0.0
    levels = b.grey[_outside(part, *b.grey.shape)]
    level, plain = commonest(levels) if levels.size else (0.0, 1.0)
    lettered = paper(b.grey, b.textured & outside, level) > LETTERED
    if (busy >= BUSY and plain < PLAIN) or (sum(sides) == 1 and busy >= THING and not lettered):
        return "part of a collage"
    across = (sides[0] and sides[2]) or (sides[1] and sides[3])
    return "framed" if across and busy >= BARS else "padded"


def _is_filled(b: View, part: maps.Points) -> bool:
    """Whether one grey fills what lies outside the part of b, as a program does and no camera."""
    levels = b.grey[_outside(part, *b.grey.shape)]
    return bool(levels.size) and commonest(levels)[1] >= FILLED


def _is_soft(b: View, part: maps.Points) -> bool:
    """Whether what lies outside the part of b is so much softer than the part that it is a blurred filling."""
    fine = np.abs(b.grey - cv2.GaussianBlur(b.grey, (0, 0), FINE_DETAIL))
    outside = _outside(part, *b.grey.shape)
    if not outside.any():
        return False
    return bool(fine[outside].mean() < SOFT * fine[~outside].mean())


def _outside(part: maps.Points, rows: int, columns: int) -> NDArray[np.bool_]:
    """(rows, columns) what lies outside a polygon of the unit square."""
    mask = np.ones((rows, columns), np.uint8)
    cv2.fillConvexPoly(mask, np.round(part * (columns, rows) - 0.5).astype(np.int32), 0)
    return mask.astype(bool)


def _tone(a: View, b: View, m: maps.Map, negative: bool) -> list[str]:
    words = ["inverted"] if negative else []
    first, second = _colours(a, b, m)
    if negative:
        second = 255 - second
    chroma_a, chroma_b = (float(np.ptp(x, axis=1).mean()) for x in (first, second))
    if chroma_b < GREY <= chroma_a:
        words.append("grey")
        first = np.repeat(first @ np.array([[0.299], [0.587], [0.114]]), 3, axis=1)
    if median(np.abs(first - second).mean(axis=1)) > TONE:
        words.append("tone changed")
    return words


def _colours(a: View, b: View, m: maps.Map) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 3) mean colours of both pictures over the same AREAS x AREAS areas of a, as far as both show them."""
    there = maps.apply(m, GRID)
    shown = np.asarray(((there > 0) & (there < 1)).all(axis=1))
    samples = a.once(_on_grid), _sampled(b, there)
    if shown.all():
        first, second = (_by_area(each) / SAMPLES**2 for each in samples)
        return first, second
    count = _by_area(shown[:, None])
    seen = count[:, 0] > 0
    first, second = (_by_area(each * shown[:, None])[seen] / count[seen] for each in samples)
    return first, second


def _on_grid(view: View) -> NDArray[np.uint8]:
    return _sampled(view, GRID)


def _sampled(view: View, places: maps.Points) -> NDArray[np.uint8]:
    """(N, 3) colours at places (N, 2) of the unit square."""
    column, row = (places * COLOURS - 0.5).astype(np.float32).T[:, :, None]
    colours = cv2.remap(view.colours, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(colours, np.uint8).reshape(-1, 3)


def _by_area(samples: NDArray[np.generic]) -> NDArray[np.float64]:
    """(AREAS * AREAS, N) sums over the areas, of N values at each place of the GRID."""
    areas = samples.astype(np.float64).reshape(AREAS, SAMPLES, AREAS, SAMPLES, -1)
    return np.asarray(areas.sum(axis=(1, 3))).reshape(AREAS * AREAS, -1)
