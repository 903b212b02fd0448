"""The TBH-VAE objective: twin bottlenecks joined by a code-driven graph (after Shen et al., CVPR 2020; Verwilt et al.).

    b ~ Bernoulli(sigmoid(logits))          binary bottleneck, prior Bernoulli(1/2)
    z ~ N(mean, variance)                   continuous bottleneck, prior N(0, I)
    A_ij = (1 - d_H(b_i, b_j) / M)^g        the batch as a graph
    z' = relu(norm(D^-1/2 A D^-1/2 z W))    one graph convolution
    f^ = decoder(z')                        must give back the clean photograph's teacher features

The continuous bottleneck is trained by GECO (Rezende & Viola 2018): least KL such that the error stays within a
tolerance. The binary bottleneck's total correlation and dimension-wise KL (Chen et al. 2018) are taken to second order:
covariance of the bits, and imbalance of each bit. There are no discriminators.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tbhdup.model.network import FEATURES, Heads

LOGIT_LIMIT = 8.0
MULTIPLIER_LIMIT = 10.0  # beyond it an unreachable tolerance would drown every other term
HIDDEN = 512


class Bottlenecks(nn.Module):
    """What training adds to the encoder: variance, graph convolution, decoder."""

    def __init__(self, latent: int, teacher: int, graph_power: float) -> None:
        super().__init__()
        self.graph_power = graph_power
        self.log_variance = nn.Linear(FEATURES, latent)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, -3.0)
        self.graph = nn.Linear(latent, latent)
        nn.init.eye_(self.graph.weight)
        self.norm = nn.LayerNorm(latent)
        self.decoder = nn.Sequential(nn.Linear(2 * latent, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, teacher))

    def adjacency(self, bits: Tensor) -> Tensor:
        """(1 - d_H / M)^g of codes in {0, 1}: (n, M) -> (n, n)."""
        signs = 2 * bits - 1
        agreement = (signs @ signs.T / bits.shape[1] + 1) / 2
        return agreement.clamp(min=1e-6) ** self.graph_power

    def decode(self, z: Tensor, adjacency: Tensor) -> Tensor:
        """Teacher features from latents that have spoken with their neighbours: (n, latent) -> (n, teacher)."""
        scale = adjacency.sum(dim=1).rsqrt()
        mixed = self.norm((scale[:, None] * adjacency * scale) @ self.graph(z))
        # Both signs go on, so that the rectifier costs no half of the latent.
        decoded: Tensor = self.decoder(torch.cat([functional.relu(mixed), functional.relu(-mixed)], dim=1))
        return decoded


@dataclass
class Geco:
    """The multiplier of the reconstruction constraint and its moving average."""

    tolerance: float
    rate: float
    multiplier: float = 1.0
    average: float | None = None

    def constrain(self, error: Tensor) -> Tensor:
        """Multiplier times the constraint: the moving average's value with the batch's gradient."""
        constraint = error - self.tolerance
        value = float(constraint.detach())
        self.average = value if self.average is None else 0.99 * self.average + 0.01 * value
        return self.multiplier * (constraint + (self.average - value))

    def update(self) -> None:
        """Raise the multiplier while the constraint is broken, lower it while it holds."""
        assert self.average is not None
        factor = float(torch.tensor(self.rate * self.average).exp().clamp(0.9, 1.05))
        self.multiplier = min(max(self.multiplier * factor, 1e-3), MULTIPLIER_LIMIT)


def sample_bits(logits: Tensor, noise: Tensor | None) -> Tensor:
    """Hard bits with a sigmoid straight-through gradient. noise: uniform thresholds, None: one half."""
    share = torch.sigmoid(logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT))
    threshold = 0.5 if noise is None else noise
    return share + ((share > threshold).to(share.dtype) - share).detach()


def sample_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Reparameterised sample of the continuous bottleneck."""
    return mean + torch.exp(0.5 * log_variance.clamp(-10, 4)) * noise


def kl_latent(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)), mean over batch and dimensions, nats."""
    log_variance = log_variance.clamp(-10, 4)
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


@dataclass
class BitMoments:
    """Moving mean and covariance of the soft bits, so that small batches suffice. A training state, saved with it."""

    mean: Tensor  # (M,)
    covariance: Tensor  # (M, M)
    keep: float = 0.9

    @classmethod
    def start(cls, bits: int, device: torch.device | None = None) -> BitMoments:
        return cls(torch.zeros(bits, device=device), torch.eye(bits, device=device))

    def losses(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Second-order total correlation (1/M) sum_{i != j} C_ij^2 and imbalance sum_j (log 2 - H(p_j)) / M, nats."""
        soft = torch.tanh(logits / 2)  # 2 sigmoid - 1
        mean = self.keep * self.mean + (1 - self.keep) * soft.mean(dim=0)
        centred = soft - mean
        covariance = self.keep * self.covariance + (1 - self.keep) * (centred.T @ centred / len(soft))
        self.mean, self.covariance = mean.detach(), covariance.detach()
        off = covariance - torch.diag(covariance.diagonal())
        share = ((mean + 1) / 2).clamp(1e-4, 1 - 1e-4)
        entropy = -(share * share.log() + (1 - share) * (1 - share).log())
        # The moving average passes only a tenth of the gradient: scale it back.
        gain = 1 / (1 - self.keep)
        return gain * off.square().sum() / len(mean), gain * (math.log(2) - entropy).mean()


def quantisation(logits: Tensor) -> Tensor:
    """How far the soft bits are from hard ones: mean (|tanh a| - 1)^2."""
    return (torch.tanh(logits).abs() - 1).square().mean()


def reconstruct(
    bottlenecks: Bottlenecks, heads: Heads, bits: Tensor, noise: Tensor, self_loop: bool
) -> tuple[Tensor, Tensor]:
    """Decoded teacher features (n, teacher) and the latent's KL. Without the self loop z alone cannot pass through."""
    log_variance = bottlenecks.log_variance(heads.features)
    z = sample_latent(heads.latent, log_variance, noise)
    adjacency = bottlenecks.adjacency(bits)
    if not self_loop:
        adjacency = adjacency * (1 - torch.eye(len(adjacency), device=adjacency.device))
    return bottlenecks.decode(z, adjacency), kl_latent(heads.latent, log_variance)
