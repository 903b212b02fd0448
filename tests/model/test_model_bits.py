"""Figures of the bits against plain loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.model.bits import balance, spread


@given(st.integers(2, 20), st.integers(2, 12), st.integers(0, 10**6))
@settings(deadline=None, max_examples=50)
def test_spread_is_that_of_all_pairs(n: int, size: int, seed: int) -> None:
    bits = np.random.default_rng(seed).random((n, size)) < 0.4
    distances = [int((a != b).sum()) for a, b in combinations(bits, 2)]
    told = spread(np.bincount(distances, minlength=size + 1))
    share = np.array(distances) / size
    assert told["mean_distance"] == pytest.approx(share.mean())
    assert told["b_dof"] == pytest.approx(share.mean() * (1 - share.mean()) / max(share.var(), 1e-9))


def test_fair_independent_bits_have_their_number_of_freedoms() -> None:
    bits = np.random.default_rng(0).random((600, 64)) < 0.5
    distances = [(bits[i] ^ bits[i + 1 :]).sum(axis=1) for i in range(len(bits) - 1)]
    told = {**balance(bits), **spread(np.bincount(np.concatenate(distances), minlength=65))}
    assert told["dead_bits"] == 0
    assert told["worst_balance"] < 0.1
    assert told["mean_correlation"] < 0.05
    assert told["mean_distance"] == pytest.approx(0.5, abs=0.01)
    assert told["b_dof"] == pytest.approx(64, rel=0.1)


def test_dead_constant_and_twin_bits_are_seen() -> None:
    bits = np.random.default_rng(1).random((500, 4)) < 0.5
    bits[:, 1] = bits[:, 0]  # twins
    bits[:, 2] = True  # constant
    told = balance(bits)
    assert told["dead_bits"] == 1
    assert told["worst_balance"] == 0.5
    assert told["worst_correlation"] == pytest.approx(1)
    assert balance(np.ones((3, 4), bool))["worst_correlation"] == 0
