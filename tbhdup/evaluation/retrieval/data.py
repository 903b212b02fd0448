"""The values that pass between the stages of the retrieval table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Half = NDArray[np.float16]
Bits = NDArray[np.bool_]

Encode = Callable[[Floats], Bits]
"""Features (n, d) -> codes (n, bits)."""


@dataclass(frozen=True, slots=True)
class Training:
    """What a method may learn from: no labels.

    features    (n, d) of the training pictures: centred, mean square 1, the greatest variance first
    neighbours  (n, k) rows that lie near each and to which it is near, too; -1 where there are fewer
    views       (v, m, d) of augmented views of the first m pictures; None: not extracted
    effort      share of the usual steps of those methods that descend a gradient
    """

    features: Floats
    neighbours: NDArray[np.int64]
    views: Half | None = None
    effort: float = 1.0


Fit = Callable[[Training, int, int], Encode]
"""(training, bits, seed) -> the encoder that was learned. The port behind which every method stands."""
