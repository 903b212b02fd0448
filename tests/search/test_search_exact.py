"""The multi-index finds exactly what the linear scan finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup import search
from tbhdup.search import linear, multi_index

HIT = np.dtype([("code", "<u8"), ("digest", "u1", (16,))])


@st.composite
def codes(draw):
    """Random, clustered, repeated and extreme codes."""
    base = draw(st.lists(st.integers(0, 2**64 - 1), max_size=12))
    near = [b ^ (1 << f) ^ (1 << g) for b in base for f, g in draw(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63)), max_size=4))]  # fmt: skip
    extra = draw(st.lists(st.sampled_from([0, 2**64 - 1, 1, 1 << 63]), max_size=6))
    values = [*base, *near, *extra]
    return np.array(draw(st.permutations(values)), np.uint64)


def as_set(blocks) -> set[tuple[int, int, int]]:
    found = [tuple(row) for block in blocks for row in block[["i", "j", "distance"]].tolist()]
    assert len(found) == len(set(found))
    return set(found)


def brute(values, radius) -> set[tuple[int, int, int]]:
    n = len(values)
    distance = [[int(a ^ b).bit_count() for b in values.tolist()] for a in values.tolist()]
    return {(i, j, distance[i][j]) for i in range(n) for j in range(i + 1, n) if distance[i][j] <= radius}


@given(codes(), st.integers(0, 16))
@settings(deadline=None, max_examples=150)
def test_self_joins_are_exact(values, radius) -> None:
    expected = brute(values, radius)
    assert as_set(linear.self_join(values, radius)) == expected
    assert as_set(multi_index.self_join(values, radius)) == expected
    assert as_set(search.self_join(values, radius)) == expected


@given(codes(), st.integers(0, 2**64 - 1), st.integers(0, 16))
@settings(deadline=None, max_examples=80)
def test_neighbours_and_probes_are_exact(values, query, radius) -> None:
    places, distances = linear.neighbours(values, query, radius)
    for found in (multi_index.neighbours(values, query, radius), search.neighbours(values, query, radius)):
        assert found[0].tolist() == places.tolist()
        assert found[1].tolist() == distances.tolist()
    unique = np.unique(values)
    rows = np.zeros(len(unique), HIT)
    rows["code"] = unique
    rows["digest"] = np.arange(len(unique))[:, None]

    def bucket(table: int, substring: int):
        return rows[((unique >> np.uint64(16 * table)) & np.uint64(0xFFFF)) == substring]

    hits = search.probes(query, min(radius, 6), bucket)
    expected = {int(c) for c in unique.tolist() if int(c ^ query).bit_count() <= min(radius, 6)}
    assert sorted(int(c) for c in hits["code"]) == sorted(expected)


def test_nothing_and_one() -> None:
    for n in (0, 1):
        assert as_set(search.self_join(np.zeros(n, np.uint64), 4)) == set()


def test_candidates_are_the_best_of_either_side() -> None:
    rng = np.random.default_rng(3)
    base = rng.integers(-100, 100, (6, 128))
    latents = np.clip(np.repeat(base, 5, axis=0) + rng.integers(-20, 20, (30, 128)), -127, 127).astype(np.int8)
    values = np.zeros(30, np.uint64)
    unit = latents / np.linalg.norm(latents.astype(float), axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    wanted = set()
    for i in range(30):
        for j in np.argsort(-cosine[i], kind="stable")[:3].tolist():
            if cosine[i, j] >= 0.5:
                wanted.add((min(i, j), max(i, j)))
    found = search.candidates(values, latents, 0, 0.5, 3)
    assert {(int(i), int(j)) for i, j in zip(found["i"], found["j"], strict=True)} == wanted
