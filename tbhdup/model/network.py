"""The encoder that ships: trunk, pooling and the means of two bottlenecks (TBH-VAE; Verwilt et al.).

    pixels (n, 3, side, side) -> trunk -> 1280 channels -> GeM pooling -> whitened features (n, 512)
        binary bottleneck       logits (n, 64):  bit j is 1 where logit j > 0
        continuous bottleneck   mean (n, 128):   the latent, which ships as a unit vector less what is common in it

What only training needs (variances, graph, decoder) lives in `training.bottlenecks`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tbhdup.model.trunk import FIRST, ConvNorm, Trunk, conv_norms
from tbhdup.values import CODE_BITS, LATENT_SIZE

CHANNELS = 1280
FEATURES = 512

COMMON = 0.9  # share of what a latent has in common with its kind that is taken away
KIND = 0.1  # temperature of the cosines that say of which kind a latent is


class Heads(NamedTuple):
    """What the encoder says of a batch."""

    features: Tensor  # (n, 512)
    logits: Tensor  # (n, bits)
    latent: Tensor  # (n, 128), not normalised


class GeM(nn.Module):
    """Generalised mean over the positions, p = 3 (Radenovic et al. 2018): (n, c, h, w) -> (n, c)."""

    def forward(self, x: Tensor) -> Tensor:
        # In fp32 whatever the trunk ran in: the cube of a half-precision activation loses too many bits.
        return x.float().clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)


class Encoder(nn.Module):
    """Pixels to logits and latent.

    pixels: (n, 3, side, side) uint8, RGB, channels_last for speed; side is a multiple of 32.
    """

    centre: Tensor
    axes: Tensor
    background: Tensor

    def __init__(self, bits: int = CODE_BITS, latent: int = LATENT_SIZE) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.last = ConvNorm(Trunk.width, CHANNELS, 1)
        self.pool = GeM()
        self.turned = False  # whether the trunk was folded, and wants its input turned by half a circle
        # A fixed whitening, laid before training. In raw features a few directions hold most of the variance, and the
        # optimiser would turn every bit and every axis towards them.
        self.register_buffer("centre", torch.zeros(CHANNELS))
        self.register_buffer("axes", torch.zeros(FEATURES, CHANNELS))
        # Unit vectors, one for each kind of picture that training photographs fall into; laid as the weights are made.
        self.register_buffer("background", torch.zeros(0, latent))
        self.code = nn.Linear(FEATURES, bits)
        self.latent = nn.Linear(FEATURES, latent)
        # Training moves the trunk faster than the biases can follow: each bit and each axis is kept centred.
        # `fold` puts the norms into the linear layers.
        self.code_norm: nn.Module
        self.latent_norm: nn.Module
        self.add_norms()

    def add_norms(self) -> None:
        """Norms after both bottlenecks; training needs them, also when it starts from folded weights."""
        self.code_norm = nn.BatchNorm1d(self.code.out_features, affine=False)
        self.latent_norm = nn.BatchNorm1d(self.latent.out_features, affine=False)

    def pooled(self, pixels: Tensor) -> Tensor:
        """The trunk's channels, pooled: (n, 1280) fp32."""
        if self.turned:
            pixels = pixels.flip(2, 3)
        return self.pool(self.last(self.trunk((pixels.float() - 127.0) / 128.0)))  # type: ignore[no-any-return]  # modules are untyped calls

    def heads(self, pooled: Tensor) -> Heads:
        """Both bottlenecks, in fp32: a sign near zero must not hang on half precision."""
        features = (pooled - self.centre) @ self.axes.T
        return Heads(features, self.code_norm(self.code(features)), self.latent_norm(self.latent(features)))

    def forward(self, pixels: Tensor) -> Heads:
        return self.heads(self.pooled(pixels))

    def distinct(self, latent: Tensor) -> Tensor:
        """Latents as unit vectors, less what pictures of their kind have in common: (n, latent) -> (n, latent).

        Two X-rays, or two receipts, are near each other for what all of them show. The mean of the background around a
        latent, weighted by a softmax of the cosines, is that common part (negative embedding subtraction, S. Yokoo,
        arXiv 2112.04323, there with the mean of the nearest few).
        """
        unit = functional.normalize(latent, dim=1)
        if not len(self.background):
            return unit
        weights = torch.softmax(unit @ self.background.T / KIND, dim=1)
        return functional.normalize(unit - COMMON * (weights @ self.background), dim=1)

    def fold(self) -> Encoder:
        """Put every batch norm into its convolution; inference only, in place."""
        self.eval()
        for part in conv_norms(self):
            part.fold()
        self.turned = True
        self.code_norm = _fold_into(self.code, self.code_norm)
        self.latent_norm = _fold_into(self.latent, self.latent_norm)
        return self

    def halve(self, dtype: torch.dtype) -> Encoder:
        """Let all but the first stages run in half precision; inference only, in place.

        The rounding of those flips more bits than that of all others.
        """
        self.trunk.stages[FIRST:].to(dtype)
        self.last.to(dtype)
        return self


@torch.no_grad()
def _fold_into(linear: nn.Linear, norm: nn.Module) -> nn.Module:
    """Put a norm's running statistics into the linear layer before it; returns what stands in the norm's place."""
    if isinstance(norm, nn.BatchNorm1d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var + norm.eps).rsqrt()
        linear.bias.copy_((linear.bias - norm.running_mean) * scale)
        linear.weight.mul_(scale[:, None])
    return nn.Identity()
