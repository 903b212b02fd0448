"""What pictures of a kind have in common is taken out of their latents."""

from __future__ import annotations

import numpy as np
import torch

from tbhdup.model.network import COMMON, KIND, Encoder
from tbhdup.training.background import KINDS, LEAST_OF_A_KIND, kinds


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_without_a_background_a_latent_is_only_brought_to_length_one() -> None:
    latents = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 128)).astype(np.float32))
    assert np.allclose(Encoder().distinct(latents), unit(latents.numpy()), atol=1e-6)


def test_the_common_part_is_the_softmax_mean_of_the_background() -> None:
    rng = np.random.default_rng(1)
    latents, background = rng.normal(size=(6, 128)), unit(rng.normal(size=(9, 128)))
    encoder = Encoder()
    encoder.background = torch.from_numpy(background.astype(np.float32))
    found = encoder.distinct(torch.from_numpy(latents.astype(np.float32))).numpy()
    for row, latent in zip(found, unit(latents), strict=True):
        weights = np.exp(background @ latent / KIND)
        rest = latent - COMMON * (weights / weights.sum()) @ background
        assert np.allclose(row, rest / np.linalg.norm(rest), atol=1e-5)


def test_strangers_of_one_kind_move_apart_and_copies_stay_together() -> None:
    rng = np.random.default_rng(2)
    centres = unit(rng.normal(size=(20, 128)))
    which = rng.integers(0, 20, 400)
    own = unit(centres[which] + 0.6 * unit(rng.normal(size=(400, 128))))
    encoder = Encoder()
    encoder.background = torch.from_numpy(kinds(own.astype(np.float32)))
    pictures = unit(centres[which] + 0.6 * unit(rng.normal(size=(400, 128))))
    copies = unit(pictures + 0.2 * unit(rng.normal(size=(400, 128))))
    before, after = [], []
    for into, view in ((before, unit), (after, lambda x: encoder.distinct(torch.from_numpy(x).float()).numpy())):
        a, b = view(pictures), view(copies)
        alike = (which[:, None] == which) & ~np.eye(400, dtype=bool)
        into += [np.quantile((a @ a.T)[alike], 0.99), np.quantile((a * b).sum(axis=1), 0.1)]
    assert before[0] > 0.75
    assert after[0] < 0.55
    assert after[1] > 0.8


def test_kinds_are_unit_vectors_and_the_same_again() -> None:
    rows = unit(np.random.default_rng(3).normal(size=(300, 16))).astype(np.float32)
    found = kinds(rows)
    assert found.shape == (min(KINDS, 300 // LEAST_OF_A_KIND), 16)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.array_equal(found, kinds(rows))
    nearest = (rows @ found.T).max(axis=1)
    assert nearest.mean() > (rows @ unit(rows[:60]).T).max(axis=1).mean()  # better than some of them as they are
    assert kinds(rows[:4]).shape == (0, 16)
