"""Time both self-joins, for the table in tbhdup/search/choice.py: python tests/bench/search_choice.py [N ...]."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tbhdup.search import linear, multi_index


def uniform(n: int) -> NDArray[np.uint64]:
    return np.random.default_rng(0).integers(0, 2**64, n, dtype=np.uint64)


def clustered(n: int) -> NDArray[np.uint64]:
    """Signs of points around twice as many centres as codes, drawn by Zipf's law, in 24 dimensions."""
    rng = np.random.default_rng(0)
    mixture = rng.normal(size=(24, 64))
    centre = rng.normal(size=(2 * n, 24))
    share = 1 / np.arange(1, 2 * n + 1)
    who = rng.choice(2 * n, n, p=share / share.sum())
    codes = np.empty(n, np.uint64)
    for first in range(0, n, 100_000):
        near = centre[who[first : first + 100_000]]
        points = near + 0.4 * rng.random((len(near), 1)) * rng.normal(size=near.shape)
        codes[first : first + len(near)] = np.packbits(points @ mixture > 0, axis=1).view(np.uint64)[:, 0]
    return codes


def seconds(
    join: Callable[[NDArray[np.uint64], int], Iterator[object]], codes: NDArray[np.uint64], radius: int
) -> float:
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in join(codes, radius):
            pass
        taken.append(time.perf_counter() - start)
    return min(taken)


if __name__ == "__main__":
    for n in [int(size) for size in sys.argv[1:]] or [2_000, 20_000, 50_000]:
        for make in (uniform, clustered):
            codes = make(n)
            scan = seconds(linear.self_join, codes, 6)
            ratios = {r: round(seconds(multi_index.self_join, codes, r) / scan, 2) for r in (4, 8, 10, 12, 14)}
            print(f"{n:>9,} {make.__name__:<10} scan {scan:.4f} s, index / scan by radius {ratios}", flush=True)
