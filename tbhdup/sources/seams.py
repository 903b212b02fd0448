"""The pictures in a picture: the halves of a collage, the photograph in a screenshot, what a frame or bars surround.

A seam is a straight line right across, at which all of the picture changes at once. Cutting along the best seam, and
each part again, is the recursive XY-cut of page layouts (G. Nagy and S. Seth, 1984), with seams in place of white gaps.
What is found only has to be worth a second look: a photograph that is cut at a wall's edge costs time and no more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LAG = 3  # pixels between what is compared across a seam: resampling spreads a seam over two or three
AROUND = 9  # pixels to each side in which other lines tell what is usual
CLEAR = 10  # grey levels of a step that counts
QUIET = 4.0  # grey levels that are usual anywhere
SEAM = 2.0  # how far a line must stand out to be one
EVEN = 1.6  # times that a line in the middle of the whole picture counts, as most collages are of halves,
CROSSED = 2.5  # and two that cross there: chance makes one, seldom both
MIDDLE = 3  # pixels from the middle that still are
LEAST_SIDE = 24  # pixels of a part; a seam lies at least a third of that from the sides
LEAST_AREA = 0.12  # of the picture
LEAST_DEVIATION = 8.0  # grey levels: a part shows something
MOST_CUTS = 5  # one after the other: two bars, two margins, and one more
MOST_PARTS = 4

AROUND_LINE = np.array([abs(o) > LAG for o in range(-AROUND, AROUND + 1)], np.float64)
AROUND_LINE /= AROUND_LINE.sum()

Grey = NDArray[np.int16]
Place = tuple[int, int, int, int]
"""Left, top, right and bottom of a rectangle, pixels."""


class Box(NamedTuple):
    """A rectangle, as shares of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def parts(pixels: NDArray[np.uint8]) -> list[Box]:
    """The parts of a picture that may be pictures of their own, the largest first; none: it is in one piece.

    pixels: (side, side, 3) RGB uint8, the whole picture squeezed to a square. Deterministic, in whole numbers and
    float64.
    """
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.int16)
    side = len(grey)
    found = _cut(grey, (0, 0, side, side), MOST_CUTS, EVEN)
    if len(found) == 1:
        return []
    found = _quarters(grey) or found
    worth = [
        (area, box)
        for box in found
        for left, top, right, bottom in [box]
        if (area := (right - left) * (bottom - top)) >= LEAST_AREA * side * side
        and min(right - left, bottom - top) >= LEAST_SIDE
        and grey[top:bottom, left:right].std() > LEAST_DEVIATION
    ]
    worth.sort(key=lambda item: (-item[0], item[1]))
    return [Box(*(edge / side for edge in box)) for _, box in worth[:MOST_PARTS]]


def _quarters(grey: Grey) -> list[Place]:
    """What a square falls into, if two seams cross in its middle; else nothing."""
    side = len(grey)
    (across, x), (down, y) = _best_seam(grey, CROSSED), _best_seam(grey.T, CROSSED)
    if min(across, down) < SEAM or max(abs(2 * x - side), abs(2 * y - side)) > 2 * (MIDDLE + LAG):
        return []
    return [(left, top, right, bottom) for top, bottom in ((0, y), (y, side)) for left, right in ((0, x), (x, side))]


def _cut(grey: Grey, box: Place, cuts: int, even: float = 1.0) -> list[Place]:
    """The rectangles that a rectangle falls into along its seams.

    even: times that a line in the middle counts.
    """
    left, top, right, bottom = box
    inner = grey[top:bottom, left:right]
    (across, x), (down, y) = _best_seam(inner, even), _best_seam(inner.T, even)
    if not cuts or max(across, down) < SEAM:
        return [box]
    if across >= down:
        halves = (left, top, left + x, bottom), (left + x, top, right, bottom)
    else:
        halves = (left, top, right, top + y), (left, top + y, right, bottom)
    return [piece for half in halves for piece in _cut(grey, half, cuts - 1)]


def _best_seam(grey: Grey, even: float) -> tuple[float, int]:
    """How far the column line that does so most stands out, and the first column behind it. 0: too narrow to say.

    even: times that a line in the middle counts.
    """
    if min(grey.shape) < LEAST_SIDE:
        return 0.0, 0
    steps = np.abs(grey[:, LAG:] - grey[:, :-LAG])
    rows, lines = steps.shape
    starts = np.arange(4) * rows // 4
    quarters = np.add.reduceat(steps, starts, axis=0, dtype=np.int64)
    mean = quarters.sum(axis=0) / rows
    # what np.pad does, without its checks: they took a third of the time here
    reflected = np.concatenate([mean[AROUND:0:-1], mean, mean[-2 : -AROUND - 2 : -1]])
    usual = np.convolve(reflected, AROUND_LINE, mode="valid") + QUIET
    edge = LEAST_SIDE // 3
    outstanding = mean / usual
    outstanding[lines // 2 - MIDDLE : lines // 2 + MIDDLE + 1] *= even
    bold = edge + np.flatnonzero(outstanding[edge : lines - edge] >= SEAM)  # what else counts makes no line bolder
    if not bold.size:
        return 0.0, 0
    clear = np.count_nonzero(steps[:, bold] > CLEAR, axis=0) / rows
    # A quarter of the line's length at which nothing changes speaks against a seam.
    least = (quarters[:, bold] / np.diff(starts, append=rows)[:, None]).min(axis=0)
    score = outstanding[bold] * clear * np.sqrt(least / (mean[bold] + 1))
    best = int(score.argmax())
    return float(score[best]), int(bold[best]) + (LAG + 1) // 2
