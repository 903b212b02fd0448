"""TBH and two TBH-VAEs on cached features, for the retrieval table: one network, one trainer, three settings.

    x (n, d) -> features (n, 512) -> logits (n, M), latent (n, L)
    b = bits of the logits, A = (1 - d_H(b_i, b_j) / M)^g, z' = graph convolution of z over A, x^ = decoder(z')

tbh            Shen et al., CVPR 2020: sigmoid latents, a critic on b and one on z', reconstruction of x
tbh-vae-paper  the slides' reading: z is a VAE trained by GECO, b a beta-TCVAE (Chen et al. 2018); no critics
tbh-vae        ours: b and z as in `bottlenecks`; a contrast draws a row, or a view of it, and a neighbour together
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tbhdup.model.network import FEATURES, Heads
from tbhdup.training import losses
from tbhdup.training.bottlenecks import (
    LOGIT_LIMIT,
    BitMoments,
    Bottlenecks,
    Geco,
    quantisation,
    reconstruct,
    sample_bits,
)
from tbhdup.training.descent import descend
from tbhdup.training.initial import rotation_to_signs

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every number of one of the three. A weight of 0 leaves its term out."""

    steps: int = 1500
    batch: int = 256
    rate: float = 1e-3
    latent: int = 256
    graph_power: float = 1.0  # g
    stochastic: float = 1.0  # share of the run in which bits are sampled
    critics: float = 0.0  # TBH's lambda
    tolerance: float = 0.4  # GECO's kappa^2, as a share of the features' variance
    total_correlation: float = 0.0  # beta of the TCVAE on the bits
    vae: float = 1.0  # w_t: weight of the twin bottlenecks beside the contrast
    covariance: float = 0.0
    balance: float = 0.0
    quantise: float = 0.0
    contrast: float = 0.0
    temperature: float = 0.3  # of the contrast
    dropout: float = 0.0  # share of a row's values that a made-up view lacks


# The power of the graph is chosen by its self weight (0.4 for 256 rows of 64 fair bits), not by labels.
# TBH is the released form: bits cut at one half, the reconstruction summed, so that the critics weigh little.
TBH = Settings(steps=5000, graph_power=8.0, stochastic=0.0, critics=1 / 256)
TBH_VAE_PAPER = Settings(steps=1000, graph_power=8.0, total_correlation=6.0)
TBH_VAE = Settings(
    steps=1500, batch=128, graph_power=8.0, stochastic=0.6, vae=0.3, covariance=1.0, balance=1.0, quantise=0.1,
    contrast=1.0, dropout=0.2,
)  # fmt: skip


class Twins(nn.Module):
    """The encoder with its two heads, on which `Bottlenecks` or TBH's own decoder hang."""

    def __init__(self, size: int, bits: int, latent: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(size, FEATURES), nn.ReLU())
        self.code = nn.Linear(FEATURES, bits)
        self.latent = nn.Linear(FEATURES, latent)
        self.straight: nn.Module | None = None  # a linear code beside the trunk's, where the run starts
        self.norm: nn.Module = nn.Identity()  # keeps each bit even

    def forward(self, x: Tensor) -> Heads:
        features = self.trunk(x)
        logits = self.code(features)
        if self.straight is not None:
            logits = logits + self.straight(x)
        return Heads(features, self.norm(logits), self.latent(features))


class SigmoidGraph(nn.Module):
    """TBH's own way from z to x^: sigmoid(D^-1/2 A D^-1/2 sigmoid(z) W), then two layers."""

    def __init__(self, bits: int, latent: int, size: int) -> None:
        super().__init__()
        self.graph = nn.Linear(latent, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, FEATURES), nn.ReLU(), nn.Linear(FEATURES, size))
        self.critics = nn.ModuleList([nn.Linear(bits, 1), nn.Linear(latent, 1)])  # of b and of z'

    def forward(self, z: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        """x^ (n, size) and z' (n, latent)."""
        scale = adjacency.sum(dim=1).rsqrt()
        mixed = torch.sigmoid((scale[:, None] * adjacency * scale) @ self.graph(torch.sigmoid(z)))
        return self.decoder(mixed), mixed


def total_correlation(logits: Tensor, bits: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mutual information, total correlation and dimension-wise KL of Bernoulli bits, nats (Chen et al., NeurIPS 2018).

    logits, bits: (n, M); count: pictures in the whole training set. Estimated by stratified weights: each row's own
    posterior counts 1 / count, one other (count - n + 1) / (count (n - 1)), all others 1 / (n - 1).
    """
    logits = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    one, zero = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    own = (bits * one + (1 - bits) * zero).sum(dim=1)
    weights = stratified_weights(len(bits), count).log()
    joint = torch.logsumexp(bits @ one.T + (1 - bits) @ zero.T + weights, dim=1)
    each = bits[:, None, :] * one + (1 - bits[:, None, :]) * zero  # (n, n, M)
    marginal = torch.logsumexp(each + weights[:, :, None], dim=1).sum(dim=1)
    prior = bits.shape[1] * math.log(0.5)
    return (own - joint).mean(), (joint - marginal).mean(), (marginal - prior).mean()


def stratified_weights(n: int, count: int) -> Tensor:
    """The (n, n) weights of the estimate: every row sums to one, its diagonal is 1 / count."""
    weights = torch.full((n, n), 1 / (n - 1))
    rows = torch.arange(n)
    weights[rows, (rows + 1) % n] = (count - n + 1) / (count * (n - 1))
    weights[rows, rows] = 1 / count
    return weights


class Run:
    """One training: what is learned, and the loss of a batch."""

    def __init__(
        self, features: Floats, bits: int, settings: Settings, seed: int,
        views: NDArray[np.float16] | None = None, neighbours: NDArray[np.int64] | None = None,
    ) -> None:  # fmt: skip
        """Set up, untrained.

        features    (n, d), centred, mean square 1, the greatest variance first
        views       (v, m, d) of the first m rows
        neighbours  (n, k) rows that lie near each, -1 where there are fewer
        """
        torch.manual_seed(seed)
        self.settings, self.seed, self.bits = settings, seed, bits
        self.x = torch.from_numpy(features)
        self.views, self.neighbours = views, neighbours
        size = self.x.shape[1]
        self.twins = Twins(size, bits, settings.latent)
        self.moments, self.geco = BitMoments.start(bits), Geco(settings.tolerance, 1e-2)
        self.sigmoid = SigmoidGraph(bits, settings.latent, size) if settings.critics else None
        self.bottlenecks = None if settings.critics else Bottlenecks(settings.latent, size, settings.graph_power)
        if settings.contrast:
            self._start_from_itq(seed)

    def _start_from_itq(self, seed: int) -> None:
        """Before the first step the code is ITQ's; the trunk's part of it is nothing."""
        values = self.x[:, : self.bits].numpy()
        straight = nn.Linear(self.x.shape[1], self.bits, bias=False)
        with torch.no_grad():
            straight.weight.zero_()
            rotation = rotation_to_signs(values, seed) / values.std()
            straight.weight[:, : self.bits] = torch.from_numpy(np.ascontiguousarray(rotation.T))
            self.twins.code.weight.zero_()
            self.twins.code.bias.zero_()
        self.twins.straight = straight
        self.twins.norm = nn.BatchNorm1d(self.bits, affine=False)

    def train(self) -> None:
        """All steps."""
        parts = [self.twins, *([self.bottlenecks] if self.bottlenecks else [])]
        learned = [p for part in parts for p in part.parameters()]
        if self.sigmoid:
            learned += [*self.sigmoid.graph.parameters(), *self.sigmoid.decoder.parameters()]
            self.critic = torch.optim.Adam(self.sigmoid.critics.parameters(), lr=self.settings.rate)
        rows = len(self.x) if self.views is None else self.views.shape[1]
        descend(learned, self._loss, rows, self.settings.steps, self.settings.batch, self.settings.rate, self.seed)
        self.twins.eval()

    @torch.no_grad()
    def encode(self, features: Floats) -> NDArray[np.bool_]:
        """Bits at the threshold of one half: (n, d) -> (n, bits)."""
        blocks = np.array_split(features, max(1, len(features) // 4096))
        return np.concatenate([(self.twins(torch.from_numpy(b)).logits > 0).numpy() for b in blocks])

    # ------------------------------------------------------------ losses

    def _loss(self, rows: Tensor, done: float, noise: torch.Generator) -> Tensor:
        settings = self.settings
        if not settings.contrast:
            x = self.x[rows]
            heads: Heads = self.twins(x)
            return self._adversarial(heads, x, done, noise) if self.sigmoid else self._twin(heads, x, done, noise)
        target = self.x[rows]
        inputs = torch.cat(self._two(rows, noise))
        heads = self.twins(inputs)
        loss = settings.contrast * self._contrast(heads.logits, rows, done)
        if settings.vae:
            loss = loss + settings.vae * self._twin(heads, torch.cat([target, target]), done, noise)
        return loss

    def _two(self, rows: Tensor, noise: torch.Generator) -> list[Tensor]:
        """Two looks at each row, with values left out: itself, or one of its cached views, and a neighbour."""
        drop = self.settings.dropout
        first = self.x[rows]
        if self.views is not None:
            which = torch.randint(len(self.views), (len(rows),), generator=noise)
            first = torch.from_numpy(self.views[which.numpy(), rows.numpy()].astype(np.float32))
        looks = [first, self.x[self._partners(rows, noise)]]
        return [x * (torch.rand(x.shape, generator=noise) >= drop) / (1 - drop) for x in looks]

    def _partners(self, rows: Tensor, noise: torch.Generator) -> Tensor:
        """A neighbour of each row, itself where it has none."""
        if self.neighbours is None:
            return rows
        near = torch.from_numpy(self.neighbours[rows.numpy()])
        pick = torch.randint(near.shape[1], (len(rows), 1), generator=noise)
        chosen = near.gather(1, pick)[:, 0]
        return torch.where(chosen >= 0, chosen, rows)

    def _contrast(self, logits: Tensor, rows: Tensor, done: float) -> Tensor:
        n = 2 * len(rows)
        both = torch.cat([rows, rows])
        own = torch.eye(n, dtype=torch.bool)
        positive = (both[:, None] == both) & ~own
        soft = torch.tanh(logits)
        codes = [soft] if done < 0.05 else [soft, losses.straight_signs(logits)]
        temperature = self.settings.temperature
        each = [losses.info_nce(code @ code.T / self.bits, positive, own, temperature) for code in codes]
        return torch.stack(each).mean()

    def _bits(self, logits: Tensor, done: float, noise: torch.Generator) -> Tensor:
        thresholds = torch.rand(logits.shape, generator=noise)
        return sample_bits(logits, thresholds if done < self.settings.stochastic else None)

    def _twin(self, heads: Heads, x: Tensor, done: float, noise: torch.Generator) -> Tensor:
        """The two variational bottlenecks."""
        settings = self.settings
        assert self.bottlenecks is not None
        bits = self._bits(heads.logits, done, noise)
        z_noise = torch.randn(heads.latent.shape, generator=noise)
        self_loop = not settings.contrast or bool(torch.rand((), generator=noise) < 0.5)
        decoded, kl = reconstruct(self.bottlenecks, heads, bits, z_noise, self_loop)
        loss = self.geco.constrain((decoded - x).square().mean()) + kl
        self.geco.update()
        if settings.total_correlation:
            information, correlation, marginal = total_correlation(heads.logits, bits, len(self.x))
            bits_part = information + settings.total_correlation * correlation + marginal
            loss = loss + bits_part / x.shape[1]  # all terms a value of x, as the error and the latent's KL are
        if settings.covariance:
            covariance, imbalance = self.moments.losses(heads.logits)
            loss = loss + settings.covariance * covariance + settings.balance * imbalance
        if settings.quantise:
            loss = loss + settings.quantise * max(0.0, 3 * done - 2) * quantisation(heads.logits)
        return loss

    def _adversarial(self, heads: Heads, x: Tensor, done: float, noise: torch.Generator) -> Tensor:
        """TBH: |x - x^|^2 / 2 - lambda (log d1(b) + log d2(z')), the critics trained in between."""
        assert self.sigmoid is not None
        bits = self._bits(heads.logits, done, noise)
        signs = 2 * bits - 1
        adjacency = ((signs @ signs.T / self.bits + 1) / 2).clamp(min=1e-6) ** self.settings.graph_power
        decoded, mixed = self.sigmoid(heads.latent, adjacency)
        fair = [torch.rand(bits.shape, generator=noise).round(), torch.rand(mixed.shape, generator=noise)]
        made = [bits, mixed]
        critic_loss = torch.stack([
            functional.softplus(-critic(real)).mean() + functional.softplus(critic(own.detach())).mean()
            for critic, real, own in zip(self.sigmoid.critics, fair, made, strict=True)
        ]).sum()  # fmt: skip
        self.critic.zero_grad(set_to_none=True)
        critic_loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.critic.step()
        fooled = torch.stack([
            functional.softplus(-critic(own)).mean()
            for critic, own in zip(self.sigmoid.critics, made, strict=True)
        ]).sum()  # fmt: skip
        total: Tensor = (decoded - x).square().sum(dim=1).mean() / 2 + self.settings.critics * fooled
        return total


def fit(
    features: Floats, bits: int, settings: Settings, seed: int, effort: float = 1.0,
    neighbours: NDArray[np.int64] | None = None, views: NDArray[np.float16] | None = None,
) -> Callable[[Floats], NDArray[np.bool_]]:  # fmt: skip
    """Train one of the three, for a share (`effort`) of its steps; returns its encoder. The others as in `Run`."""
    steps = max(1, round(settings.steps * effort))
    run = Run(features, bits, replace(settings, steps=steps), seed, views, neighbours)
    run.train()
    return run.encode
