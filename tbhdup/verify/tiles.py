"""The tile test: two pictures in one frame, compared tile by tile under a map.

What two pictures of one template have in common makes the map; what they differ in are the tiles that disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tbhdup.verify import maps
from tbhdup.verify.view import SIDE, TEXTURE

CELL = 8  # pixels of the frame; a tile is 2 x 2 cells, tiles start at every cell
AGREE = 0.7  # correlation above which two textured tiles show the same
DIFFER = 0.5  # correlation below which a textured tile disagrees with a flat one
SMOOTH = 1.0  # sigma of the blur that both pictures get first, pixels
FINE = 1.5  # sigma that parts fine detail from coarse, pixels
SHIFTS = (  # pixels that a map may err by, tried ring by ring
    ((0, 1), (1, 0), (0, -1), (-1, 0)),
    ((1, 1), (1, -1), (-1, 1), (-1, -1)),
)
BLURS = (0.8, 1.2, 1.7, 2.4, 3.4, 4.8)  # sigma, pixels: tried in turn until both pictures are equally sharp
AT_ONCE = 0.9  # correlation at which a tile needs neither shift nor blur
NEARLY = 0.98  # share of the tiles
HOPE = 0.45  # share of the tiles that must agree, roughly, for the rest of the work to be worth it
FLAT_PEAK = 0.01  # bend of a peak of correlation at which it tells a place by half
MOST_GAIN = 4.0  # of one picture's contrast to the other's
LEAST_TO_REFINE = 40  # agreeing tiles
LEAST_IN_DRIFT = 8  # agreeing tiles in an area whose drift counts
SHARPER = 1.15  # a share of fine detail larger by this factor is worth a blur

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Frame:
    """Two pictures warped into one frame, over the part that both show.

    a, b      (h, w) float32 luminance, 0..255; sides are multiples of CELL
    inside    (h, w) uint8: 1 where both pictures have a pixel
    to_a      map from the frame's unit square to a's
    """

    a: Floats
    b: Floats
    inside: NDArray[np.uint8]
    to_a: maps.Map


class Drift(NamedTuple):
    """Where the tiles of b lie beside their places.

    shift      (rows, columns, 2) float32, -1..1: x and y, pixels
    certainty  (rows, columns, 2) float32, 0..1: how far a peak of the correlation tells it; along an edge there is none
    """

    shift: Floats
    certainty: Floats

    @staticmethod
    def at_peak(at: Mapping[tuple[int, int], Floats]) -> Drift:
        """From the correlations at shifts (y, x) by a pixel, as the peaks of parabolas through three."""
        before, after = (np.stack([at[0, k], at[k, 0]], axis=-1) for k in (-1, 1))
        bend = np.maximum(2 * at[0, 0][..., None] - before - after, np.float32(1e-6))
        return Drift(np.clip((after - before) / (2 * bend), -1, 1), bend / (bend + np.float32(FLAT_PEAK)))


@dataclass(frozen=True)
class Tiles:
    """What the tiles of a frame say.

    correlation  (rows, columns) float32, -1..1: of the tile's luminance in a and in b
    drift        the shift of b at which it would be largest; None: not measured, as nearly all tiles agree without one
    textured_a   (rows, columns) bool: there is something to see in a's tile; textured_b: in b's
    inside       (rows, columns) bool: the tile lies wholly inside both pictures
    """

    correlation: Floats
    drift: Drift | None
    textured_a: Bools
    textured_b: Bools
    inside: Bools

    @cached_property
    def both(self) -> Bools:
        """Tiles with something to see in both pictures."""
        return self.inside & self.textured_a & self.textured_b

    @cached_property
    def agree(self) -> Bools:
        """Tiles that show the same in both."""
        return self.both & (self.correlation > AGREE)

    @cached_property
    def differ(self) -> Bools:
        """Tiles that show different things."""
        either = self.inside & (self.textured_a | self.textured_b)
        return (self.both & (self.correlation <= AGREE)) | (either & (self.correlation < DIFFER))


def make_frame(a: NDArray[np.uint8], b: NDArray[np.uint8], m: maps.Map, side: int = SIDE) -> Frame | None:
    """Both pictures in the frame of a, cut to the part that b shows too; None: there is next to no such part.

    a, b: (h, w) uint8 luminance. m: map from a to b. side: the frame's longer one, pixels.
    """
    shape_a, shape_b = (picture.shape[::-1] for picture in (a, b))
    shown = maps.overlap(np.linalg.inv(m))
    if len(shown) < 3:
        return None
    low, high = shown.min(axis=0), shown.max(axis=0)
    extent = (high - low) * shape_a
    width, height = (CELL * round(float(e)) for e in extent * (side / CELL / extent.max()))
    if min(width, height) < 4 * CELL:
        return None
    to_a = np.array([[high[0] - low[0], 0, low[0]], [0, high[1] - low[1], low[1]], [0, 0, 1]])
    from_pixels = np.linalg.inv(maps.to_pixels((width, height)))
    warped = [
        cv2.warpPerspective(
            picture,
            maps.to_pixels(shape) @ to_picture @ from_pixels,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for picture, shape, to_picture in ((a, shape_a, to_a), (b, shape_b, m @ to_a))
    ]
    inside = np.zeros((height, width), np.uint8)
    corners = maps.apply(np.linalg.inv(to_a), shown) * (width, height) - 0.5
    cv2.fillConvexPoly(inside, np.round(corners).astype(np.int32), 1)
    return Frame(np.asarray(warped[0], np.float32), np.asarray(warped[1], np.float32), inside, to_a)


def reduced(frame: Frame, factor: float) -> Frame:
    """The frame, smaller by about this factor: for pictures that have no detail at its full size."""
    height, width = (max(4, round(n / CELL / factor)) * CELL for n in frame.a.shape)
    parts = (frame.a, frame.b, frame.inside.astype(np.float32))
    a, b, inside = (np.asarray(cv2.resize(x, (width, height), interpolation=cv2.INTER_AREA), np.float32) for x in parts)
    return Frame(a, b, (inside > 0.999).astype(np.uint8), frame.to_a)


def compare(frame: Frame, negative: bool, *, measure_drift: bool = False) -> Tiles:
    """Correlate the tiles of a with those of b, or of its negative.

    Only as much is done as is needed until nearly all tiles correlate: first both pictures are made equally sharp,
    then each tile takes the best of the shifts by one pixel.
    measure_drift: also where no tile needs a shift.
    """
    a, b = (soft(x - np.float32(128), SMOOTH) for x in (frame.a, frame.b))
    b = -b if negative else b
    inside = _all_of(frame.inside)
    left, right = Moments.of(a), Moments.of(b)
    correlation = correlate(left, right)
    drift: Drift | None = None
    seen = inside & (left.variance > TEXTURE**2 / 4) & (right.variance > TEXTURE**2 / 4)
    if _share(correlation[seen] > DIFFER) >= HOPE:
        if _share(correlation[seen] > AT_ONCE) < NEARLY:
            left, right = _equally_sharp(left, right, seen)
            correlation = correlate(left, right)
        if measure_drift or _share(correlation[seen] > AT_ONCE) < NEARLY:
            moved = _Moved(left, right)
            at = {(0, 0): correlation}
            for ring in SHIFTS:
                at |= {shift: moved.correlate(*shift) for shift in ring}
                correlation = np.max(list(at.values()), axis=0)
                if _share(correlation[seen] > AT_ONCE) >= NEARLY:
                    break
            drift = Drift.at_peak(at)
    alike = inside & (correlation > AGREE) & (left.variance > 1)
    gain = float(np.sqrt(median(right.variance[alike] / left.variance[alike]))) if alike.any() else 1.0
    gain = min(max(gain, 1 / MOST_GAIN), MOST_GAIN)
    return Tiles(
        correlation=correlation,
        drift=drift,
        textured_a=left.variance > (TEXTURE * min(1, 1 / gain)) ** 2,
        textured_b=right.variance > (TEXTURE * min(1, gain)) ** 2,
        inside=inside,
    )


@dataclass(frozen=True, slots=True)
class Moments:
    """A picture with the mean and the variance of each of its tiles."""

    picture: Floats
    mean: Floats
    variance: Floats

    @staticmethod
    def of(picture: Floats) -> Moments:
        """Of a (h, w) luminance about 0; sides are multiples of CELL."""
        mean = _tile_means(picture)
        return Moments(picture, mean, np.maximum(_tile_means(picture * picture) - mean * mean, 0))


def correlate(a: Moments, b: Moments) -> Floats:
    """(rows, columns) correlation of each tile of a with that of b, -1..1."""
    return _normalised(_tile_means(a.picture * b.picture) - a.mean * b.mean, a.variance, b.variance)


class _Moved:
    """Correlates the tiles of one picture with those of another that is moved by a pixel."""

    def __init__(self, left: Moments, right: Moments) -> None:
        self._left = left
        self._around = np.asarray(cv2.copyMakeBorder(right.picture, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.float32)
        self._squares = self._around * self._around
        self._product = np.empty_like(left.picture)

    def correlate(self, dy: int, dx: int) -> Floats:
        height, width = self._left.picture.shape
        window = slice(1 + dy, 1 + dy + height), slice(1 + dx, 1 + dx + width)
        picture = self._around[window]
        mean = _tile_means(picture)
        variance = np.maximum(_tile_means(self._squares[window]) - mean * mean, 0)
        together = _tile_means(np.multiply(self._left.picture, picture, out=self._product)) - self._left.mean * mean
        return _normalised(together, self._left.variance, variance)


def _normalised(together: Floats, variance_a: Floats, variance_b: Floats) -> Floats:
    return np.asarray(together / np.sqrt(np.maximum(variance_a * variance_b, 1e-3)))


def count(flags: Bools) -> int:
    """How many are set: what `flags.sum()` gives, in a tenth of the time."""
    return int(np.count_nonzero(flags))


def _share(flags: Bools) -> float:
    return count(flags) / flags.size if flags.size else 1.0


def refine(tiles: Tiles, frame: Frame, m: maps.Map) -> maps.Map:
    """The map from a to b, corrected by the homography that fits the drift of the tiles that agree."""
    rows, columns = np.nonzero(tiles.agree)
    if tiles.drift is None or len(rows) < LEAST_TO_REFINE:
        return m
    centres = np.stack([columns + 1, rows + 1], axis=1) * float(CELL) - 0.5
    moved = centres + tiles.drift.shift[rows, columns]
    weights = tiles.drift.certainty[rows, columns]
    pixels = maps.to_pixels((frame.a.shape[1], frame.a.shape[0]))
    correction = np.linalg.inv(pixels) @ maps.direct_homography(centres, moved, weights) @ pixels
    return np.asarray(m @ frame.to_a @ correction @ np.linalg.inv(frame.to_a))


def astray(tiles: Tiles, along: int) -> float:
    """How far from their places things lie, pixels: the median over areas of the mean drift of the tiles that agree.

    along: areas along each side of the frame. Noise goes in all directions within an area. What is left after `refine`
    has moved against the rest of the scene. 0 where the drift was not measured.
    """
    if tiles.drift is None:
        return 0.0
    rows, columns = (np.arange(n) * along // n for n in tiles.agree.shape)
    areas = (rows[:, None] * along + columns[None, :])[tiles.agree]
    count = np.bincount(areas)
    enough = count >= LEAST_IN_DRIFT
    if not enough.any():
        return 0.0
    told = tiles.drift.shift * tiles.drift.certainty
    x, y = (np.bincount(areas, axis)[enough] / count[enough] for axis in told[tiles.agree].T)
    return median(np.hypot(x, y))


def on_ground(frame: Frame, level: float) -> Bools:
    """(rows, columns) tiles of which at least half is within 4 grey levels of the background of a."""
    return np.asarray(_tile_means((np.abs(frame.a - np.float32(level)) <= 4).astype(np.float32)) >= 0.5)


def soft(x: Floats, sigma: float) -> Floats:
    """Blurred by a Gaussian of this sigma, pixels."""
    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma), np.float32)


def median(values: NDArray[np.floating[Any]]) -> float:
    """Of (N,) values, N > 0: what np.median gives, in a fifth of the time where they are few."""
    ordered = np.sort(values)
    return float((ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2)


def _tile_means(x: NDArray[np.float32]) -> Floats:
    """Mean of every tile: (h, w) -> (h / CELL - 1, w / CELL - 1)."""
    cells = x
    for _ in range(CELL.bit_length() - 1):  # halving is what OpenCV does fast
        half = cells.shape[1] // 2, cells.shape[0] // 2
        cells = np.asarray(cv2.resize(cells, half, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray((cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:]) / 4)


def _all_of(inside: NDArray[np.uint8]) -> Bools:
    """(rows, columns) tiles that lie wholly inside."""
    if inside.all():
        return np.ones((inside.shape[0] // CELL - 1, inside.shape[1] // CELL - 1), np.bool_)
    return _tile_means(inside.astype(np.float32)) > 0.999


def fineness(x: Moments, seen: Bools) -> float:
    """Median share of fine detail in the tiles that are seen, as a ratio of deviations."""
    fine = x.picture - soft(x.picture, FINE)
    shares = _tile_means(fine * fine)[seen] / np.maximum(x.variance[seen], 1e-3)
    return float(np.sqrt(median(shares)))


def smoothed(grey: Floats) -> Moments:
    """The moments of a (h, w) luminance, 0..255, as the tile test looks at it."""
    return Moments.of(soft(grey - np.float32(128), SMOOTH))


def sharper(a: Moments, b: Moments) -> float:
    """How many times finer a's detail is than b's, in the tiles that show the same, or its negative; 1 without any."""
    seen = (np.minimum(a.variance, b.variance) > TEXTURE**2) & (np.abs(correlate(a, b)) > AGREE)
    return fineness(a, seen) / max(fineness(b, seen), 1e-3) if seen.any() else 1.0


def _equally_sharp(a: Moments, b: Moments, seen: Bools) -> tuple[Moments, Moments]:
    """Blur the sharper of two pictures until it is as soft as the other."""
    if not seen.any():
        return a, b
    fine_a, fine_b = fineness(a, seen), fineness(b, seen)
    sharp, aim = (a, fine_b) if fine_a > fine_b else (b, fine_a)
    if max(fine_a, fine_b) <= SHARPER * aim:
        return a, b
    for sigma in BLURS:
        softer = Moments.of(soft(sharp.picture, sigma))
        if fineness(softer, seen) <= aim:
            break
    return (softer, b) if sharp is a else (a, softer)
