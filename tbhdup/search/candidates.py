"""From near codes to candidate pairs: the latents rank them, and every picture keeps its best few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tbhdup.search.choice import self_join
from tbhdup.values import CODE_BITS

CANDIDATE = np.dtype([("i", "<i8"), ("j", "<i8"), ("distance", "u1"), ("cosine", "<f4")])
"""Two positions, i < j, the Hamming distance of their codes (bits) and the cosine of their latents (-1..1)."""

Candidates = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of pictures that may be pictures of their own."""

    codes: NDArray[np.uint64]  # (m,)
    latents: NDArray[np.int8]  # (m, d)
    owners: NDArray[np.int64]  # (m,) the position of the picture that each is a part of


PART_NEARER = 0.1  # of the cosine: what frames and bars have in common is no reason for a look

# A product of matrices takes 3 ns a cell, reading two latents from anywhere and multiplying them 100 ns a pair.
GAIN = 32
AREA = 1 << 22  # cells of one product of matrices, 16 MB
GATHER = 1 << 13  # pairs whose latents are read at a time: 8 MB

# How good j is for i, in one number, the better the larger: 31 bits of cosine, 7 of distance, 26 of position.
POSITION_BITS = 26
LAST = (1 << POSITION_BITS) - 1
ONE = 0x3F800000  # 1.0 as float32


def candidates(
    codes: NDArray[np.uint64],
    latents: NDArray[np.int8],
    radius: int,
    cosine: float,
    limit: int,
    parts: Parts | None = None,
) -> Candidates:
    """The pairs within the radius and of at least that cosine, as far as they are among the best of either picture.

    codes: (n,) uint64; latents: (n, d) int8, d <= 1024; radius: bits, inclusive; cosine: compared as float32.
    parts: parts of the pictures, which are compared with wholes, not with each other, and have to be nearer by
    PART_NEARER; two pictures are as near as the best of these comparisons says.
    A pair stays when it is among the `limit` best of i or of j; better is the larger cosine, then the smaller
    distance, then the smaller position of the other one. Returns a CANDIDATE array sorted by (i, j).
    The cosine is exact: an integer product, divided in float64 and rounded once to float32; that of a latent of zeros
    is 0. Memory: the input, some 300 MB at most for the blocks, and 16 bytes a kept pair and picture.
    Raises ValueError when the arrays do not fit together or hold more than 67 million pictures.
    """
    if latents.shape[:1] != codes.shape or latents.ndim != 2 or latents.dtype != np.int8 or latents.shape[1] > 1024:
        raise ValueError(f"latents must be int8, one row a code, not {latents.dtype} of shape {latents.shape}")
    if limit < 1 or len(codes) > LAST:
        raise ValueError(f"at least 1 candidate a picture (not {limit}), at most {LAST} pictures (not {len(codes)})")
    n = len(codes)
    if parts is not None:
        codes, latents = np.concatenate([codes, parts.codes]), np.concatenate([latents, parts.latents])
    norm = np.concatenate([_dots(latents[part], latents[part]) for part in _parts(len(latents))]).astype(np.float64)
    best = _Best(n, limit, repeats=parts is not None)
    for block in self_join(codes, radius):
        i, j, distance = block["i"], block["j"], block["distance"]
        value = _cosines(latents, norm, i, j)
        keep = value >= np.float32(cosine)
        if parts is not None:
            j, keep = _as_pictures(n, parts, i, j, keep, value >= np.float32(cosine + PART_NEARER))
        best.offer(i[keep], j[keep], distance[keep], value[keep])
    return best.candidates()


def _as_pictures(
    n: int,
    parts: Parts,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    near: NDArray[np.bool_],
    nearer: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Pairs i < j of wholes (below n) and parts: j as the picture that it belongs to, and which pairs to keep.

    near, nearer: whether a pair is near enough for two wholes, and for a part and a whole.
    """
    picture = np.concatenate([np.arange(n), parts.owners])[j]
    return picture, np.where(j >= n, nearer & (i < n) & (i != picture), near)


class _Best:
    """The best few of every picture, from a stream of pairs in any order; repeats: a pair may come more than once."""

    def __init__(self, n: int, limit: int, repeats: bool) -> None:
        self._limit = limit
        self._repeats = repeats
        self._floor = np.zeros(n, np.uint64)  # what a newcomer has to beat; 0: there is room
        self._owner = np.empty(0, np.int32)
        self._key = np.empty(0, np.uint64)
        self._waiting: list[tuple[NDArray[np.int32], NDArray[np.uint64]]] = []
        self._count = 0

    def offer(
        self,
        i: NDArray[np.int64],
        j: NDArray[np.int64],
        distance: NDArray[np.uint8],
        cosine: NDArray[np.float32],
    ) -> None:
        rank = (_ordinal(cosine) << 7 | CODE_BITS - distance.astype(np.int64)) << POSITION_BITS
        for owner, other in ((i, j), (j, i)):
            key = (rank | LAST - other).view(np.uint64)
            better = np.flatnonzero(key > self._floor[owner])
            if len(better):
                self._waiting.append((owner[better].astype(np.int32), key[better]))
                self._count += len(better)
        if self._count > max(1 << 20, 2 * len(self._key)):
            self._settle()

    def _settle(self) -> None:
        """Sort what has gathered by owner and key, keep the best of every owner, raise the floors."""
        owner = np.concatenate([self._owner, *(owner for owner, _ in self._waiting)])
        key = np.concatenate([self._key, *(key for _, key in self._waiting)])
        self._waiting, self._count = [], 0
        order = np.argsort(~key)  # keys of one owner and another picture differ, or say the same
        order = order[np.argsort(owner[order], kind="stable")]
        owner, key = owner[order], key[order]
        if self._repeats:
            pair = owner.astype(np.int64) << POSITION_BITS | (key.view(np.int64) & LAST)
            first = np.sort(np.unique(pair, return_index=True)[1])
            owner, key = owner[first], key[first]
        start = np.flatnonzero(np.diff(owner, prepend=-1))
        place = np.arange(len(owner)) - np.repeat(start, np.diff(start, append=len(owner)))
        full = place == self._limit - 1
        self._floor[owner[full]] = key[full]
        self._owner, self._key = owner[place < self._limit], key[place < self._limit]

    def candidates(self) -> Candidates:
        self._settle()
        owner, key = self._owner.astype(np.int64), self._key.view(np.int64)
        other = LAST - (key & LAST)
        i, j = np.minimum(owner, other), np.maximum(owner, other)
        _, kept = np.unique(i * len(self._floor) + j, return_index=True)
        out = np.empty(len(kept), CANDIDATE)
        out["i"], out["j"] = i[kept], j[kept]
        out["distance"] = CODE_BITS - (key[kept] >> POSITION_BITS & 127)
        out["cosine"] = _from_ordinal(key[kept] >> POSITION_BITS + 7 & (1 << 31) - 1)  # without the sign of a full word
        return out


def _ordinal(cosine: NDArray[np.float32]) -> NDArray[np.int64]:
    """The place of a float32 in -1..1 among all of them, 0..2**31 - 1: sign and magnitude become an integer."""
    magnitude = np.abs(cosine).view(np.int32).astype(np.int64)
    return ONE + np.where(cosine < 0, -magnitude, magnitude)


def _from_ordinal(ordinal: NDArray[np.int64]) -> NDArray[np.float32]:
    signed = ordinal - ONE
    magnitude = np.abs(signed).astype(np.int32).view(np.float32)
    return np.where(signed < 0, -magnitude, magnitude)


def _cosines(
    latents: NDArray[np.int8], norm: NDArray[np.float64], i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Cosines of rows i and j, (p,); norm: (n,) squared lengths. Never above 1, since rounding keeps the order."""
    length = np.sqrt(norm[i] * norm[j])
    cosine = np.zeros(len(i), np.float64)
    np.divide(_products(latents, i, j), length, out=cosine, where=length > 0)
    return cosine.astype(np.float32)


def _products(latents: NDArray[np.int8], i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int32]:
    """Dot products of rows i and j, (p,), by whichever way is the faster for these pairs."""
    if len(i) > GATHER:
        (rows, row), (columns, column) = _distinct(i, len(latents)), _distinct(j, len(latents))
        if len(rows) * len(columns) <= min(GAIN * len(i), AREA):
            table = latents[rows].astype(np.float32) @ latents[columns].astype(np.float32).T
            return table[row, column].astype(np.int32)
    return np.concatenate([_dots(latents[i[part]], latents[j[part]]) for part in _parts(len(i))])


def _dots(a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int32]:
    """Row by row. Exact in float32 whatever the order of the sum: no part of it exceeds 2**14 * 1024 = 2**24."""
    return np.asarray(np.vecdot(a.astype(np.float32), b.astype(np.float32)), np.int32)


def _distinct(index: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different values of index, ascending, and the place of every value among them; n is above all of them."""
    seen = np.zeros(n, bool)
    seen[index] = True
    values = np.flatnonzero(seen)
    place = np.empty(n, np.int64)
    place[values] = np.arange(len(values))
    return values, place[index]


def _parts(n: int) -> list[slice]:
    return [slice(first, first + GATHER) for first in range(0, max(1, n), GATHER)]
