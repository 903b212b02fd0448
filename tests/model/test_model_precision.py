"""Codes in half precision: a GPU, or a CPU that multiplies in bf16, must find what another machine has stored."""

from __future__ import annotations

import drawing
import numpy as np
import torch

from tbhdup.model.encoding import BatchEncoder
from tbhdup.model.record import BATCH


def test_codes_in_half_precision_differ_in_next_to_no_bit() -> None:
    kinds = list(drawing.KINDS)
    pixels = np.stack(
        [np.asarray(drawing.picture(kinds[seed % len(kinds)], seed, (128, 128))) for seed in range(3 * BATCH)]
    )
    exact, half = (BatchEncoder(None, "cpu", dtype) for dtype in (torch.float32, torch.bfloat16))
    flips, cosines = [], []
    for start in range(0, len(pixels), BATCH):
        (a, x), (b, y) = (encoder.encode(pixels[start : start + BATCH]) for encoder in (exact, half))
        flips += np.bitwise_count(a ^ b).tolist()
        x, y = x.astype(float), y.astype(float)
        cosines += ((x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))).tolist()
    assert np.mean(np.array(flips) <= 1) >= 0.95
    assert max(flips) <= 3
    assert min(cosines) > 0.995
