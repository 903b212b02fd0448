"""Maps from one picture to another: 3 x 3 matrices between their unit squares, x to the right and y down.

A point of the picture's plane is (x / width, y / height); pixel (0, 0) covers (0..1 / width, 0..1 / height).
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating[Any]]
Points = NDArray[np.floating[Any]]

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
NEXT = [1, 2, 3, 0]  # corner after each corner of the square


@cache
def orientations() -> tuple[Map, ...]:
    """The eight maps of the whole square onto itself: turned by quarters, mirrored or not; the identity first."""
    found: list[Map] = []
    for swap, flip_x, flip_y in product((False, True), repeat=3):
        m = np.eye(3)
        if swap:
            m[:2] = m[[1, 0]]
        for row, flip in ((0, flip_x), (1, flip_y)):
            if flip:
                m[row] = [0, 0, 1] - m[row]
        found.append(m)
    return tuple(found)


def from_pixels(m: Map, shape_a: tuple[int, int], shape_b: tuple[int, int]) -> Map:
    """A map between pixel indices (centres at whole numbers), as a map between unit squares. Shapes: width, height."""
    return np.asarray(np.linalg.inv(to_pixels(shape_b)) @ m @ to_pixels(shape_a))


def to_pixels(shape: tuple[int, int]) -> Map:
    """From the unit square to pixel indices of a picture of this width and height."""
    return np.array([[shape[0], 0, -0.5], [0, shape[1], -0.5], [0, 0, 1]], np.float64)


def apply(m: Map, points: Points) -> Points:
    """Where a map takes (N, 2) points."""
    moved = points @ m[:, :2].T + m[:, 2]
    return np.asarray(moved[:, :2] / moved[:, 2:])


def is_sane(m: Map) -> bool:
    """Whether a map keeps the square's corners in front of the horizon, convex, finite and invertible."""
    if not np.isfinite(m).all():
        return False
    depth = SQUARE @ m[2, :2] + m[2, 2]
    if (depth <= 0.2 * abs(m[2, 2])).any():
        return False
    quad = apply(m, SQUARE)
    sides = quad[NEXT] - quad
    turns = sides[:, 0] * sides[NEXT, 1] - sides[:, 1] * sides[NEXT, 0]
    return bool((turns > 1e-6).all() or (turns < -1e-6).all())


def overlap(m: Map) -> NDArray[np.float64]:
    """(N, 2) corners of the part of the target's square that the mapped square covers; N = 0: none.

    Sutherland-Hodgman: the quadrilateral is clipped by one side of the square after the other.
    """
    return _clipped(np.asarray(m, np.float64).tobytes())


@lru_cache(8)  # a map is asked for a few times in a row
def _clipped(m: bytes) -> NDArray[np.float64]:
    corners: list[list[float]] = apply(np.frombuffer(m).reshape(3, 3), SQUARE).tolist()
    for axis, limit in ((0, 0.0), (0, 1.0), (1, 0.0), (1, 1.0)):
        sign = 1.0 if limit == 0 else -1.0
        kept = []
        for k, (x, y) in enumerate(corners):
            u, v = corners[k - 1]
            before, after = sign * ((u, v)[axis] - limit), sign * ((x, y)[axis] - limit)
            if (before < 0) != (after < 0):
                part = before / (before - after)
                kept.append([u + (x - u) * part, v + (y - v) * part])
            if after >= 0:
                kept.append([x, y])
        corners = kept
    found = np.array(corners, np.float64).reshape(-1, 2)
    found.flags.writeable = False
    return found


def area(corners: NDArray[np.float64]) -> float:
    """Area of a polygon with (N, 2) corners."""
    points: list[list[float]] = corners.tolist()
    return abs(sum(points[k - 1][0] * y - points[k - 1][1] * x for k, (x, y) in enumerate(points))) / 2


def distance(m: Map, other: Map) -> float:
    """How far apart two maps put the farthest of the square's corners."""
    return float(np.linalg.norm(apply(m, SQUARE) - apply(other, SQUARE), axis=1).max())


def skew(m: Map) -> float:
    """How far from upright a map leaves the square's sides, after a turn by quarters, as a share of the square's side.

    0 for a map that crops, pads, stretches and mirrors. The same from either side, about.
    """
    return max(_skew(m), _skew(np.asarray(np.linalg.inv(m))))


def _skew(m: Map) -> float:
    x, y = apply(m, SQUARE).T
    left, right, top, bottom = [0, 3], [1, 2], [0, 1], [2, 3]
    upright = max(_slope(x[left], x[right]), _slope(y[top], y[bottom]))
    return min(upright, max(_slope(x[top], x[bottom]), _slope(y[left], y[right])))


def _slope(ends: Points, others: Points) -> float:
    """Of two opposite sides by the places (2,) of their ends across them, the steeper one's."""
    apart = abs(float(ends.mean() - others.mean()))
    return float(max(np.ptp(ends), np.ptp(others))) / max(apart, 1e-9)


def linearised(m: Map, at: NDArray[np.float64]) -> Map:
    """The affine map that equals `m` and its derivative at one point (2,)."""
    w = float(m[2, :2] @ at + m[2, 2])
    image = (m[:2, :2] @ at + m[:2, 2]) / w
    slope = (m[:2, :2] - np.outer(image, m[2, :2])) / w
    affine = np.eye(3)
    affine[:2, :2] = slope
    affine[:2, 2] = image - slope @ at
    return affine


def direct_homography(source: Points, target: Points, weights: Points | None = None) -> Map:
    """The homography from (N, 2) points to others, N >= 4: normalised direct linear transform.

    weights: (N, 2), of each coordinate of the target; None: they count alike.
    R. Hartley and A. Zisserman, Multiple View Geometry in Computer Vision, algorithm 4.2. The scale is such that the
    last element is 1.
    """

    def normal(points: Points) -> Map:
        centre = points.mean(axis=0)
        spread = max(float(np.abs(points - centre).mean()), 1e-6)
        return np.array([[1 / spread, 0, -centre[0] / spread], [0, 1 / spread, -centre[1] / spread], [0, 0, 1]])

    n, k = normal(source), normal(target)
    (x, y), (u, v) = apply(n, source).T, apply(k, target).T
    homogeneous = np.stack([x, y, np.ones_like(x)])
    p, q = (weights * weights).T if weights is not None else np.ones((2, len(x)))
    # Each point gives two equations, (x y 1 0 0 0 -ux -uy -u) and (0 0 0 x y 1 -vx -vy -v); this is the sum of the
    # products of each with itself, by the blocks of 3 x 3 that differ.
    sums = np.zeros((3, 3, 3, 3))  # block row, row, block column, column
    for row, column, weight in ((0, 0, p), (1, 1, q), (0, 2, -p * u), (1, 2, -q * v), (2, 2, p * u * u + q * v * v)):
        sums[row, :, column] = sums[column, :, row] = (homogeneous * weight) @ homogeneous.T
    solution = np.linalg.svd(sums.reshape(9, 9))[2][-1].reshape(3, 3)
    m = np.linalg.inv(k) @ solution @ n
    return np.asarray(m / m[2, 2])
