"""Candidates are what their definition says, on any collection, in bounded memory."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup import search
from tbhdup.search import linear
from tbhdup.search.candidates import _from_ordinal, _ordinal


def by_definition(
    codes: np.ndarray,
    latents: np.ndarray,
    radius: int,
    cosine: float,
    limit: int,
    parts: search.Parts | None = None,
) -> list[tuple[int, int, int, float]]:
    n = len(codes)
    owner = list(range(n))
    if parts is not None:
        codes, latents = np.concatenate([codes, parts.codes]), np.concatenate([latents, parts.latents])
        owner += parts.owners.tolist()
    code, latent = codes.tolist(), latents.tolist()
    norm = [sum(x * x for x in row) for row in latent]
    pairs: dict[tuple[int, int], tuple[int, np.float32]] = {}
    for i in range(n):
        for j in range(i + 1, len(code)):
            least = cosine if j < n else cosine + 0.1
            distance = (code[i] ^ code[j]).bit_count()
            length = math.sqrt(norm[i] * norm[j])
            dot = sum(x * y for x, y in zip(latent[i], latent[j], strict=True))
            value = np.float32(dot / length if length else 0.0)
            if distance <= radius and value >= np.float32(least) and i != owner[j]:
                pair = min(i, owner[j]), max(i, owner[j])
                pairs[pair] = min(pairs.get(pair, (distance, value)), (distance, value), key=lambda p: (-p[1], p[0]))
    kept = set()
    for picture in range(n):
        mine = [
            (-value, distance, i + j - picture, (i, j))
            for (i, j), (distance, value) in pairs.items()
            if picture in (i, j)
        ]
        kept |= {pair for *_, pair in sorted(mine)[:limit]}
    return [(*pair, pairs[pair][0], float(pairs[pair][1])) for pair in sorted(kept)]


def photographs(n: int, size: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Codes and latents in clusters, some of them equal, some latents zero or at the ends of int8."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, max(1, n // 8), n)
    centre = rng.integers(-100, 101, (n, size))
    latents = np.clip(centre[who] + rng.integers(-30, 31, (n, size)) * rng.integers(0, 2, (n, 1)), -128, 127)
    latents[rng.random(n) < 0.05] = 0
    latents[rng.random(n) < 0.05] = -128
    flips = rng.random((n, 64)) < rng.choice([0, 0.05], (n, 1))
    codes = rng.integers(0, 2**64, n, dtype=np.uint64)[who] ^ np.packbits(flips, axis=1).view(np.uint64)[:, 0]
    return codes, latents.astype(np.int8)


@given(st.integers(0, 60), st.integers(0, 10**6), st.integers(0, 64), st.floats(-1, 1, width=32), st.integers(1, 6))
@settings(deadline=None, max_examples=80)
def test_candidates_are_those_of_the_definition(n: int, seed: int, radius: int, cosine: float, limit: int) -> None:
    codes, latents = photographs(n, seed=seed)
    found = search.candidates(codes, latents, radius, cosine, limit)
    assert found.dtype == search.CANDIDATE
    assert found.tolist() == by_definition(codes, latents, radius, cosine, limit)


@given(
    st.integers(1, 40),
    st.integers(0, 40),
    st.integers(0, 10**6),
    st.integers(0, 64),
    st.floats(-1, 1),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=80)
def test_parts_speak_for_their_pictures(n: int, pieces: int, seed: int, radius: int, cosine: float, limit: int) -> None:
    codes, latents = photographs(n + pieces, seed=seed)
    owners = np.random.default_rng(seed).integers(0, n, pieces)
    parts = search.Parts(codes[n:], latents[n:], owners)
    found = search.candidates(codes[:n], latents[:n], radius, cosine, limit, parts)
    assert found.tolist() == by_definition(codes[:n], latents[:n], radius, cosine, limit, parts)


@given(st.lists(st.lists(st.integers(-1, 1), min_size=2, max_size=2), max_size=20), st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_ties_are_broken_by_distance_and_then_position(rows: list[list[int]], limit: int) -> None:
    latents = np.array(rows, np.int8).reshape(-1, 2)
    codes = np.arange(len(rows), dtype=np.uint64) // np.uint64(2)
    assert search.candidates(codes, latents, 3, 0.5, limit).tolist() == by_definition(codes, latents, 3, 0.5, limit)


@pytest.mark.parametrize("radius", [0, 8, 22, 64])
def test_no_way_of_cutting_and_multiplying_changes_the_result(radius: int) -> None:
    codes, latents = photographs(2600, 128)  # enough for the index, for several tiles, and for products of matrices
    unit = latents.astype(np.float64)
    dot = unit @ unit.T
    norm = np.diag(dot)
    length = np.sqrt(norm[:, None] * norm)
    value = np.divide(dot, length, out=np.zeros_like(dot), where=length > 0).astype(np.float32)
    distance = np.bitwise_count(codes[:, None] ^ codes)
    allowed = (distance <= radius) & (value >= np.float32(0.6)) & ~np.eye(len(codes), dtype=bool)
    wanted = set()
    for i in np.flatnonzero(allowed.any(axis=1)).tolist():
        others = np.flatnonzero(allowed[i])
        best = others[np.lexsort((others, distance[i, others], -value[i, others]))][:4]
        wanted |= {(min(i, j), max(i, j), int(distance[i, j]), float(value[i, j])) for j in best.tolist()}
    assert search.candidates(codes, latents, radius, 0.6, 4).tolist() == sorted(wanted)
    assert len(wanted) > 2000


def test_an_order_changes_only_the_names() -> None:
    codes, latents = photographs(500, 128)
    latents = np.random.default_rng(2).integers(-127, 128, latents.shape).astype(np.int8)  # no two cosines equal
    order = np.random.default_rng(3).permutation(500)
    found = search.candidates(codes, latents, 64, -1, 3)
    moved = search.candidates(codes[order], latents[order], 64, -1, 3)
    named = sorted((*sorted((order[i], order[j])), d, c) for i, j, d, c in moved.tolist())
    assert named == found.tolist()


def test_a_cluster_of_equal_pictures_stays_small_in_memory_and_result() -> None:
    codes, latents = np.full(4000, 5, np.uint64), np.full((4000, 128), -9, np.int8)
    tracemalloc.start()
    try:
        found = search.candidates(codes, latents, 22, 0.9, 5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300e6
    assert (found["cosine"] == 1).all()
    # everyone's five first: 0..4, or 0..5 without itself
    assert len(found) == sum(1 for i in range(6) for j in range(i + 1, 4000) if i < 5 or j == 5)
    assert np.bincount(found["j"], minlength=4000)[6:].tolist() == [5] * 3994


def test_latents_may_be_a_column_of_records() -> None:
    codes, latents = photographs(50, 128)
    rows = np.zeros(50, [("name", "u1", (3,)), ("code", "<u8"), ("latent", "i1", (128,))])
    rows["code"], rows["latent"] = codes, latents
    found = search.candidates(rows["code"], rows["latent"], 22, 0.5, 5)
    assert found.tolist() == search.candidates(codes, latents, 22, 0.5, 5).tolist()


@given(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))
def test_a_cosine_survives_as_an_ordinal(a: float, b: float) -> None:
    values = np.array([a, b], np.float32)
    ordinal = _ordinal(values)
    assert ordinal.min() >= 0
    assert ordinal.max() < 2**31
    assert (ordinal[0] < ordinal[1]) == (a < b)
    assert _from_ordinal(ordinal).tolist() == [a, b]


def test_what_makes_no_sense_is_refused() -> None:
    codes, latents = photographs(10, 128)
    for wrong in (latents[:9], latents.astype(np.float32), latents.ravel(), np.zeros((10, 2000), np.int8)):
        with pytest.raises(ValueError, match="latents"):
            search.candidates(codes, wrong, 3, 0.5, 5)
    with pytest.raises(ValueError, match="candidate"):
        search.candidates(codes, latents, 3, 0.5, 0)
    with pytest.raises(ValueError, match="radius"):
        search.candidates(codes, latents, 65, 0.5, 5)


def test_tiles_bound_the_blocks() -> None:
    assert linear.ROWS * linear.COLUMNS <= 1 << 20
