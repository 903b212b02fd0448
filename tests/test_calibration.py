"""Thresholds follow the counted rates and the collection's size."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.calibration import (
    COSINES,
    COUNTED,
    LOOSEST_COSINE_RATE,
    LOOSEST_RADIUS_RATE,
    Calibration,
    count,
    false_match_rates,
)
from tbhdup.errors import UsageError, WeightsError
from tbhdup.values import Thresholds


def pictures(n: int, seed: int = 0, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Codes and latents without any relation, of some 24 degrees of freedom."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 24))
    mixture = np.random.default_rng(99).normal(size=(24, 64 + size))
    seen = points @ mixture
    codes = np.packbits(seen[:, :64] > 0, axis=1).view(np.uint64)[:, 0]
    return codes, np.clip(seen[:, 64:] * 8, -127, 127).astype(np.int8)


DIMENSIONS = 40
FINE = 10_000  # steps of the cosine from 0 to 1
DENSITY = (1 - np.linspace(0, 1, FINE + 1) ** 2) ** ((DIMENSIONS - 3) / 2)
ABOVE = np.cumsum(DENSITY[::-1])[::-1] / DENSITY.sum() / 2


def meeting(cosine: float) -> float:
    """How often unit vectors of so many dimensions without any relation have at least a cosine."""
    return float(ABOVE[round(cosine * FINE)]) if cosine >= 0 else 1 - meeting(-cosine)


def sphere(pairs: int) -> dict[str, Any]:
    """A record as counts of such vectors and of 24 fair bits would have it, without any chance in it."""
    n = math.ceil(math.sqrt(2 * pairs)) + 1
    above = [round(pairs * meeting(c)) for c in COSINES]
    share = [math.comb(64, r) for r in range(65)]
    distances = np.array([pairs * each // 2**64 for each in share])
    distances[32] += pairs - distances.sum()
    return false_match_rates(distances, np.array(above), n)


@pytest.fixture(scope="module")
def section() -> dict[str, Any]:
    return count(*pictures(1000))


@given(st.integers(2, 25), st.integers(0, 10**6), st.booleans())
@settings(deadline=None, max_examples=60)
def test_counts_are_those_of_a_plain_loop(n: int, seed: int, grouped: bool) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2**64, n, dtype=np.uint64)
    latents = rng.integers(-2, 3, (n, 3)).astype(np.int8)  # small, so that cosines meet the steps exactly
    groups = rng.integers(0, 8, n) if grouped else np.arange(n)
    distances, cosines = [], []
    for i in range(n):
        for j in range(i + 1, n):
            if groups[i] != groups[j]:
                a, b = latents[i].tolist(), latents[j].tolist()
                length = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
                dot = sum(x * y for x, y in zip(a, b, strict=True))
                distances.append(int(codes[i] ^ codes[j]).bit_count())
                cosines.append(np.float32(dot / length if length else 0))
    if not distances:
        with pytest.raises(ValueError, match="unrelated"):
            count(codes, latents, groups)
        return
    found = count(codes, latents, groups if grouped else None)
    assert (found["pairs"], found["pictures"]) == (len(distances), n)
    assert found["radius"] == [sum(d <= r for d in distances) / len(distances) for r in range(65)]
    assert found["cosine"] == [[c, sum(v >= np.float32(c) for v in cosines) / len(cosines)] for c in COSINES]
    assert Calibration.from_record(json.loads(json.dumps(found))).pairs == len(distances)


def test_blocks_do_not_show_in_the_counts() -> None:
    codes, latents = pictures(700)
    groups = np.arange(700) // 3
    order = np.random.default_rng(5).permutation(700)
    assert count(codes[order], latents[order], groups[order]) == count(codes, latents, groups)


def test_lengths_must_agree() -> None:
    codes, latents = pictures(5)
    with pytest.raises(ValueError, match="length"):
        count(codes, latents[:4])
    with pytest.raises(ValueError, match="length"):
        count(codes, latents, np.arange(6))


def test_a_radius_lets_in_as_many_strangers_as_it_may(section: dict[str, Any]) -> None:
    calibration = Calibration.from_record(section)
    for n in (10, 1_000, 100_000):
        for strangers in (0.1, 3, 50):
            radius = calibration.radius_for(n, strangers)
            assert radius == 0 or calibration.radius[radius] * n <= strangers * (1 + 1e-12)
            assert radius == 64 or calibration.radius[radius + 1] * n > strangers
    crowded = Calibration(100, 100, (0.5, *[1.0] * 64), calibration.cosine)
    assert crowded.radius_for(1_000, 50) == 0
    assert crowded.radius_for(0, 50) == 64


def test_a_counted_cosine_is_the_least_of_its_rate(section: dict[str, Any]) -> None:
    calibration = Calibration.from_record(section)
    rates = dict(calibration.cosine)
    for rate in (0.5, 1e-2, 1e-3, 1.01 * COUNTED / calibration.pairs):
        cosine = calibration.cosine_for(rate)
        assert rates[cosine] <= rate
        assert cosine == COSINES[-1] or rates[COSINES[COSINES.index(cosine) + 1]] > rate
    assert calibration.cosine_for(1.0) == COSINES[-1]


@given(st.floats(1e-15, 1), st.floats(1e-15, 1))
def test_a_smaller_rate_never_gets_a_smaller_cosine(a: float, b: float) -> None:
    calibration = Calibration.from_record(sphere(10**6))
    low, high = sorted((a, b))
    assert calibration.cosine_for(high) <= calibration.cosine_for(low) <= 1


@pytest.mark.parametrize("rate", [1e-5, 1e-6, 1e-7, 1e-8])
def test_what_is_continued_from_few_pairs_is_no_looser_than_what_many_count(rate: float) -> None:
    few = Calibration.from_record(sphere(2_000 * 1_999 // 2))
    many = Calibration.from_record(sphere(10**11))
    assert meeting(few.cosine_for(rate)) <= rate
    assert few.cosine_for(rate) <= many.cosine_for(rate) + 0.06


def test_pictures_counted_in_full_bear_out_what_a_part_foretells() -> None:
    codes, latents = pictures(6000, seed=4)
    part, full = (Calibration.from_record(count(codes[:n], latents[:n])) for n in (600, 6000))
    rate = 1e-6  # 18 pairs of the whole, a fifth of a pair of the part
    assert rate * part.pairs < COUNTED < rate * full.pairs
    assert full.cosine_for(rate) - 0.02 <= part.cosine_for(rate) < 1


def test_the_last_counted_cosine_is_the_floor_and_a_single_pair_is_not() -> None:
    record = sphere(10**6)
    ten = [[c, max(rate, 1e-5 if c <= 0.95 else 0)] for c, rate in record["cosine"]]
    assert Calibration.from_record({**record, "cosine": ten}).cosine_for(9.9e-6) >= 0.95
    one = [[c, max(rate, 1e-6 if c <= 0.97 else 0)] for c, rate in record["cosine"]]
    known, without = (Calibration.from_record({**record, "cosine": c}) for c in (one, record["cosine"]))
    assert known.cosine_for(1e-8) == without.cosine_for(1e-8) < 0.97


def test_pairs_that_are_equal_to_the_latent_leave_only_equality() -> None:
    record = sphere(10**6)
    twins = [[c, max(rate, 2e-5)] for c, rate in record["cosine"]]
    assert Calibration.from_record({**record, "cosine": twins}).cosine_for(1e-7) == 1


def test_too_few_counts_leave_only_equality() -> None:
    tiny = Calibration.from_record(count(*pictures(4)))
    assert tiny.cosine_for(1e-3) == 1
    flat = [[c, 0.0 if c > 0.5 else 1.0] for c in COSINES]
    assert Calibration.from_record({**sphere(10**6), "cosine": flat}).cosine_for(1e-9) == 1
    assert Calibration.from_record(sphere(10**6)).cosine_for(0) == 1


@pytest.mark.parametrize("verify", [True, False])
def test_larger_collections_get_stricter_thresholds(section: dict[str, Any], verify: bool) -> None:
    calibration = Calibration.from_record(section)
    points = [calibration.operating_point(n, verify=verify) for n in (0, 10, 1_000, 8_000, 100_000, 10**7)]
    assert [p.radius for p in points] == sorted((p.radius for p in points), reverse=True)
    assert [p.cosine for p in points] == sorted(p.cosine for p in points)
    rates = dict(calibration.cosine)
    assert calibration.radius[points[0].radius] <= LOOSEST_RADIUS_RATE
    assert rates[points[0].cosine] <= LOOSEST_COSINE_RATE
    assert {p.verify for p in points} == {"auto" if verify else "never"}


def test_without_a_proof_the_whole_collection_holds_few_false_pairs() -> None:
    calibration = Calibration.from_record(sphere(10**11))
    for n, allowed in ((500, 1.0), (8_000, 1.0), (8_000, 100.0), (50_000, 1.0)):
        point = calibration.operating_point(n, verify=False, max_false_pairs=allowed)
        false_pairs = meeting(point.cosine) * n * (n - 1) / 2
        assert false_pairs <= allowed * 1.01
        assert point.cosine > calibration.operating_point(n, verify=True).cosine
    assert calibration.operating_point(8_000, verify=False, max_false_pairs=0).cosine == 1


def test_what_the_user_asks_for_is_used(section: dict[str, Any]) -> None:
    calibration = Calibration.from_record(section)
    point = calibration.operating_point(1_000, verify=False, max_false_pairs=3, radius=0, cosine=-1.0, candidates=9)
    assert point == Thresholds(0, -1.0, 9, "never", 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"radius": -1},
        {"radius": 65},
        {"cosine": 1.5},
        {"cosine": math.nan},
        {"candidates": 0},
        {"max_false_pairs": -1.0},
        {"max_false_pairs": math.nan},
    ],
)
def test_values_out_of_range_are_wrong_usage(section: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Calibration.from_record(section).operating_point(100, verify=True, **wrong)


GOOD_RADIUS = [r / 64 for r in range(65)]


@pytest.mark.parametrize(
    "change",
    [
        {"radius": GOOD_RADIUS[:-1]},
        {"radius": [0.5, 0.1, *[1.0] * 63]},
        {"radius": [*GOOD_RADIUS[:-1], 0.99]},
        {"radius": [math.nan, *GOOD_RADIUS[1:]]},
        {"radius": [-0.5, *GOOD_RADIUS[1:]]},
        {"radius": "none"},
        {"cosine": [[c, 2.0] for c in COSINES]},
        {"cosine": [[c, 1 - i / 121] for i, c in enumerate(COSINES)]},
        {"cosine": [[0.0, 0.0]] * len(COSINES)},
        {"cosine": [[c, i / 121] for i, c in enumerate(COSINES[::-1])]},
        {"cosine": [[2.0, 0.0], [1.0, 1.0]]},
        {"cosine": [[1.0, 0.0]]},
        {"cosine": [[1.0], [0.9]]},
        {"cosine": None},
        {"pairs": "many"},
        {"pairs": True},
        {"pairs": 0},
        {"pairs": 10**9},
        {"pictures": 2.5},
    ],
)
def test_a_damaged_record_is_refused(section: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.from_record({**section, **change})


@pytest.mark.parametrize("name", ["pairs", "pictures", "radius", "cosine"])
def test_a_record_that_lacks_something_is_refused(section: dict[str, Any], name: str) -> None:
    with pytest.raises(WeightsError, match=name):
        Calibration.from_record({key: value for key, value in section.items() if key != name})


def test_more_in_the_record_does_no_harm(section: dict[str, Any]) -> None:
    assert Calibration.from_record({**section, "joint": []}) == Calibration.from_record(section)


def test_pictures_that_are_all_related_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="unrelated"):
        count(*pictures(6), np.zeros(6, np.int64))
