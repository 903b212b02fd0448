"""What the bits of a code are worth, without labels; needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DEAD = 0.02  # a bit that is nearly always 0 or nearly always 1


def balance(bits: NDArray[np.bool_]) -> dict[str, float]:
    """How even and how independent the bits are over unrelated pictures. bits: (n, M), n >= 2.

    dead_bits          bits that are set in less than DEAD of the pictures, or clear in less
    worst_balance      largest |share of set bits - 0.5|, 0..0.5
    mean_correlation   of |correlation| over the pairs of bits that are not constant
    worst_correlation  the largest of these
    """
    share = bits.mean(axis=0)
    live = (share > 0) & (share < 1)
    count = int(live.sum())
    correlation = np.abs(np.corrcoef(bits[:, live], rowvar=False)) - np.eye(count) if count > 1 else np.zeros((1, 1))
    return {
        "dead_bits": float(((share < DEAD) | (share > 1 - DEAD)).sum()),
        "worst_balance": float(np.abs(share - 0.5).max()),
        "mean_correlation": float(correlation.sum() / max(1, count * (count - 1))),
        "worst_correlation": float(correlation.max()),
    }


def spread(distances: NDArray[np.int64]) -> dict[str, float]:
    """Mean and degrees of freedom of the Hamming distance of unrelated pairs. distances: (M + 1,) pairs at 0..M bits.

    mean_distance  as a share of M, 0..1
    b_dof          mu (1 - mu) / var, the independent fair bits that would spread as much (Daugman 2003)
    """
    share = np.arange(len(distances)) / (len(distances) - 1)
    mean = float(np.average(share, weights=distances))
    variance = float(np.average((share - mean) ** 2, weights=distances))
    return {"mean_distance": mean, "b_dof": mean * (1 - mean) / max(variance, 1e-9)}
