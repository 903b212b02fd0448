"""Convolutions fused by oneDNN give what the plain modules give."""

from __future__ import annotations

import pytest
import torch

from tbhdup.model.encoding import fastest, load_network
from tbhdup.model.fused import FusedConv, can_fuse
from tbhdup.model.record import BATCH, read_record
from tbhdup.model.trunk import ConvNorm

CPU = torch.device("cpu")


@pytest.mark.skipif(not can_fuse(CPU), reason="this torch has no oneDNN")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_fused_network_is_the_plain_one(dtype: torch.dtype) -> None:
    record = read_record()
    side = record.preprocessing.side
    pixels = torch.randint(0, 256, (BATCH, 3, side, side), dtype=torch.uint8, generator=torch.manual_seed(1))
    plain = load_network(record).halve(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as in `fastest`
    fused = fastest(load_network(record), CPU, dtype)
    kinds = [type(part) for part in fused.modules()]
    assert kinds.count(FusedConv) == sum(isinstance(part, ConvNorm) for part in plain.modules()) > 0
    assert ConvNorm not in kinds
    with torch.inference_mode():
        expected, found, again = plain(pixels), fused(pixels), fused(pixels)
    assert torch.equal(found.logits, again.logits)
    for name in ("logits", "latent"):
        one, other = getattr(expected, name), getattr(found, name)
        assert float((one - other).norm() / one.norm()) < 0.02, name


def test_other_devices_keep_the_plain_modules() -> None:
    assert not can_fuse(torch.device("cuda"))
