"""The kinds of picture that a collection falls into: what `Encoder.distinct` takes away from a latent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KINDS = 4096
LEAST_OF_A_KIND = 5  # photographs, on average: a kind must not be a single picture, which would be taken from itself
ROUNDS = 8
ROWS = 2048  # compared with all kinds at a time

Floats = NDArray[np.float32]


def kinds(unit: Floats, seed: int = 0) -> Floats:
    """Spherical k-means (Dhillon and Modha 2001). unit: (n, d) unit vectors -> (k, d) unit vectors, k <= n / 5.

    The same input gives the same kinds.
    """
    count = min(KINDS, len(unit) // LEAST_OF_A_KIND)
    if not count:
        return np.zeros((0, unit.shape[1]), np.float32)
    centres = unit[np.random.default_rng(seed).choice(len(unit), count, replace=False)]
    for _ in range(ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, _nearest(unit, centres), unit)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.divide(sums, length, out=centres, where=length > 0)  # a kind that nothing belongs to stays
    return np.asarray(centres, np.float32)


def _nearest(unit: Floats, centres: Floats) -> NDArray[np.intp]:
    parts = [unit[first : first + ROWS] @ centres.T for first in range(0, len(unit), ROWS)]
    return np.concatenate([part.argmax(axis=1) for part in parts])
