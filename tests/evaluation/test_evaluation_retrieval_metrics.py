"""The retrieval figures against every order of what lies at the same distance, one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tbhdup.evaluation.retrieval.metrics import Ranking, average_precision, precision_at, rank, score


def orders(ties: list[tuple[int, int]]) -> list[list[int]]:
    """Every ranked list of hits: ties are (items, relevant) by growing distance; each arrangement once."""
    each = [sorted(set(itertools.permutations([1] * r + [0] * (n - r)))) for n, r in ties]
    return [list(itertools.chain(*parts)) for parts in itertools.product(*each)]


def by_hand(hits: list[int], k: int) -> tuple[float, float]:
    found, total = 0, 0.0
    for place, hit in enumerate(hits[:k], 1):
        found += hit
        total += hit * found / place
    return (total / found if found else 0.0), (total / min(k, sum(hits)) if sum(hits) else 0.0)


TIES = st.lists(st.integers(0, 4).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=4)


@settings(deadline=None)
@given(ties=TIES.filter(lambda t: sum(n for n, _ in t) > 0), k=st.integers(1, 18))
def test_expectation_is_the_mean_over_all_orders(ties: list[tuple[int, int]], k: int) -> None:
    ranking = Ranking(*(np.array([column], np.int64) for column in zip(*ties, strict=True)))
    lists = orders(ties)
    wanted = np.mean([by_hand(hits, k) for hits in lists], axis=0)
    found = average_precision(ranking, k)
    assert [float(found[0][0]), float(found[1][0])] == pytest.approx(wanted.tolist(), abs=1e-9)
    first = np.mean([np.mean(hits[:k]) for hits in lists])
    assert precision_at(ranking, k)[0] == pytest.approx(first, abs=1e-9)


def bits(*rows: str) -> NDArray[np.bool_]:
    return np.array([[mark == "1" for mark in row] for row in rows])


def test_counts_by_distance_and_shared_class() -> None:
    database, labels = bits("0000", "0001", "0111", "1111"), bits("10", "01", "11", "10")
    found = rank(bits("0000", "1111"), database, bits("10", "01"), labels)
    assert found.items.tolist() == [[1, 1, 0, 1, 1], [1, 1, 0, 1, 1]]
    assert found.relevant.tolist() == [[1, 0, 0, 1, 1], [0, 1, 0, 1, 0]]


@pytest.mark.parametrize("size", [4, 12, 64])
def test_counts_are_those_of_the_plain_scan(size: int) -> None:
    rng = np.random.default_rng(size)
    queries, database = rng.random((5, size)) < 0.5, rng.random((40, size)) < 0.5
    asked, labels = rng.random((5, 3)) < 0.5, rng.random((40, 3)) < 0.5
    found = rank(queries, database, asked, labels)
    for q in range(5):
        distance = (queries[q] != database).sum(axis=1)
        shared = (asked[q] & labels).any(axis=1)
        assert found.items[q].tolist() == np.bincount(distance, minlength=size + 1).tolist()
        assert found.relevant[q].tolist() == np.bincount(distance[shared], minlength=size + 1).tolist()


def test_perfect_and_constant_codes() -> None:
    labels = np.eye(4, dtype=bool)[np.arange(400) % 4]
    perfect = score(rank(labels[:8], labels, labels[:8], labels), 50)
    assert perfect.map_hits == perfect.map_min == perfect.map_all == perfect.precision_100 == 1
    assert perfect.recall[0] == 1
    constant = np.zeros((400, 4), bool)
    nothing = score(rank(constant[:8], constant, labels[:8], labels), 50)
    assert nothing.precision_100 == nothing.precision_radius == pytest.approx(0.25)
    assert nothing.map_all == pytest.approx(0.25, abs=0.02)
    assert nothing.map_hits == pytest.approx(0.25, abs=0.07)  # a short random list does a little better than its rate
    assert nothing.map_min == pytest.approx(0.25**2, abs=0.03)


def test_a_query_that_finds_nothing_near_is_counted() -> None:
    labels = bits("1", "1")
    found = score(rank(bits("0000"), bits("1111", "1110"), labels[:1], labels), 2)
    assert found.empty_radius == 1
    assert found.precision_radius == 0
    assert found.recall == (0, 0, 0, 0.5, 1)
