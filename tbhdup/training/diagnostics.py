"""What a code and a latent are worth, without labels: measured on photographs that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from tbhdup.model.bits import balance, spread
from tbhdup.model.network import Encoder, Heads
from tbhdup.training.bottlenecks import Bottlenecks
from tbhdup.training.config import Config
from tbhdup.training.photos import Pixels, load
from tbhdup.training.trainer import encode_clean
from tbhdup.training.views import view

RATES = (1e-4, 1e-3)


@dataclass(frozen=True)
class HeldOut:
    """Photographs kept apart, clean and in one strong view each, fixed for the whole run."""

    clean: Pixels  # (n, side, side, 3)
    edited: Pixels
    teacher: torch.Tensor  # (n, d) standardised clean features

    def measure(self, encoder: Encoder, bottlenecks: Bottlenecks) -> dict[str, float]:
        """Recall of the edited views at fixed false-match rates, health of the bits, use of the code by the decoder."""
        clean = encode_clean(encoder, iter(np.array_split(self.clean, max(1, len(self.clean) // 64))))
        edited = encode_clean(encoder, iter(np.array_split(self.edited, max(1, len(self.edited) // 64))))
        return {
            **recalls(encoder, clean, edited),
            **bit_health((clean.logits > 0).cpu().numpy()),
            **code_use(bottlenecks, clean, self.teacher),
        }


@dataclass(frozen=True)
class StrongViews(Dataset[Pixels]):
    """One strongly edited view a photograph, drawn from a seed of its own: (side, side, 3) each."""

    paths: Sequence[bytes]
    config: Config

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Pixels:
        rng = np.random.default_rng([self.config.seed, 2, number])
        other = load(self.paths[number - 1])
        return view(load(self.paths[number]), rng, other, self.config.side, 1.0, self.config.spun)


@torch.no_grad()
def recalls(encoder: Encoder, clean: Heads, edited: Heads) -> dict[str, float]:
    """Share of edited views nearer to their own photograph than the false-match rate's quantile of strangers."""
    n = len(clean.latent)
    cosine = (encoder.distinct(edited.latent) @ encoder.distinct(clean.latent).T).cpu()
    signs = [torch.where(heads.logits > 0, 1.0, -1.0) for heads in (edited, clean)]
    agreement = (signs[0] @ signs[1].T).cpu()
    found: dict[str, float] = {}
    stranger = ~torch.eye(n, dtype=torch.bool)
    for name, values in (("latent", cosine), ("code", agreement)):
        ordered = values[stranger].numpy()
        own = values.diagonal().numpy()
        for rate in RATES:
            kept = max(1, int(rate * ordered.size))
            threshold = np.partition(ordered, -kept)[-kept]
            found[f"{name}_recall_{rate:.0e}"] = float((own > threshold).mean())
    return found


def bit_health(bits: NDArray[np.bool_]) -> dict[str, float]:
    """Balance, correlation and spread of the bits of unrelated pictures. bits: (n, M)."""
    signs = bits.astype(np.float32) * 2 - 1
    distance = (bits.shape[1] - signs @ signs.T) / 2
    pairs = np.rint(distance[np.triu_indices(len(bits), 1)]).astype(np.int64)
    return {**balance(bits), **spread(np.bincount(pairs, minlength=bits.shape[1] + 1))}


@torch.no_grad()
def code_use(bottlenecks: Bottlenecks, heads: Heads, teacher: torch.Tensor, batch: int = 256) -> dict[str, float]:
    """Error of the decoder with the true graph, and how much worse it gets when codes are permuted across the batch."""
    order = torch.randperm(len(heads.latent), generator=torch.Generator().manual_seed(0))[:batch]
    z, bits = heads.latent[order], (heads.logits[order] > 0).float()
    permuted = bits[torch.randperm(len(order), generator=torch.Generator().manual_seed(1))]
    adjacency = bottlenecks.adjacency(bits)
    # The self loop would tell which z is whose whatever the code says: without it only neighbours speak.
    outside = 1 - torch.eye(len(order), device=z.device)
    wanted = teacher[order].to(z.device)
    true, shuffled = (
        float((bottlenecks.decode(z, bottlenecks.adjacency(b) * outside) - wanted).square().mean())
        for b in (bits, permuted)
    )
    whole = float((bottlenecks.decode(z, adjacency) - wanted).square().mean())
    return {
        "reconstruction": whole,
        "self_weight": float((adjacency.diagonal() / adjacency.sum(dim=1)).mean()),
        "code_gain": (shuffled - true) / max(shuffled, 1e-9),
    }
