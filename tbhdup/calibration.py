"""Thresholds from the weights' record and the collection's size.

The record says how often two unrelated pictures come within each Hamming radius and above each cosine (the
false-match rate). A collection of n pictures has n (n - 1) / 2 pairs, so the same threshold means more false
candidates in a larger collection: the operating point moves with n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tbhdup.errors import WeightsError
from tbhdup.values import CODE_BITS, Thresholds

COSINES = np.round(np.arange(100, -21, -1) / 100, 2)  # descending
STRANGERS_BY_CODE = 50.0  # unrelated pictures that a picture may meet within the radius, on average
STRANGERS_BY_LATENT = 3.0  # those of them that may pass the cosine and go on to the proof
LARGEST_RATE = 1e-2  # a small collection gets no looser thresholds than these
LEAST_COUNT = 10  # pairs behind a rate that is believed
BLOCK = 512


@dataclass(frozen=True, slots=True)
class Calibration:
    """False-match rates of unrelated pictures, counted over `pairs` pairs."""

    pairs: int
    radius: NDArray[np.float64]  # (65,): P(distance <= r)
    cosine: NDArray[np.float64]  # P(cosine >= c) for each c of COSINES

    @classmethod
    def from_record(cls, section: Mapping[str, Any]) -> Calibration:
        """Read the record's section; WeightsError where it is no pair of rising curves in 0..1."""
        try:
            radius = np.asarray(section["radius"], np.float64)
            table = np.asarray(section["cosine"], np.float64)
            pairs = int(section["pairs"])
            whole = radius.shape == (CODE_BITS + 1,) and table.shape == (len(COSINES), 2) and pairs > 0
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"the weights' calibration cannot be read: {error}") from error
        if not whole or not np.allclose(table[:, 0], COSINES):
            raise WeightsError("the weights' calibration has another shape: the weights are of another version")
        for rates in (radius, table[:, 1]):
            if (np.diff(rates) < 0).any() or not ((rates >= 0) & (rates <= 1)).all():
                raise WeightsError("the weights' calibration is no rising curve between 0 and 1")
        return cls(pairs, radius, table[:, 1])

    def radius_for(self, pictures: int, strangers: float) -> int:
        """The largest radius within which a picture meets on average at most `strangers` unrelated ones."""
        rate = min(strangers / max(1, pictures), LARGEST_RATE)
        return max(0, int(np.searchsorted(self.radius, rate, side="right")) - 1)

    def cosine_for(self, rate: float) -> float:
        """The least cosine whose false-match rate is at most `rate`.

        Rates of fewer than ten counted pairs are not believed: below them log10(rate) goes on along the straight line
        of its last two counted decades, and never below the last counted cosine.
        """
        believed = np.flatnonzero(self.cosine * self.pairs >= LEAST_COUNT)
        fits = believed[self.cosine[believed] <= rate]
        if fits.size:
            return float(COSINES[fits[-1]])
        first = int(believed[0])
        tail = believed[self.cosine[believed] <= 100 * self.cosine[first]]
        if tail.size < 2:
            return float(COSINES[first])
        slope, start = np.polyfit(COSINES[tail], np.log10(self.cosine[tail]), 1)
        wanted = (np.log10(max(rate, 1e-300)) - start) / slope if slope < 0 else 1.0
        return float(np.clip(wanted, COSINES[first], 1.0))

    def operating_point(
        self,
        pictures: int,
        *,
        verify: str = "auto",
        max_false_pairs: float = 1.0,
        radius: int | None = None,
        cosine: float | None = None,
        candidates: int = 5,
    ) -> Thresholds:
        """The thresholds for a collection; what is given overrides what the table says.

        With the proof they only propose candidates and are generous. Without it the cosine decides:
        rate * n (n - 1) / 2 <= max_false_pairs.
        """
        if radius is None:
            radius = self.radius_for(pictures, STRANGERS_BY_CODE)
        if cosine is None:
            if verify == "never":
                rate = max_false_pairs / max(1.0, pictures * (pictures - 1) / 2)
            else:
                rate = STRANGERS_BY_LATENT / max(1, pictures)
            cosine = self.cosine_for(min(rate, LARGEST_RATE))
        return Thresholds(radius, round(cosine, 4), candidates, verify, max_false_pairs)


def count(codes: NDArray[np.uint64], latents: NDArray[np.int8]) -> dict[str, Any]:
    """False-match rates over all pairs of unrelated pictures, as the record's section.

    codes: (n,) uint64, latents: (n, 128) int8. Blocked: memory does not grow with n.
    """
    n = len(codes)
    unit = latents.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    by_radius = np.zeros(CODE_BITS + 1, np.int64)
    by_cosine = np.zeros(len(COSINES), np.int64)
    for start in range(0, n, BLOCK):
        stop = min(n, start + BLOCK)
        later = np.arange(n)[None, :] > np.arange(start, stop)[:, None]
        distance = np.bitwise_count(codes[start:stop, None] ^ codes[None, :])[later]
        by_radius += np.bincount(distance, minlength=CODE_BITS + 1)
        steps = np.ceil((1 - (unit[start:stop] @ unit.T)[later]) * 100 - 1e-4).astype(np.int64)
        inside = steps[steps < len(COSINES)]
        by_cosine += np.bincount(np.maximum(inside, 0), minlength=len(COSINES))
    pairs = n * (n - 1) // 2
    return {
        "pairs": pairs,
        "pictures": n,
        "radius": (np.cumsum(by_radius) / max(1, pairs)).tolist(),
        "cosine": [[float(c), float(r)] for c, r in zip(COSINES, np.cumsum(by_cosine) / max(1, pairs), strict=True)],
    }
