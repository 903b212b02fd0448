"""The methods that descend a gradient, on given features x. Where a paper trains on pictures, its loss is kept.

A loss sees batches of rows; h are soft codes, b = sign(h) in {-1, 1} with a straight-through gradient, m the bits.
Nothing here reads a label.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tbhdup.evaluation.retrieval.data import Encode, Floats, Training
from tbhdup.evaluation.retrieval.shallow import k_means
from tbhdup.training import losses, twins
from tbhdup.training.bottlenecks import kl_latent, sample_bits, sample_latent
from tbhdup.training.descent import Loss, descend

HIDDEN = 512
STEPS = 1500
BATCH = 256


def _learn(training: Training, parts: list[nn.Module], loss: Loss, seed: int, rows: int | None = None) -> None:
    parameters = [parameter for part in parts for parameter in part.parameters()]
    steps = max(1, round(STEPS * training.effort))
    descend(parameters, loss, rows or len(training.features), steps, BATCH, 1e-3, seed)


def _positive(network: Callable[[Tensor], Tensor]) -> Encode:
    """Bits where the network's output is positive."""

    @torch.no_grad()
    def encode(x: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        return np.asarray((network(torch.from_numpy(x)) > 0).numpy())

    return encode


def _mlp(size: int, bits: int) -> nn.Module:
    return nn.Sequential(nn.Linear(size, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, bits))


def _signs(h: Tensor) -> Tensor:
    """Signs forward, the gradient as if nothing was done."""
    return h + (torch.where(h > 0, 1.0, -1.0) - h).detach()


def sgh(training: Training, bits: int, seed: int) -> Encode:
    """Stochastic generative hashing (Dai, Guo, Kumar, He & Song, ICML 2017).

    q(b | x) = Bernoulli(sigmoid(W^T x)), p(x | b) = N(U b, r^2), p(b) = Bernoulli(theta): the description length
    |x - U b|^2 / 2r^2 - log p(b) + log q(b | x) is made smaller, with the distributional derivative through b.
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(training.features)
    encoder, decoder = nn.Linear(x.shape[1], bits), nn.Linear(bits, x.shape[1])
    prior = nn.Linear(1, bits, bias=False)
    log_variance = nn.Linear(1, 1, bias=False)
    for part in (prior, log_variance):
        nn.init.zeros_(part.weight)

    def loss(rows: Tensor, done: float, noise: torch.Generator) -> Tensor:
        logits = encoder(x[rows])
        b = sample_bits(logits, torch.rand(logits.shape, generator=noise))
        s = log_variance.weight[0, 0]
        error = (x[rows] - decoder(b)).square().sum(dim=1) / (2 * s.exp()) + x.shape[1] * s / 2
        theta = prior.weight[:, 0].expand_as(logits)
        bce = functional.binary_cross_entropy_with_logits
        surprise = bce(theta, b, reduction="none") - bce(logits, b, reduction="none")
        length: Tensor = (error + surprise.sum(dim=1)).mean() / x.shape[1]
        return length

    _learn(training, [encoder, decoder, prior, log_variance], loss, seed)
    return _positive(encoder)


def greedy_hash(training: Training, bits: int, seed: int) -> Encode:
    """GreedyHash, unsupervised (Su, Zhang, Han & Tian, NeurIPS 2018): h = W x, b = sign(h), the gradient unchanged.

    Mean over pairs of (cos(x_i, x_j) - b_i^T b_j / m)^2, plus 0.1 | |h| - 1 |^3.
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(training.features)
    network = nn.Linear(x.shape[1], bits)

    def loss(rows: Tensor, done: float, noise: torch.Generator) -> Tensor:
        h = network(x[rows])
        b, unit = _signs(h), functional.normalize(x[rows], dim=1)
        error: Tensor = (unit @ unit.T - b @ b.T / bits).square().mean() + 0.1 * (h.abs() - 1).abs().pow(3).mean()
        return error

    _learn(training, [network], loss, seed)
    return _positive(network)


def pseudo_label(training: Training, bits: int, seed: int, clusters: int = 64) -> Encode:
    """Pseudo labels (Hu, Yang & others, ACM MM Thematic Workshops 2017): clusters of k-means stand for classes.

    Cross-entropy of a linear classifier on tanh(h), plus 0.1 (|h| - 1)^2. The number of clusters is not the classes'.
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(training.features)
    centres = torch.from_numpy(k_means(training.features, clusters, seed)).float()
    labels = torch.cat([torch.cdist(block, centres).argmin(dim=1) for block in x.chunk(len(x) // 4096 + 1)])
    network, classifier = _mlp(x.shape[1], bits), nn.Linear(bits, len(centres))

    def loss(rows: Tensor, done: float, noise: torch.Generator) -> Tensor:
        h = torch.tanh(network(x[rows]))
        return functional.cross_entropy(classifier(h), labels[rows]) + 0.1 * (h.abs() - 1).square().mean()

    _learn(training, [network, classifier], loss, seed)
    return _positive(network)


def dvb(training: Training, bits: int, seed: int) -> Encode:
    """Deep variational binaries (Shen, Liu & Shao, IJCV 2019), as read here: a conditional VAE around the code.

    b = sign(h(x)); q(z | x), p(z | b) Gaussian; |x - g(z, b)|^2 + KL(q(z | x) || p(z | b)), plus the quantisation
    |b - h|^2 and the orthogonality |h^T h / n - I|^2. z has 64 dimensions.
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(training.features)
    size, latent = x.shape[1], 64
    code, posterior = _mlp(size, bits), _mlp(size, 2 * latent)
    prior, decoder = nn.Linear(bits, latent), _mlp(latent + bits, size)

    def loss(rows: Tensor, done: float, noise: torch.Generator) -> Tensor:
        h = torch.tanh(code(x[rows]))
        b = _signs(h)
        mean, log_variance = posterior(x[rows]).chunk(2, dim=1)
        z = sample_latent(mean, log_variance, torch.randn(mean.shape, generator=noise))
        error = (decoder(torch.cat([z, b], dim=1)) - x[rows]).square().mean()
        kl = kl_latent(mean - prior(b), log_variance) * latent / size  # with the prior's variance at one
        apart = (h.T @ h / len(h) - torch.eye(bits)).square().mean()
        total: Tensor = error + kl + 0.1 * (b.detach() - h).square().mean() + apart
        return total

    _learn(training, [code, posterior, prior, decoder], loss, seed)
    return _positive(code)


def distill_hash(training: Training, bits: int, seed: int) -> Encode:
    """DistillHash (Yang, Liu, Deng, Liu & Tao, CVPR 2019), as read here: learn from pairs whose label is sure.

    Cosines of pairs lie around one peak; its two halves, as halves of Gaussians, give the limits at two deviations:
    above the upper one a pair is alike, below the lower one it is not, if the mean over the pair's neighbours lies on
    the same side of the peak. Logistic loss of b_i^T b_j / 2 on these pairs, plus 0.1 (|h| - 1)^2.
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(training.features)
    unit = functional.normalize(x, dim=1)
    near = torch.from_numpy(training.neighbours)
    smooth = unit[near.clamp(min=0)] * (near >= 0)[:, :, None]
    smooth = functional.normalize(smooth.sum(dim=1) + unit, dim=1)
    sample = torch.randperm(len(x))[:2000]
    values = (unit[sample] @ unit[sample].T)[~torch.eye(len(sample), dtype=torch.bool)]
    counts, edges = np.histogram(values.numpy(), bins=100)
    peak = float(edges[counts.argmax()] + edges[1] - edges[0])
    upper = peak + 2 * float((values[values > peak] - peak).square().mean().sqrt())
    lower = peak - float((values[values < peak] - peak).square().mean().sqrt())
    network = _mlp(x.shape[1], bits)

    def loss(rows: Tensor, done: float, noise: torch.Generator) -> Tensor:
        h = torch.tanh(network(x[rows]))
        cosine, agreed = unit[rows] @ unit[rows].T, smooth[rows] @ smooth[rows].T
        alike, other = (cosine > upper) & (agreed > peak), (cosine < lower) & (agreed < peak)
        theta = h @ h.T / 2
        sure = functional.softplus(-theta) * alike / alike.sum() + functional.softplus(
            theta
        ) * other / other.sum().clamp(1)
        return sure.sum() + 0.1 * (h.abs() - 1).square().mean()

    _learn(training, [network], loss, seed)
    return _positive(network)


def cibhash(training: Training, bits: int, seed: int) -> Encode:
    """CIBHash (Qiu, Su, Ou, Yu & Chen, IJCAI 2021): contrast between the codes of two views of a picture.

    NT-Xent on cosines of sign codes at temperature 0.3, plus 0.001 of the symmetric KL between the views' Bernoullis.
    """
    torch.manual_seed(seed)
    views = training.views
    assert views is not None  # the table asks for them before
    network = _mlp(views.shape[2], bits)

    def loss(rows: Tensor, done: float, noise: torch.Generator) -> Tensor:
        which = torch.rand(len(views), len(rows), generator=noise).argsort(dim=0)[:2].numpy()
        h = network(torch.from_numpy(views[which, rows.numpy()].astype(np.float32)).flatten(0, 1))
        both = torch.cat([rows, rows])
        own = torch.eye(len(both), dtype=torch.bool)
        b = _signs(h)
        contrast = losses.info_nce(b @ b.T / bits, (both[:, None] == both) & ~own, own, 0.3)
        one, two = h.chunk(2)
        apart = (torch.sigmoid(one) - torch.sigmoid(two)) * (one - two)  # KL both ways, together
        total: Tensor = contrast + 0.001 * 0.5 * apart.sum(dim=1).mean()
        return total

    _learn(training, [network], loss, seed, views.shape[1])
    return _positive(network)


def _twins(settings: twins.Settings, use_views: bool = False) -> Callable[[Training, int, int], Encode]:
    def fit(training: Training, bits: int, seed: int) -> Encode:
        views = training.views if use_views else None
        return twins.fit(training.features, bits, settings, seed, training.effort, training.neighbours, views)

    return fit


tbh = _twins(twins.TBH)
tbh_vae_paper = _twins(twins.TBH_VAE_PAPER)
tbh_vae = _twins(twins.TBH_VAE)
tbh_vae_views = _twins(twins.TBH_VAE, use_views=True)
