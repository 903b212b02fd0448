"""Thresholds from the weights' record and the size of the collection.

The record counts how often unrelated pictures meet: by Hamming radius of their codes and by cosine of their latents.
A radius or cosine then follows from how many strangers a picture may meet. `false_match_rates` and `count` make that
section of the record, with pictures of which it is known who is related to whom.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isfinite, log10, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tbhdup.errors import UsageError, WeightsError
from tbhdup.values import CODE_BITS, Thresholds

COSINES = tuple(step / 100 for step in range(100, -21, -1))
"""The cosines at which false matches are counted: 1.00, 0.99 .. -0.20."""

# With a proof to follow, the thresholds only propose: they may be as loose as the proofs are affordable.
# Those in the radius are compared by latent, which costs next to nothing: so many a picture, on average,
STRANGERS_IN_RADIUS = 200.0
STRANGERS_IN_ALL = 6e6  # or more, while it is so many for all pictures together: a second's work
# Counted on kinds of picture that the weights have not seen, too; where they know the kinds it is a sixth of that.
STRANGERS_TO_PROVE = 2.5  # a picture, on average: proven on pixels, some 20 ms each
# A small collection could afford to look at everything, but what is that far away is no copy.
LOOSEST_RADIUS_RATE = 0.15
LOOSEST_COSINE_RATE = 1e-2

COUNTED = 10  # pairs: a rate from fewer is chance
DECADES = 2.0  # of the rate, above COUNTED pairs: what the extrapolation is fitted on
CAUTION = 3.0  # a continued rate is asked to be so much smaller: that far off is one part of the pictures in twenty
STEP = 1000  # extrapolated cosines are rounded up to 1 / STEP

ROWS = 128  # pictures compared with all others at a time


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often unrelated pictures meet.

    pairs      unrelated pairs that were counted, of so many pictures
    radius     65 rates: P(distance <= r) for r = 0..64
    cosine     (c, P(cosine >= c)) for descending c
    """

    pairs: int
    pictures: int
    radius: tuple[float, ...]
    cosine: tuple[tuple[float, float], ...]

    @classmethod
    def from_record(cls, section: Mapping[str, Any]) -> Calibration:
        """Read the section "calibration" of the weights' record. Raises WeightsError when it makes no sense."""
        try:
            pairs, pictures = section["pairs"], section["pictures"]
            radius = tuple(float(rate) for rate in section["radius"])
            cosine = tuple((float(c), float(rate)) for c, rate in section["cosine"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(f"{type(error).__name__}: {error}") from error
        if not all(isinstance(number, int) and not isinstance(number, bool) for number in (pairs, pictures)):
            raise _damaged(f"pairs and pictures are not whole numbers, but {pairs!r} and {pictures!r}")
        if not 0 < pairs <= pictures * (pictures - 1) // 2:
            raise _damaged(f"{pictures} pictures cannot make {pairs} pairs")
        if len(radius) != CODE_BITS + 1 or not _is_growing(radius, 0, 1) or radius[-1] != 1:
            raise _damaged(f"radius must hold {CODE_BITS + 1} rates that grow to 1")
        places, rates = [-c for c, _ in cosine], [rate for _, rate in cosine]
        if len(cosine) < 2 or not _is_growing(places, -1, 1, strictly=True) or not _is_growing(rates, 0, 1):
            raise _damaged("cosine must hold falling cosines with growing rates")
        return cls(pairs, pictures, radius, cosine)

    def radius_for(self, pictures: int, strangers: float) -> int:
        """The largest radius at which a picture meets on average at most so many unrelated ones; 0 if none does."""
        return max(0, bisect_right(self.radius, strangers / max(1, pictures)) - 1)

    def cosine_for(self, rate: float) -> float:
        """The least cosine whose false-match rate is at most `rate`.

        As counted, where the rate stands on at least COUNTED pairs. Beyond, the last DECADES decades are continued as a
        straight line of log(rate) in log(1 - c^2): unit vectors of d dimensions without any relation meet at a cosine
        of c or more at a rate that falls as (1 - c^2)^((d - 1) / 2), and pictures do as if d were small. The line is
        read at a CAUTION-th of the rate, and never below the last counted cosine; 1 where too little is counted.
        """
        least = COUNTED / self.pairs
        counted = self._counted(max(rate, least))
        if rate >= least:
            return counted
        reliable = [(c, log10(share)) for c, share in self.cosine if round(share * self.pairs) >= COUNTED]
        if rate <= 0 or not reliable or reliable[0][0] >= 1:
            return 1.0
        tail = [(log10(1 - c * c), logarithm) for c, logarithm in reliable if logarithm <= reliable[0][1] + DECADES]
        if len({logarithm for _, logarithm in tail}) < 2:
            return 1.0
        slope, intercept = np.polyfit(np.array(tail)[:, 0], np.array(tail)[:, 1], 1).tolist()
        fitted = sqrt(1 - 10 ** min(0.0, (log10(rate / CAUTION) - intercept) / slope))
        return min(1.0, max(counted, reliable[0][0], ceil(fitted * STEP - 1e-6) / STEP))

    def _counted(self, rate: float) -> float:
        allowed = [c for c, counted in self.cosine if counted <= rate]
        return allowed[-1] if allowed else 1.0

    def operating_point(
        self,
        pictures: int,
        *,
        verify: bool,
        max_false_pairs: float = 1.0,
        radius: int | None = None,
        cosine: float | None = None,
        candidates: int = 5,
    ) -> Thresholds:
        """The thresholds for a collection of so many pictures.

        verify: a proof on pixels decides, so that the thresholds only have to propose. Without it the cosine decides,
        and is so strict that the whole collection is expected to hold at most `max_false_pairs` false pairs.
        radius, cosine: the user's own, instead of the calibrated ones.
        Raises UsageError for values out of range.
        """
        _check_range("the radius", radius, 0, CODE_BITS)
        _check_range("the cosine", cosine, -1, 1)
        _check_range("the number of candidates", candidates, 1, float("inf"))
        _check_range("the number of false pairs", max_false_pairs, 0, float("inf"))
        size = max(2, pictures)
        if radius is None:
            strangers = max(STRANGERS_IN_RADIUS, STRANGERS_IN_ALL / size)
            radius = self.radius_for(size, min(strangers, LOOSEST_RADIUS_RATE * size))
        if cosine is None:
            rate = STRANGERS_TO_PROVE / size if verify else max_false_pairs / (size * (size - 1) / 2)
            cosine = self.cosine_for(min(rate, LOOSEST_COSINE_RATE))
        return Thresholds(radius, cosine, candidates, "auto" if verify else "never", max_false_pairs)


def unrelated(
    codes: NDArray[np.uint64], latents: NDArray[np.int8], groups: NDArray[np.int64] | None = None
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Hamming distances and cosines of all unrelated pairs, each pair once, in blocks of at most ROWS * n.

    codes: (n,) uint64; latents: (n, d) int8, d <= 1024; groups: (n,), equal for related pictures, whose pairs are left
    out; None: all are unrelated. Exact: integer products in float32 (below 2**24), one rounding of the cosine.
    """
    n = len(codes)
    if latents.shape[0] != n or (groups is not None and len(groups) != n):
        raise ValueError("codes, latents and groups differ in length")
    family = np.arange(n) if groups is None else groups
    values = latents.astype(np.float32)
    length = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    for top in range(0, n, ROWS):
        rows = slice(top, top + ROWS)
        apart = np.triu(family[rows, None] != family[None, top:], 1)
        distance = np.bitwise_count(codes[rows, None] ^ codes[None, top:])[apart]
        product = (values[rows] @ values[top:].T)[apart].astype(np.float64)
        yield distance, cosines(product, (length[rows, None] * length[None, top:])[apart])


def cosines(product: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Products over the root of the product of both squared lengths, rounded once; 0 where one has no direction."""
    scale = np.sqrt(squares)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0).astype(np.float32)


def count(
    codes: NDArray[np.uint64], latents: NDArray[np.int8], groups: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """Compare all unrelated pairs and make the section "calibration" of a record.

    Takes what `unrelated` takes. Raises ValueError when there is no unrelated pair.
    """
    edges = np.array(COSINES[::-1], np.float32)
    distances, above = np.zeros(CODE_BITS + 1, np.int64), np.zeros(len(edges), np.int64)
    for distance, cosine in unrelated(codes, latents, groups):
        distances += np.bincount(distance, minlength=CODE_BITS + 1)
        above += len(cosine) - np.searchsorted(np.sort(cosine), edges)
    return false_match_rates(distances, above[::-1], len(codes))


def false_match_rates(distances: NDArray[np.int64], cosines: NDArray[np.int64], pictures: int) -> dict[str, Any]:
    """The section "calibration" of a record, from counts of unrelated pairs.

    distances: (65,) pairs at every Hamming distance; cosines: (121,) pairs of at least every cosine of COSINES.
    Raises ValueError when no pair was counted.
    """
    pairs = int(distances.sum())
    if pairs == 0:
        raise ValueError("there is no pair of unrelated pictures to count")
    return {
        "pairs": pairs,
        "pictures": pictures,
        "radius": (np.cumsum(distances) / pairs).tolist(),
        "cosine": [[c, float(above / pairs)] for c, above in zip(COSINES, cosines, strict=True)],
    }


def _damaged(what: str) -> WeightsError:
    return WeightsError(f"the calibration in the weights' record is damaged ({what}): install the weights again")


def _is_growing(numbers: Sequence[float], low: float, high: float, *, strictly: bool = False) -> bool:
    """Whether the numbers are finite, lie in low..high and never fall."""
    ordered = all(a < b or (a == b and not strictly) for a, b in pairwise(numbers))
    return ordered and all(isfinite(number) and low <= number <= high for number in numbers)


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{name} must lie in {low}..{high}, not {value}")
