"""The choice between the two searches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tbhdup.search import linear, multi_index
from tbhdup.search.linear import Pairs

LARGEST_RADIUS = ((200_000, 12), (50_000, 10), (2_000, 8), (0, -1))
"""From so many codes on, the largest radius at which the index wins."""


def choose(n: int, radius: int) -> Literal["linear", "multi_index"]:
    """The faster self-join of n codes.

    Measured with one core (AVX2): seconds of the scan, and seconds of the index as a share of that, for uniform codes
    and for clustered ones (twice as many centres as codes, of 24 degrees of freedom, drawn by Zipf's law). Made by
    `tests/bench/search_choice.py`.

        n         scan      radius 4      8            10           12           14
          2,000    0.003 s   0.61  0.82   0.94  1.30   1.40  1.74   2.94  2.51   5.41  3.68
         20,000    0.17 s    0.07  0.27   0.21  0.88   0.41  1.33   1.01  1.73   2.02  2.59
         50,000    1.0 s     0.04  0.24   0.19  0.58   0.41  0.84   0.91  1.19   1.71  1.85
        200,000   15 s       0.02  0.15   0.09  0.37   0.18  0.52   0.43  0.73   0.83  1.10
    """
    largest = next(radius for least, radius in LARGEST_RADIUS if n >= least)
    return "multi_index" if radius <= largest else "linear"


def self_join(codes: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
    """Every pair within the radius, once, in blocks of bounded size, by whichever search is the faster.

    codes: (n,) uint64; radius: bits, inclusive. Yields PAIR arrays; their order is fixed by the codes.
    """
    search = {"linear": linear.self_join, "multi_index": multi_index.self_join}[choose(len(codes), radius)]
    return search(codes, radius)


def neighbours(codes: NDArray[np.uint64], query: int, radius: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The positions within the radius of one code, and their distances, sorted by (distance, position).

    For one query the scan always wins, since the index would have to be built first. Many queries of the same codes
    go to a `multi_index.Index`.
    """
    return linear.neighbours(codes, query, radius)
