"""The plain scan: every code against every other. Nothing is faster to trust, so it is the oracle of the index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tbhdup.values import CODE_BITS

PAIR = np.dtype([("i", "<i8"), ("j", "<i8"), ("distance", "u1")])
"""Two positions of a code array, i < j, and the Hamming distance of their codes in bits."""

Pairs = NDArray[np.void]
Hits = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]

# One tile holds 1 M differences (8 MB), which bounds the memory whatever the number of codes. Tiles are wide, because
# the fewer rows meet a column at once, the earlier a caller that keeps the best of every column can turn others away.
ROWS, COLUMNS = 128, 8192


def self_join(codes: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
    """Every pair within the radius, once, in blocks ordered by rows of tiles.

    codes: (n,) uint64; radius: bits, inclusive. Yields PAIR arrays, none empty, at most ROWS * COLUMNS long.
    Raises ValueError when the codes or the radius are of no use.
    """
    check(codes, radius)
    for top in range(0, len(codes), ROWS):
        for row, column, distance in cross_join(codes[top : top + ROWS], codes[top:], radius):
            upper = column > row
            if upper.any():
                yield pairs(top + row[upper], top + column[upper], distance[upper])


def neighbours(codes: NDArray[np.uint64], query: int, radius: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The positions within the radius of one code, and their distances, sorted by (distance, position).

    codes: (n,) uint64; query: 0 .. 2**64 - 1; radius: bits, inclusive.
    """
    check(codes, radius)
    hits = list(cross_join(np.array([query], np.uint64), codes, radius))
    index = np.concatenate([np.empty(0, np.int64), *(column for _, column, _ in hits)])
    distance = np.concatenate([np.empty(0, np.uint8), *(d for _, _, d in hits)])
    nearest = np.argsort(distance, kind="stable")
    return index[nearest], distance[nearest]


def cross_join(a: NDArray[np.uint64], b: NDArray[np.uint64], radius: int) -> Iterator[Hits]:
    """Rows of a, columns of b and their distances where they are within the radius, tile by tile.

    a: (n,), b: (m,) codes. Yields (rows, columns, distances) of equal length, none empty.
    """
    for top in range(0, len(a), ROWS):
        for left in range(0, len(b), COLUMNS):
            across = b[left : left + COLUMNS]
            distance = np.bitwise_count(a[top : top + ROWS, None] ^ across).ravel()
            hit = np.flatnonzero(distance <= radius)
            if len(hit):
                row, column = np.divmod(hit, len(across))
                yield top + row, left + column, distance[hit]


def pairs(i: NDArray[np.int64], j: NDArray[np.int64], distance: NDArray[np.uint8]) -> Pairs:
    """A PAIR array of two lists of positions, in any order within a pair."""
    out = np.empty(len(i), PAIR)
    out["i"], out["j"], out["distance"] = np.minimum(i, j), np.maximum(i, j), distance
    return out


def check(codes: NDArray[np.uint64], radius: int) -> None:
    """Raise ValueError unless the codes are a flat array of uint64 and the radius fits them."""
    if codes.ndim != 1 or codes.dtype != np.uint64:
        raise ValueError(f"codes must be a flat array of uint64, not {codes.dtype} of shape {codes.shape}")
    if not 0 <= radius <= CODE_BITS:
        raise ValueError(f"a Hamming radius lies in 0..{CODE_BITS}, not {radius}")
