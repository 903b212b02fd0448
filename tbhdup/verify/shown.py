"""What a proof saw, as plain data that can be drawn: the part that two pictures share, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tbhdup.values import Verdict
from tbhdup.verify import maps
from tbhdup.verify.proof import IDENTICAL, UNCHANGED, examine
from tbhdup.verify.relation import shares
from tbhdup.verify.tiles import compare, make_frame
from tbhdup.verify.trial import HOPE, Compared
from tbhdup.verify.view import View

HOLE = 6  # tiles, of which a hole in what differs may consist to be taken for a part of it

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) in units of a picture's width and height, from its top left corner."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a proof of two pictures, a and b, saw.

    verdict       what `prove` says
    map           9 numbers, row by row, of the homography from a to b, both in units of their own width and height; of
                  a refused pair the one that comes nearest; None: there is none that shows the two alike
    outline_a     the part of a that b shows; outline_b: the part of b that a fills
    differing_a   areas of a that b shows otherwise; differing_b: the same areas in b, in the same order
    share_a       area of a that b shows, 0..1; share_b: area of b that a fills
    agreeing      share of the tiles that agree, to those that agree or differ; None: none were compared at full size
    """

    verdict: Verdict
    map: tuple[float, ...] | None = None
    outline_a: Polygon = ()
    outline_b: Polygon = ()
    differing_a: tuple[Polygon, ...] = ()
    differing_b: tuple[Polygon, ...] = ()
    share_a: float = 0.0
    share_b: float = 0.0
    agreeing: float | None = None


def show(a: View, b: View) -> Shown:
    """Prove, as `prove` does, and tell what was seen."""
    verdict, compared = examine(a, b)
    if compared is None:
        return Shown(verdict)
    if compared.tiles is None and verdict.relation != IDENTICAL:  # thumbnails decided: larger tiles say what differs
        compared = _compared(a, b, compared)
    shown = _shown(verdict, compared)
    if not verdict.accepted and shown.agreeing is not None and shown.agreeing < HOPE:
        return Shown(verdict, agreeing=shown.agreeing)
    return shown


def _compared(a: View, b: View, untried: Compared) -> Compared:
    frame = make_frame(a.image, b.image, untried.map)
    if frame is None:
        return untried
    to_b = untried.map @ frame.to_a
    return replace(untried, to_a=frame.to_a, to_b=to_b, tiles=compare(frame, untried.negative))


def whole(verdict: Verdict) -> Shown:
    """Of two pictures that need no proof, as their bytes are equal."""
    return _shown(verdict, Compared.untried(UNCHANGED))


def _shown(verdict: Verdict, compared: Compared) -> Shown:
    share_a, share_b = shares(compared.map)
    differing_a: tuple[Polygon, ...] = ()
    differing_b: tuple[Polygon, ...] = ()
    agreeing = None
    if compared.tiles is not None:
        areas = _areas(_without_holes(compared.tiles.differ))
        differing_a, differing_b = (
            tuple(_polygon(maps.apply(m, x)) for x in areas) for m in (compared.to_a, compared.to_b)
        )
        agree, differ = int(compared.tiles.agree.sum()), int(compared.tiles.differ.sum())
        agreeing = agree / max(agree + differ, 1)
    return Shown(
        verdict=verdict,
        map=tuple(compared.map.ravel().tolist()),
        outline_a=_polygon(maps.overlap(np.linalg.inv(compared.map))),
        outline_b=_polygon(maps.overlap(compared.map)),
        differing_a=differing_a,
        differing_b=differing_b,
        share_a=share_a,
        share_b=share_b,
        agreeing=agreeing,
    )


def _without_holes(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(rows, columns) the flags, and the small holes in them: a few tiles agree by chance, or have nothing to see."""
    _, places, stats, _ = cv2.connectedComponentsWithStats((~flags).astype(np.uint8), connectivity=4)
    left, top, width, height, size = stats.T
    enclosed = (left > 0) & (top > 0) & (left + width < flags.shape[1]) & (top + height < flags.shape[0])
    return np.asarray(flags | (enclosed & (size <= HOLE))[places])


def _areas(flags: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Few rectangles that cover the tiles with a flag, each (4, 2) corners in the unit square that the tiles divide.

    flags: (rows, columns). Tiles overlap by a half, so each stands for the middle of it, and at the rim for all of it.
    """
    across, down = (_edges(n) for n in flags.shape[::-1])
    found = []
    for top, bottom, left, right in _rectangles(flags):
        x, y = across[[left, right]], down[[top, bottom]]
        found.append(np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]]))
    return found


def _edges(tiles: int) -> NDArray[np.float64]:
    """(tiles + 1,) where one tile ends and the next begins, 0..1."""
    return np.concatenate([[0.0], np.arange(1, tiles) + 0.5, [tiles + 1.0]]) / (tiles + 1)


def _rectangles(flags: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Top, bottom, left, right, as slices take them: runs along the rows, joined where the next row has the same."""
    done: list[tuple[int, int, int, int]] = []
    running: dict[tuple[int, int], int] = {}  # a run's columns, and the row that it began in
    for row in range(len(flags) + 1):
        runs = _runs(flags[row]) if row < len(flags) else []
        done += [(top, row, *run) for run, top in running.items() if run not in runs]
        running = {run: running.get(run, row) for run in runs}
    return done


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of each run of flags (n,)."""
    steps = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))


def _polygon(corners: NDArray[np.floating]) -> Polygon:
    return tuple((x, y) for x, y in corners.tolist())
