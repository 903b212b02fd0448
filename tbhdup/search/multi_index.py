"""Exact Hamming search by substrings: few codes are compared, and none is missed.

A code is cut into m substrings. Two codes within radius r = m k + a (0 <= a < m) agree to within k bits in one of the
first a + 1 substrings, or to within k - 1 bits in one of the others; otherwise their distance would be at least
(a + 1)(k + 1) + (m - a - 1) k = r + 1. So it suffices to look at equal or almost equal substrings.
(M. Norouzi, A. Punjani, D. J. Fleet. Fast Search in Hamming Space with Multi-Index Hashing. CVPR 2012.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import comb

import numpy as np
from numpy.typing import NDArray

from tbhdup.search.linear import Hits, Pairs, check, cross_join, pairs
from tbhdup.search.linear import neighbours as linear_neighbours
from tbhdup.values import CODE_BITS

PERSISTED_TABLES = 4
"""The tables of 16 bits that a store keeps, see `probes`: table t holds bits 16 t .. 16 t + 15."""

FOUND = np.dtype([("code", "<u8"), ("digest", "u1", (16,)), ("distance", "u1")])
"""One stored picture near a query."""

# Compared at a time: bounds the memory. 2**20 cells take about 50 MB with their positions.
CELLS = 1 << 20
# Two buckets with more cells than this are compared as a tile: 1 ns a cell, where listing the cells takes 30 ns.
DENSE = 1 << 12
# From so many codes on, three substrings of 21 and 22 bits beat four of 16 (the best width is about log2 n).
WIDE = 1 << 18


def self_join(codes: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
    """Every pair within the radius, once; as `linear.self_join`, in another order."""
    return Index(codes).self_join(radius)


def neighbours(codes: NDArray[np.uint64], query: int, radius: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """As `linear.neighbours`. Worth it only for an `Index` that is kept for many queries."""
    return Index(codes).neighbours(query, radius)


class Index:
    """Substring tables over codes in memory. Equal codes are collapsed: ten thousand blank pictures are one entry."""

    def __init__(self, codes: NDArray[np.uint64], tables: int | None = None) -> None:
        """codes: (n,) uint64; tables: number of substrings, by default fitted to n."""
        check(codes, 0)
        self._members = np.argsort(codes, kind="stable")  # positions, grouped by equal code, ascending in a group
        ordered = codes[self._members]
        new = np.ones(len(codes), bool)
        new[1:] = ordered[1:] != ordered[:-1]
        self._starts = np.flatnonzero(new)  # of every group, in _members
        self._sizes = np.diff(self._starts, append=len(codes))
        self._codes = ordered[self._starts]
        cuts = np.linspace(0, CODE_BITS, 1 + (tables or (3 if len(self._codes) >= WIDE else 4))).astype(int).tolist()
        self._tables = [_Table.over(self._codes, low, high) for low, high in pairwise(cuts)]

    def self_join(self, radius: int) -> Iterator[Pairs]:
        """Every pair within the radius, once, in blocks of bounded size. The order is fixed by the input."""
        check(self._codes, radius)
        return _joined(self._blocks(radius))

    def neighbours(self, query: int, radius: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The positions within the radius of one code, and their distances, sorted by (distance, position)."""
        check(self._codes, radius)
        limits = substring_radii(len(self._tables), radius)
        probes = sum(_ball(table.bits, limit) for table, limit in zip(self._tables, limits, strict=True))
        if probes < len(self._codes):
            group, distance = self._probe(query, limits, radius)
        else:  # more buckets to look into than there are codes
            group, distance = linear_neighbours(self._codes, query, radius)
        member = _ranges(self._starts[group], self._sizes[group])
        index, distance = self._members[member], np.repeat(distance, self._sizes[group])
        nearest = np.lexsort((index, distance))
        return index[nearest], distance[nearest]

    def _probe(self, query: int, limits: list[int], radius: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The distinct codes within the radius (their groups and distances), each by the first table that has it."""
        groups = [np.empty(0, np.int64)]
        for number, (table, limit) in enumerate(zip(self._tables, limits, strict=True)):
            own = int(table.substring(np.array([query], np.uint64))[0])
            value = own ^ patterns(table.bits, limit)
            start = table.offsets[value]
            position = _ranges(start, table.offsets[value + 1] - start)
            difference = table.codes[position] ^ np.uint64(query)
            keep = (np.bitwise_count(difference) <= radius) & self._is_first(number, limits, difference)
            groups.append(table.order[position[keep]])
        group = np.concatenate(groups)
        return group, np.bitwise_count(self._codes[group] ^ np.uint64(query))

    def _blocks(self, radius: int) -> Iterator[Pairs]:
        twins = np.flatnonzero(self._sizes > 1)
        yield from self._expand(twins, twins, np.zeros(len(twins), np.uint8))
        limits = substring_radii(len(self._tables), radius)
        for number, (table, limit) in enumerate(zip(self._tables, limits, strict=True)):
            for a, b, distance in table.close(limit, radius):
                keep = self._is_first(number, limits, table.codes[a] ^ table.codes[b])
                yield from self._expand(table.order[a[keep]], table.order[b[keep]], distance[keep])

    def _is_first(self, number: int, limits: list[int], difference: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether no earlier table finds the pair of codes that differ so: the rule that makes every pair come once."""
        first = np.ones(len(difference), bool)
        for table, limit in zip(self._tables[:number], limits, strict=False):
            first &= np.bitwise_count(table.substring(difference)) > limit
        return first

    def _expand(self, a: NDArray[np.int64], b: NDArray[np.int64], distance: NDArray[np.uint8]) -> Iterator[Pairs]:
        """From pairs of distinct codes (or a code with itself) to the pairs of the positions that carry them."""
        for which, i, j in _cells(self._starts[a], self._sizes[a], self._starts[b], self._sizes[b]):
            keep = (i < j) | (a != b)[which]
            yield pairs(self._members[i[keep]], self._members[j[keep]], distance[which[keep]])


@dataclass(frozen=True, slots=True)
class _Table:
    """The codes sorted by one substring."""

    low: int  # first bit
    bits: int
    order: NDArray[np.int64]  # positions of the codes, sorted by substring
    codes: NDArray[np.uint64]  # in that order, so that a bucket is read from one place
    offsets: NDArray[np.int64]  # 2**bits + 1: bucket v is order[offsets[v] : offsets[v + 1]]

    @classmethod
    def over(cls, codes: NDArray[np.uint64], low: int, high: int) -> _Table:
        value = _substring(codes, low, high - low)
        order = np.argsort(value, kind="stable")
        offsets = np.zeros((1 << high - low) + 1, np.int64)
        np.cumsum(np.bincount(value, minlength=1 << high - low), out=offsets[1:])
        return cls(low, high - low, order, codes[order], offsets)

    def substring(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        return _substring(codes, self.low, self.bits)

    def close(self, limit: int, radius: int) -> Iterator[Hits]:
        """Places a < b of codes within the radius whose substrings differ in at most `limit` bits; each pair once."""
        for value, other in self._buckets(limit):
            start, start_other = self.offsets[value], self.offsets[other]
            size, size_other = self.offsets[value + 1] - start, self.offsets[other + 1] - start_other
            dense = size * size_other > DENSE
            listed = ~dense
            for _, a, b in _cells(start[listed], size[listed], start_other[listed], size_other[listed]):
                distance = np.bitwise_count(self.codes[a] ^ self.codes[b])
                keep = np.flatnonzero((distance <= radius) & (a < b))
                yield a[keep], b[keep], distance[keep]
            for k in np.flatnonzero(dense):
                ours = self.codes[start[k] : start[k] + size[k]]
                theirs = self.codes[start_other[k] : start_other[k] + size_other[k]]
                for row, column, distance in cross_join(ours, theirs, radius):
                    a, b = start[k] + row, start_other[k] + column
                    keep = a < b
                    yield a[keep], b[keep], distance[keep]

    def _buckets(self, limit: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Filled buckets v <= w whose numbers differ in at most `limit` bits."""
        filled = self.offsets[1:] > self.offsets[:-1]
        values = np.flatnonzero(filled)
        flips = patterns(self.bits, limit)
        step = max(1, CELLS // max(1, len(values)))
        for first in range(0, len(flips), step):
            other = (values ^ flips[first : first + step, None]).ravel()
            value = np.broadcast_to(values, (len(other) // max(1, len(values)), len(values))).ravel()
            meet = np.flatnonzero((value <= other) & filled[other])
            yield value[meet], other[meet]


def probes(code: int, radius: int, bucket: Callable[[int, int], NDArray[np.void]]) -> NDArray[np.void]:
    """The stored pictures within the radius of one code, from substring tables that are kept elsewhere.

    bucket(t, value) gives the pictures whose bits 16 t .. 16 t + 15 are `value` (t = 0..3), as a structured array with
    the fields "code" (uint64) and "digest" (16 uint8). Returns a FOUND array, every picture once, sorted by
    (distance, digest). At radius 8 it asks for 188 buckets, at 16 for 4,608.
    """
    check(np.empty(0, np.uint64), radius)
    limits = substring_radii(PERSISTED_TABLES, radius)
    found = [np.empty(0, FOUND)]
    width = CODE_BITS // PERSISTED_TABLES
    for table, limit in enumerate(limits):
        own = code >> table * width & (1 << width) - 1
        for value in (own ^ patterns(width, limit)).tolist():
            hits = bucket(table, value)
            if not len(hits):
                continue
            difference = hits["code"] ^ np.uint64(code)
            distance = np.bitwise_count(difference)
            keep = distance <= radius
            for earlier in range(table):  # otherwise it was found there already
                keep &= np.bitwise_count(_substring(difference, earlier * width, width)) > limits[earlier]
            if keep.any():
                near = np.empty(np.count_nonzero(keep), FOUND)
                near["code"], near["digest"] = hits["code"][keep], hits["digest"][keep]
                near["distance"] = distance[keep]
                found.append(near)
    every = np.concatenate(found)
    digest = np.ascontiguousarray(every["digest"]).view(">u8")
    return every[np.lexsort((digest[:, 1], digest[:, 0], every["distance"]))]


def substring_radii(tables: int, radius: int) -> list[int]:
    """How far to search in every table (bits); -1: the table need not be searched."""
    k, a = divmod(radius, tables)
    return [k if table <= a else k - 1 for table in range(tables)]


@lru_cache(maxsize=16)
def patterns(bits: int, limit: int) -> NDArray[np.int64]:
    """The numbers of so many bits of which at most `limit` are set, ascending."""
    numbers = np.arange(1 << bits, dtype=np.int64)
    chosen = numbers[np.bitwise_count(numbers) <= limit]
    chosen.flags.writeable = False
    return chosen


def _ball(bits: int, limit: int) -> int:
    """The length of patterns(bits, limit), without listing them."""
    return sum(comb(bits, flips) for flips in range(limit + 1))


def _substring(codes: NDArray[np.uint64], low: int, bits: int) -> NDArray[np.int64]:
    return (codes >> np.uint64(low) & np.uint64((1 << bits) - 1)).astype(np.int64)


def _ranges(start: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """start[0] .. start[0] + size[0] - 1, start[1] .. and so on."""
    before = np.cumsum(size) - size
    return np.asarray(np.arange(size.sum(), dtype=np.int64) + np.repeat(start - before, size), np.int64)


def _cells(
    row_start: NDArray[np.int64],
    rows: NDArray[np.int64],
    column_start: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Every cell (rectangle, row, column) of many rectangles, at most CELLS at a time, however large one of them is."""
    size = rows * columns
    end = np.cumsum(size)
    total = int(end[-1]) if len(end) else 0
    for low in range(0, total, CELLS):
        high = min(low + CELLS, total)
        first, last = np.searchsorted(end, [low, high - 1], side="right")
        begin, stop = end[first : last + 1] - size[first : last + 1], end[first : last + 1]
        part = np.minimum(stop, high) - np.maximum(begin, low)
        which = np.repeat(np.arange(first, last + 1), part)
        cell = np.arange(low, high) - np.repeat(begin, part)
        row, column = np.divmod(cell, columns[which])
        yield which, row_start[which] + row, column_start[which] + column


def _joined(blocks: Iterator[Pairs], enough: int = 1 << 16) -> Iterator[Pairs]:
    """Small blocks put together, since every block costs its reader some time; empty ones vanish."""
    waiting: list[Pairs] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count >= enough:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if count:
        yield np.concatenate(waiting)
