"""The methods before deep learning, each as in its paper on given features x; everywhere m is the number of bits.

A code's bit is 1 where the paper's sign is +1. Nothing here reads a label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tbhdup.evaluation.retrieval.data import Bits, Encode, Floats, Training
from tbhdup.training.initial import principal_components, rotation_to_signs

ANCHORS = 300
NEAREST = 3  # anchors that speak for a point
SAMPLE = 10_000  # points on which centres are sought

Doubles = NDArray[np.float64]


def lsh(training: Training, bits: int, seed: int) -> Encode:
    """Random hyperplanes: sign(w^T (x - mean)), w ~ N(0, I) (Charikar, STOC 2002)."""
    mean = training.features.mean(axis=0)
    planes = np.random.default_rng(seed).normal(size=(len(mean), bits)).astype(np.float32)
    return lambda x: (x - mean) @ planes > 0


def spectral(training: Training, bits: int, seed: int) -> Encode:
    """SpH: eigenfunctions of a uniform box along the principal axes (Weiss, Torralba & Fergus, NIPS 2008).

    On axis i of range [a, b] they are sin(pi/2 + k pi (x - a) / (b - a)), k = 1, 2, ...; their eigenvalues fall with
    the frequency k / (b - a), so the m lowest frequencies over all axes are the bits. There is nothing random in it.
    """
    mean, axes, _ = principal_components(training.features, bits)
    values = (training.features - mean) @ axes.T
    low, width = values.min(axis=0), np.ptp(values, axis=0)
    frequency = np.arange(1, bits + 1)[:, None] * np.pi / width
    modes = np.argsort(frequency, axis=None, kind="stable")[:bits]
    axis, omega = modes % frequency.shape[1], frequency.ravel()[modes]

    def encode(x: Floats) -> Bits:
        along = (x - mean) @ axes.T
        return np.asarray(np.sin(np.pi / 2 + (along - low)[:, axis] * omega) > 0)

    return encode


def itq(training: Training, bits: int, seed: int) -> Encode:
    """Iterative quantisation: PCA to m values, rotated towards their signs (Gong & Lazebnik, CVPR 2011)."""
    mean, axes, _ = principal_components(training.features, bits)
    rotation = rotation_to_signs(np.asarray((training.features - mean) @ axes.T, np.float32), seed)
    projection = axes.T @ rotation
    return lambda x: (x - mean) @ projection > 0


def anchor_graph(training: Training, bits: int, seed: int) -> Encode:
    """AGH, one layer: eigenvectors of a low-rank neighbour graph (Liu, Wang, Kumar & Chang, ICML 2011).

    Z (n, a) holds each point's weights over its nearest anchors, L = diag(Z^T 1). The m leading eigenvectors V, values
    s of L^-1/2 Z^T Z L^-1/2 behind the trivial one give the codes sign(Z L^-1/2 V s^-1/2).
    """
    anchors = _Anchors(training.features, seed)
    z = anchors(training.features)
    projection = _leading(z, bits)
    return lambda x: anchors(x) @ projection > 0


def discrete_graph(training: Training, bits: int, seed: int, balance: float = 0.1, rounds: int = 20) -> Encode:
    """DGH: the anchor graph's cut with discrete codes (Liu, Mu, Kumar & Chang, NIPS 2014).

    max tr(B^T A B) + rho tr(B^T Y) over B in {-1, 1}, Y with 1^T Y = 0, Y^T Y = n I; A = Z L^-1 Z^T. In turns
    B = sign(2 A B + rho Y) and Y = sqrt(n) U V^T of the centred B's singular vectors. A new point gets sign(W^T z(x)),
    W = L^-1 Z^T B. Starts from AGH (the paper's DGH-I).
    """
    anchors = _Anchors(training.features, seed)
    z = anchors(training.features)
    weighted = z / z.sum(axis=0)
    codes = np.where(z @ _leading(z, bits) > 0, 1.0, -1.0)
    for _ in range(rounds):
        left, _, right = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
        target = np.sqrt(len(codes)) * left @ right
        new = np.where(2 * z @ (weighted.T @ codes) + balance * target > 0, 1.0, -1.0)
        if np.array_equal(new, codes):
            break
        codes = new
    projection = weighted.T @ codes
    return lambda x: anchors(x) @ projection > 0


class _Anchors:
    """Points -> weights over their nearest anchors, exp(-d^2 / t) made to sum to one: (n, d) -> (n, a)."""

    def __init__(self, features: Floats, seed: int) -> None:
        self.centres = k_means(features, min(ANCHORS, len(features) // 4), seed)
        # t: the mean squared distance to the last anchor that counts.
        self.bandwidth = float(self._nearest(features)[1].max(axis=1).mean())

    def _nearest(self, x: Floats) -> tuple[NDArray[np.int64], Doubles]:
        """The anchors that speak for each point and their squared distances: (n, NEAREST) each."""
        distance = np.maximum(_squared_distances(x, self.centres), 0)
        nearest = np.argpartition(distance, NEAREST - 1, axis=1)[:, :NEAREST]
        return nearest, np.take_along_axis(distance, nearest, axis=1)

    def __call__(self, x: Floats) -> Doubles:
        nearest, distance = self._nearest(x)
        weight = np.exp((distance.min(axis=1, keepdims=True) - distance) / self.bandwidth)
        z = np.zeros((len(x), len(self.centres)))
        np.put_along_axis(z, nearest, weight / weight.sum(axis=1, keepdims=True), axis=1)
        return z


def _leading(z: Doubles, bits: int) -> Doubles:
    """L^-1/2 V s^-1/2 of the anchor graph: (a, bits)."""
    scale = 1 / np.sqrt(np.maximum(z.sum(axis=0), 1e-12))
    values, vectors = np.linalg.eigh(scale[:, None] * (z.T @ z) * scale)
    behind = slice(-2, -2 - bits, -1)  # the largest value's vector is constant
    return np.asarray(scale[:, None] * vectors[:, behind] / np.sqrt(np.maximum(values[behind], 1e-12)))


def k_means(points: Floats, count: int, seed: int) -> Doubles:
    """Centres of k-means on a sample of the points: (count, d)."""
    from sklearn.cluster import KMeans

    order = np.random.default_rng(seed).permutation(len(points))[:SAMPLE]
    with threadpool_limits(1):  # sums of several threads come in any order
        found = KMeans(count, n_init=1, max_iter=25, random_state=seed).fit(points[order])
    return np.asarray(found.cluster_centers_, np.float64)


def _squared_distances(x: Floats | Doubles, centres: Doubles) -> Doubles:
    return np.asarray(np.square(x).sum(axis=1)[:, None] - 2 * x @ centres.T + np.square(centres).sum(axis=1))


def spherical(training: Training, bits: int, seed: int, rounds: int = 50) -> Encode:
    """SpherH: inside or outside of m balls (Heo, Lee, He, Chang & Yoon, CVPR 2012).

    Each ball holds half of the points; centres repel or attract each other by (o - n/4) / (n/4) / 2 of their
    difference, where o points lie in both balls, until o is n/4 within a tenth on average.
    """
    rng = np.random.default_rng(seed)
    points = training.features[rng.permutation(len(training.features))[:SAMPLE]].astype(np.float64)
    centres = np.stack([points[rng.choice(len(points), 5, replace=False)].mean(axis=0) for _ in range(bits)])
    quarter = len(points) / 4
    for _ in range(rounds):
        distance = _squared_distances(points, centres)
        inside = (distance <= np.median(distance, axis=0)).astype(np.float64)
        excess = (inside.T @ inside - quarter) / quarter
        np.fill_diagonal(excess, 0)
        if np.abs(excess).sum() / max(1, bits * (bits - 1)) < 0.1:
            break
        push = excess.sum(axis=1, keepdims=True) * centres - excess @ centres
        centres = centres + push / (2 * bits)
    radius = np.median(_squared_distances(points, centres), axis=0)
    return lambda x: np.asarray(_squared_distances(x, centres) <= radius)


def kmeans_hashing(training: Training, bits: int, seed: int, rounds: int = 12) -> Encode:
    """KMH: k-means whose centres' distances follow their numbers' Hamming distances (He, Wen & Sun, CVPR 2013).

    In each of m/4 subspaces of the principal axes 16 centres c_i minimise the quantisation error plus
    sum_ij w_ij (|c_i - c_j| - s sqrt(h_ij))^2, w_ij = n_i n_j / n^2, weight 10. The bits are the nearest centre's
    number. Starts from the corners of a rotated box (ITQ), with s fitted to it. Subspaces have
    about equal products of variances.
    """
    width = min(4, bits)
    parts = bits // width
    rng = np.random.default_rng(seed)
    size = min(training.features.shape[1], max(bits, 128) // parts * parts)
    mean, axes, variances = principal_components(training.features, size)
    points = (training.features[rng.permutation(len(training.features))[:SAMPLE]] - mean) @ axes.T
    groups = _equal_products(np.asarray(variances, np.float64), parts)
    books = [_affine_centres(points[:, group], width, seed + number, rounds) for number, group in enumerate(groups)]

    def encode(x: Floats) -> Bits:
        along = (x - mean) @ axes.T
        numbers = [_squared_distances(along[:, g], book).argmin(axis=1) for g, book in zip(groups, books, strict=True)]
        return np.concatenate([_digits(n, width) for n in numbers], axis=1)

    return encode


def _equal_products(variances: Doubles, parts: int) -> list[list[int]]:
    """Axes for each part, the greatest variance first, always to the part with the least product that is not full."""
    groups: list[list[int]] = [[] for _ in range(parts)]
    products = np.zeros(parts)
    full = len(variances) // parts
    for axis, variance in enumerate(np.log(np.maximum(variances, 1e-12) / max(variances.min(), 1e-12) + 1)):
        open_parts = [part for part in range(parts) if len(groups[part]) < full]
        part = min(open_parts, key=lambda p: products[p])
        groups[part].append(axis)
        products[part] += variance
    return groups


def _digits(numbers: NDArray[np.int64], width: int) -> Bits:
    return (numbers[:, None] >> np.arange(width) & 1).astype(bool)


def _affine_centres(points: Floats | Doubles, width: int, seed: int, rounds: int, weight: float = 10.0) -> Doubles:
    """2^width centres whose numbers' Hamming distances follow their own: (2^width, d)."""
    numbers = np.arange(1 << width)
    corner = _digits(numbers, width) * 2.0 - 1
    values = points[:, :width]  # the group's axes come by variance
    rotation = rotation_to_signs(np.asarray(values, np.float32), seed)
    scale = np.abs(values @ rotation).mean()
    centres = np.zeros((len(numbers), points.shape[1]))
    centres[:, :width] = scale * corner @ rotation.T
    root = np.sqrt(np.bitwise_count(numbers[:, None] ^ numbers))
    nearest = _squared_distances(points, centres).argmin(axis=1)
    share = np.bincount(nearest, minlength=len(numbers)) / len(points)
    apart = np.sqrt(np.maximum(_squared_distances(centres, centres), 0))
    pair = share[:, None] * share
    step = float((pair * apart * root).sum() / max((pair * root**2).sum(), 1e-12))  # s: fitted once, as in the paper
    for _ in range(rounds):
        nearest = _squared_distances(points, centres).argmin(axis=1)
        share = np.bincount(nearest, minlength=len(numbers)) / len(points)
        means = np.stack([points[nearest == i].mean(axis=0) if share[i] else centres[i] for i in numbers])
        for i in numbers:
            for _ in range(5):  # the pull of the others, with their distances held: a weighted mean
                difference = centres[i] - centres
                length = np.maximum(np.linalg.norm(difference, axis=1), 1e-9)
                wished = centres + step * root[i][:, None] * difference / length[:, None]
                pull = 2 * weight * share[i] * share
                pull[i] = 0
                total = share[i] + pull.sum()
                if total > 0:
                    centres[i] = (share[i] * means[i] + pull @ wished) / total
    return centres
