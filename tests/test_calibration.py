"""Thresholds follow the counted rates and the collection's size."""

from __future__ import annotations

import numpy as np
import pytest

from tbhdup.calibration import COSINES, LOOSEST_RADIUS_RATE, Calibration, count
from tbhdup.errors import WeightsError


def section(n: int = 400) -> dict:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, n, dtype=np.uint64)
    latents = rng.normal(0, 25, (n, 128)).astype(np.int8)
    return count(codes, latents)


def test_count_agrees_with_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**64, 30, dtype=np.uint64)
    latents = rng.normal(0, 25, (30, 128)).astype(np.int8)
    got = count(codes, latents)
    distances, cosines = [], []
    for i in range(30):
        for j in range(i + 1, 30):
            distances.append(int(codes[i] ^ codes[j]).bit_count())
            a, b = latents[i].astype(float), latents[j].astype(float)
            cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert got["pairs"] == len(distances) == 435
    for radius in (20, 28, 32, 64):
        assert got["radius"][radius] == pytest.approx(np.mean(np.array(distances) <= radius))
    for cosine, rate in got["cosine"]:
        assert rate == pytest.approx(np.mean(np.array(cosines) >= cosine - 1e-6), abs=1e-3)


def test_larger_collections_get_stricter_thresholds() -> None:
    calibration = Calibration.from_record(section())
    points = [calibration.operating_point(n, verify=True) for n in (10, 1_000, 100_000, 10_000_000)]
    assert [p.radius for p in points] == sorted((p.radius for p in points), reverse=True)
    assert [p.cosine for p in points] == sorted(p.cosine for p in points)
    strict = calibration.operating_point(1_000, verify=False)
    assert strict.cosine > points[1].cosine
    assert calibration.radius[points[0].radius] <= LOOSEST_RADIUS_RATE
    assert calibration.operating_point(1_000, verify=True, radius=3, cosine=0.5).radius == 3


def test_beyond_the_counted_rates_the_line_goes_on() -> None:
    calibration = Calibration.from_record(section())
    counted = calibration.cosine_for(1e-3)
    beyond = calibration.cosine_for(1e-9)
    assert counted < beyond <= 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"radius": [0.0] * 10},
        {"radius": [0.5, 0.1] + [1.0] * 63},
        {"cosine": [[float(c), 2.0] for c in COSINES]},
        {"cosine": [[0.0, 0.0]] * len(COSINES)},
        {"pairs": "many"},
    ],
)
def test_nonsense_is_refused(change) -> None:
    with pytest.raises(WeightsError):
        Calibration.from_record({**section(), **change})
