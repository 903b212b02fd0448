"""EfficientNet-Lite0 without its classifier, in plain torch (Tan & Le, ICML 2019; the "lite" variant has no
squeeze-and-excitation and uses ReLU6).

Module names follow the structure, not any other implementation; `training.initial` maps the ImageNet weights onto them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPSILON = 1e-3


class Stage(NamedTuple):
    """A run of blocks: the first one changes width and stride, the others keep them."""

    expand: int
    kernel: int
    stride: int
    width: int
    blocks: int


STEM_WIDTH = 32
FIRST = 1  # stages that stay in fp32: so 6 codes in 1,000 are off by more than a bit in bf16, with none of them 24
STAGES = (
    Stage(expand=1, kernel=3, stride=1, width=16, blocks=1),
    Stage(expand=6, kernel=3, stride=2, width=24, blocks=2),
    Stage(expand=6, kernel=5, stride=2, width=40, blocks=2),
    Stage(expand=6, kernel=3, stride=2, width=80, blocks=3),
    Stage(expand=6, kernel=5, stride=1, width=112, blocks=3),
    Stage(expand=6, kernel=5, stride=2, width=192, blocks=4),
    Stage(expand=6, kernel=3, stride=1, width=320, blocks=1),
)


class ConvNorm(nn.Module):
    """Convolution, batch norm and, if asked for, ReLU6. `fold` turns the pair into one convolution with a bias.

    Padding is TensorFlow's "same": at stride 2 an even side is padded by one more at its right or bottom end. What a
    convolution pads by itself is the other way round, so a folded one takes the picture turned by half a circle, with
    its kernel turned alike: the same numbers, without a padded copy of the input.
    """

    def __init__(self, inward: int, outward: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True):
        super().__init__()
        self.uneven = (kernel // 2 - 1, kernel // 2) * 2 if stride == 2 else None
        padding = 0 if self.uneven else kernel // 2
        self.conv = nn.Conv2d(inward, outward, kernel, stride, padding, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outward, eps=NORM_EPSILON)
        self.act: nn.Module = nn.ReLU6(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if self.uneven:
            x = functional.pad(x, self.uneven)
        return self.act(self.norm(self.conv(x)))  # type: ignore[no-any-return]  # modules are untyped calls

    @torch.no_grad()
    def fold(self) -> None:
        """Put the batch norm's running statistics into the convolution, and turn it (inference only)."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return
        assert norm.running_var is not None
        assert norm.running_mean is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.conv.weight.copy_(self.conv.weight.flip(2, 3) * scale[:, None, None, None])
        self.conv.bias = nn.Parameter(norm.bias - norm.running_mean * scale)
        self.norm = nn.Identity()
        if self.uneven:
            self.conv.padding = (self.uneven[1], self.uneven[1])
            self.uneven = None


class Block(nn.Module):
    """Inverted residual: widen, filter each channel by itself, narrow; add the input where the shapes agree."""

    def __init__(self, inward: int, outward: int, expand: int, kernel: int, stride: int):
        super().__init__()
        wide = inward * expand
        self.widen = ConvNorm(inward, wide, 1) if expand != 1 else nn.Identity()
        self.filter = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.narrow = ConvNorm(wide, outward, 1, act=False)
        self.residual = stride == 1 and inward == outward

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(self.filter(self.widen(x.to(self.narrow.conv.weight.dtype))))
        # In fp32 whatever the block runs in: what is added up over the blocks must not be rounded at every one.
        return y.float() + x if self.residual else y


class Trunk(nn.Module):
    """The stem and the seven stages: (n, 3, side, side), normalised -> (n, 320, side/32, side/32)."""

    width = STAGES[-1].width

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM_WIDTH, 3, stride=2)
        stages, inward = [], STEM_WIDTH
        for stage in STAGES:
            blocks = []
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                blocks.append(Block(inward, stage.width, stage.expand, stage.kernel, stride))
                inward = stage.width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.stem(x))  # type: ignore[no-any-return]  # modules are untyped calls


def conv_norms(module: nn.Module) -> Iterator[ConvNorm]:
    """Every convolution with its norm, in the order of the data."""
    return (part for part in module.modules() if isinstance(part, ConvNorm))
