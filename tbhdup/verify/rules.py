"""What the tiles must say for two pictures to be one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tbhdup.verify.tiles import Tiles, count, median

WELL = 0.9  # correlation of a tile that agrees well
SETTLED = 0.7  # share of agreeing tiles at which a map is right, and what differs is content: no other map will do
EXACT = 0.99  # correlation that two shots of one scene seldom reach

SHOT = 0.15  # share of the agreeing tiles that is exact, below which two shots of a scene may look like an overlay

# R1: nearly all agrees
LEAST_TILES = 20  # textured in both
LEAST_AREAS = 3  # of 4 x 4 areas of the frame that must hold some of them


@dataclass(frozen=True, slots=True)
class Nearly:
    """What "nearly all agrees" asks for."""

    share: float  # of the tiles that agree, to those that agree or differ
    median: float  # correlation
    well: float  # share of the tiles textured in both that agree well


PICTURE = Nearly(share=0.98, median=0.94, well=0.7)
PAGE = Nearly(share=0.99, median=0.97, well=0.95)  # on a page a few tiles are a word, and a word is content

# R2: the picture, with something laid over one part of it
LEAST_IN_BOX = 80  # agreeing tiles in the best rectangle
LEAST_OFF_GROUND = 60  # of them not on the flat background
PENALTY = 2.0  # of a tile that differs; one that agrees counts 1
MOST_BAD = 0.2  # of the rectangle's tiles that agree or differ
MEDIAN_IN_BOX = 0.96
LEAST_COVER = 0.3  # of one of the pictures
LEAST_OF_FRAME = 0.5  # of the frame, and of the tiles that agree or differ: a template has more content than that

# On plain ground the edges of a template's shapes agree whatever it holds: there more has to agree, or more exactly
ON_PLAIN = 0.27  # share of the agreeing tiles that lie on such ground
SHARE_ON_PLAIN, EXACT_ON_PLAIN = 0.85, 0.8  # one of them is asked for

# R3: the picture, with small things scattered over it
MANY_EXACT = 0.7  # share of the agreeing tiles that are exact
LEAST_SHARE = 0.6  # of the tiles that agree, to those that agree or differ
LEAST_IN_AREA = 0.3  # of an area's tiles, so that the area counts as shown
LEAST_SPEAKING = 8  # tiles that agree or differ in an area that counts, and areas that count
AREAS_SHOWN = 0.875  # of 4 x 4 areas: a template's content leaves more of them empty
NEARLY_ALL_EXACT, AREAS_THEN_SHOWN = 0.85, 0.8  # the same where nothing but what lies over it has changed

# thumbnails that show enough
LEAST_SEEN = 56  # tiles with something to see: a quarter of a square's
LEAST_ALIKE = 0.9  # correlation of the worst tile: a small thing laid over, or moved, makes one worse
SURE_SHARE = 0.98  # of the tiles that agree, to those that agree or differ
SURE_MEDIAN = 0.96  # correlation
SURE_EXACT = 0.4  # share of the agreeing tiles that is exact

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one tile test: accepted, or the reason why not."""

    accepted: bool
    confidence: float
    share: float = 0.0  # of the tiles that agree, to those that agree or differ
    overlaid: bool = False
    reason: str = ""


def judge(tiles: Tiles, ground: Bools, is_page: bool, shares: tuple[float, float]) -> Finding:
    """Apply the rules.

    ground: (rows, columns) tiles on the picture's flat background. is_page: that background takes most of the picture.
    shares: of the two pictures that the frame shows.
    """
    both = tiles.both
    seen = count(both)
    if seen < LEAST_TILES or np.count_nonzero(_by_area(both)) < LEAST_AREAS:
        return Finding(False, 0.5, reason="too little detail in common")
    agree, differ = count(tiles.agree), count(tiles.differ)
    share = agree / max(agree + differ, 1)
    values = tiles.correlation[both]
    rule = PAGE if is_page else PICTURE
    if share >= rule.share and median(values) >= rule.median and count(values > WELL) >= rule.well * seen:
        return Finding(True, _confidence(tiles, share), share)
    if is_page:
        return other_page(share)
    exact = exactness(tiles.correlation[tiles.agree])
    plain = count(tiles.agree & ground) > ON_PLAIN * agree
    shown = exact >= SHOT and not (plain and share < SHARE_ON_PLAIN and exact < EXACT_ON_PLAIN)
    if shown and ((share >= LEAST_SHARE and _is_scattered(tiles)) or _is_beside(tiles, ground, shares)):
        return Finding(True, _confidence(tiles, share), share, overlaid=True)
    return Finding(False, 1 - share / 2, share, reason="the content differs")


def is_sure(tiles: Tiles, finding: Finding, moved: bool) -> bool:
    """Whether what is accepted of thumbnails would be accepted of the pictures, too.

    moved: the camera may have moved between the two. Then thumbnails do not tell two shots of a scene from a copy with
    something laid over it.
    """
    if count(tiles.both) < LEAST_SEEN or (moved and finding.overlaid):
        return False
    exact = exactness(tiles.correlation[tiles.agree])
    if exact >= MANY_EXACT:
        return finding.share >= SETTLED
    typical = median(tiles.correlation[tiles.both])
    return not moved and exact >= SURE_EXACT and finding.share >= SURE_SHARE and typical >= SURE_MEDIAN


def is_spotted(tiles: Tiles) -> bool:
    """Whether a tile is so unlike the others, which are exact, that some small thing may lie over it."""
    worst = float(tiles.correlation[tiles.both].min())
    return worst < LEAST_ALIKE and exactness(tiles.correlation[tiles.agree]) >= MANY_EXACT


def other_page(share: float) -> Finding:
    """The finding for pages of which this share of the tiles agrees."""
    return Finding(False, 1 - share / 2, share, reason="pages whose content differs")


def _is_beside(tiles: Tiles, ground: Bools, shares: tuple[float, float]) -> bool:
    """R2: one rectangle shows the picture, and what was laid over lies outside it."""
    agree = tiles.agree
    speaking = count(agree | tiles.differ)
    if count(agree) < max(LEAST_IN_BOX, LEAST_OF_FRAME * speaking):
        return False
    top, bottom, left, right = best_box(agree + (-PENALTY) * tiles.differ)
    box = (slice(top, bottom), slice(left, right))
    inside = agree[box]
    good, bad = count(inside), count(tiles.differ[box])
    cover = inside.size / max(count(tiles.inside), 1)
    return (
        good >= LEAST_IN_BOX
        and count(inside & ~ground[box]) >= LEAST_OFF_GROUND
        and bad <= MOST_BAD * (good + bad)
        and median(tiles.correlation[box][tiles.both[box]]) >= MEDIAN_IN_BOX
        and cover * max(shares) >= LEAST_COVER
        and min(cover, good / speaking) >= LEAST_OF_FRAME
    )


def _is_scattered(tiles: Tiles) -> bool:
    """R3: the picture shows, exactly, nearly everywhere between the things laid over."""
    exact = exactness(tiles.correlation[tiles.agree])
    if exact < MANY_EXACT:
        return False
    good, bad = _by_area(tiles.agree), _by_area(tiles.differ)
    speaking = good + bad >= LEAST_SPEAKING
    shown = good >= LEAST_IN_AREA * (good + bad)
    least = AREAS_THEN_SHOWN if exact >= NEARLY_ALL_EXACT else AREAS_SHOWN
    return bool(speaking.sum() >= LEAST_SPEAKING and shown[speaking].mean() >= least)


def best_box(gain: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """The rectangle with the largest sum: top, bottom, left, right, as slices take them.

    Kadane's scan along the columns, for all pairs of rows at once: O(rows² columns).
    """
    rows, columns = gain.shape
    sums = np.vstack([np.zeros(columns), np.cumsum(gain, axis=0)])
    tops, bottoms = np.triu_indices(rows + 1, 1)
    strips = sums[bottoms] - sums[tops]
    run = np.zeros(len(tops))
    start = np.zeros(len(tops), np.intp)
    best = np.full(len(tops), -np.inf)
    span = np.zeros((len(tops), 2), np.intp)
    for column in range(columns):
        fresh = run <= 0
        start[fresh] = column
        run = np.where(fresh, 0, run) + strips[:, column]
        better = run > best
        best[better] = run[better]
        span[better, 0] = start[better]
        span[better, 1] = column + 1
    k = int(best.argmax())
    return int(tops[k]), int(bottoms[k]), int(span[k, 0]), int(span[k, 1])


def _by_area(tiles: Bools) -> NDArray[np.intp]:
    """(16,) how many of the tiles lie in each of 4 x 4 areas."""
    rows, columns = (np.arange(n) * 4 // n for n in tiles.shape)
    areas = rows[:, None] * 4 + columns[None, :]
    return np.bincount(areas[tiles], minlength=16)


def exactness(correlation: NDArray[np.float32]) -> float:
    """Share of the tiles with these correlations that are exact; 0 without any."""
    return count(correlation > EXACT) / max(correlation.size, 1)


def _confidence(tiles: Tiles, share: float) -> float:
    """Of an accepted pair, 0.5..1: lower for degraded copies, and for what may be a second shot of the scene."""
    return 0.5 + 0.5 * share * exactness(tiles.correlation[tiles.agree])
