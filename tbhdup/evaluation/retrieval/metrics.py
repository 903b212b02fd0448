"""How well codes rank a database, exactly averaged over every order of what lies at the same distance.

With 16 bits and 50,000 pictures nearly all neighbours are ties. A ranking by Hamming distance is therefore kept as what
it is: for every query the number of items, and of relevant items, at each distance. All figures are read off that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]

RADIUS = 2  # of the lookup whose precision is told


@dataclass(frozen=True, slots=True)
class Ranking:
    """Items of the database at each Hamming distance. items, relevant: (q, M + 1) counts."""

    items: NDArray[np.int64]
    relevant: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the queries, each 0..1; `recall` and `precision` have one value a radius 0..M."""

    map_hits: float  # mAP@k, each query's sum divided by the hits among its first k; 0 without a hit
    map_min: float  # mAP@k, divided by min(k, relevant items of the database): the stricter
    map_all: float  # mAP over the whole database
    precision_100: float
    precision_1000: float
    precision_radius: float  # within RADIUS bits; a query with nothing there counts 0
    empty_radius: float  # share of queries with nothing within RADIUS bits
    recall: tuple[float, ...]
    precision: tuple[float, ...]  # over the queries that find anything within the radius


def rank(queries: Bits, database: Bits, query_labels: Bits, labels: Bits) -> Ranking:
    """Count the database around each query. codes: (q, M), (n, M), M <= 64; labels: (q, c), (n, c) class memberships.

    Relevant is what shares a class with the query.
    """
    bits = queries.shape[1]
    packed = _pack(database)
    # Queries of one set of classes have the same relevant items: the mask is made once for each such set.
    kinds, kind = np.unique(query_labels, axis=0, return_inverse=True)
    items = np.zeros((len(queries), bits + 1), np.int64)
    relevant = np.zeros_like(items)
    asked = _pack(queries)
    for number, classes in enumerate(kinds):
        shared = packed[labels[:, classes].any(axis=1)]
        for query in np.flatnonzero(kind.ravel() == number):
            items[query] = np.bincount(np.bitwise_count(packed ^ asked[query]), minlength=bits + 1)
            relevant[query] = np.bincount(np.bitwise_count(shared ^ asked[query]), minlength=bits + 1)
    return Ranking(items, relevant)


def _pack(codes: Bits) -> NDArray[np.uint64]:
    octets = np.zeros((len(codes), 8), np.uint8)
    packed = np.packbits(codes, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    return octets.view("<u8").astype(np.uint64).ravel()


def score(ranking: Ranking, k: int) -> Scores:
    """All figures of a ranking; k: the length of the list that mAP@k looks at."""
    by_hits, by_min = average_precision(ranking, k)
    _, over_all = average_precision(ranking, int(ranking.items[0].sum()))
    found = ranking.items.cumsum(axis=1)
    right = ranking.relevant.cumsum(axis=1)
    share = np.divide(right, found, out=np.zeros(found.shape), where=found > 0)
    some = (found > 0).sum(axis=0)
    wanted = np.maximum(right[:, -1:], 1)
    near = min(RADIUS, share.shape[1] - 1)
    return Scores(
        map_hits=float(by_hits.mean()),
        map_min=float(by_min.mean()),
        map_all=float(over_all.mean()),
        precision_100=float(precision_at(ranking, 100).mean()),
        precision_1000=float(precision_at(ranking, 1000).mean()),
        precision_radius=float(share[:, near].mean()),
        empty_radius=float((found[:, near] == 0).mean()),
        recall=tuple((right / wanted).mean(axis=0).tolist()),
        precision=tuple((share.sum(axis=0) / np.maximum(some, 1)).tolist()),
    )


def precision_at(ranking: Ranking, k: int) -> Floats:
    """Expected share of relevant items among the first k of each query; (q,). k beyond the database: all of it."""
    before = ranking.items.cumsum(axis=1) - ranking.items
    taken = np.clip(min(k, int(ranking.items[0].sum())) - before, 0, ranking.items)
    hits = (ranking.relevant * _ratio(taken, ranking.items)).sum(axis=1)
    return np.asarray(hits / taken.sum(axis=1))


def average_precision(ranking: Ranking, k: int) -> tuple[Floats, Floats]:
    """Each query's expected AP@k over all orders within the ties, by the hits found and by min(k, relevant): (q,) each.

    Within a tie of n items, r of them relevant, behind N items and H hits, position j has a hit with r / n, and given
    that H + 1 + (j - N - 1)(r - 1)/(n - 1) hits up to it (McSherry & Najork, ECIR 2008). The tie that k cuts has a
    random number of hits before the cut, hypergeometrically distributed; given it, its first positions are a tie of
    their own. So the expectation of the quotient by hits is exact, too.
    """
    items, relevant = ranking.items, ranking.relevant
    k = min(k, int(items[0].sum()))
    behind, hits = items.cumsum(axis=1) - items, relevant.cumsum(axis=1) - relevant
    whole = behind + items <= k
    sums = np.where(whole, _tie(behind, hits, items, relevant), 0.0).sum(axis=1)
    found = np.where(whole, relevant, 0).sum(axis=1)
    by_hits, total = _ratio(sums, found), sums.copy()
    for query, distance in zip(*np.nonzero((behind < k) & ~whole), strict=True):
        n, r = int(items[query, distance]), int(relevant[query, distance])
        length = k - int(behind[query, distance])
        inside = np.arange(max(0, length - (n - r)), min(r, length) + 1)
        chance = _hypergeometric(inside, n, r, length)
        outcomes = sums[query] + _tie(behind[query, distance], hits[query, distance], np.array(length), inside)
        total[query] = chance @ outcomes
        by_hits[query] = chance @ _ratio(outcomes, found[query] + inside)
    return by_hits, _ratio(total, np.minimum(k, relevant.sum(axis=1)))


def _tie(
    behind: NDArray[np.int64], hits: NDArray[np.int64], items: NDArray[np.int64], relevant: NDArray[np.int64]
) -> Floats:
    """Expected sum of the precisions at the relevant positions of one tie."""
    end = behind + items
    harmonic = _harmonic(_roomy(int(end.max())))
    inverse = harmonic[end] - harmonic[behind]  # sum of 1/j
    later = items - (behind + 1) * inverse  # sum of (j - behind - 1)/j
    slope = np.where(items > 1, (relevant - 1) / np.maximum(items - 1, 1), 0.0)
    return np.asarray(_ratio(relevant, items) * ((hits + 1) * inverse + slope * later))


def _hypergeometric(hits: NDArray[np.int64], items: int, relevant: int, drawn: int) -> Floats:
    """Chance of so many hits among `drawn` of `items` of which `relevant` count."""
    factorial = _log_factorial(_roomy(items))

    def choose(n: int, k: NDArray[np.int64]) -> Floats:
        return np.asarray(factorial[n] - factorial[k] - factorial[n - k])

    log = choose(relevant, hits) + choose(items - relevant, drawn - hits) - choose(items, np.array(drawn))
    return np.asarray(np.exp(log))


def _roomy(size: int) -> int:
    """The next power of two, so that few tables serve all sizes."""
    return 1 << size.bit_length()


@lru_cache(maxsize=24)
def _harmonic(size: int) -> Floats:
    """1 + 1/2 + ... + 1/n for n = 0..size."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, size + 1))])


@lru_cache(maxsize=24)
def _log_factorial(size: int) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])


def _ratio(above: NDArray[np.generic], below: NDArray[np.generic]) -> Floats:
    """Quotient, 0 where the divisor is 0."""
    whole, part = np.broadcast_arrays(np.asarray(below, np.float64), np.asarray(above, np.float64))
    return np.asarray(np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0))
