"""The twins of the retrieval table: the estimator of total correlation on cases whose answer is known, and the loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from tbhdup.training import twins
from tbhdup.training.descent import descend


@pytest.mark.parametrize(("n", "count"), [(2, 2), (5, 40), (16, 1000)])
def test_stratified_weights_sum_to_one_and_know_their_own_row(n: int, count: int) -> None:
    weights = twins.stratified_weights(n, count)
    assert torch.allclose(weights.sum(dim=1), torch.ones(n))
    assert torch.allclose(weights.diagonal(), torch.full((n,), 1 / count))


def test_bits_that_say_nothing_have_no_information() -> None:
    bits = (torch.rand(64, 8, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    parts = twins.total_correlation(torch.zeros(64, 8), bits, 1000)
    assert [part.item() for part in parts] == pytest.approx([0, 0, 0], abs=1e-4)


def test_equal_bits_correlate_and_constant_bits_leave_their_prior() -> None:
    one = (torch.arange(64) % 2).float()[:, None]
    bits = one.expand(-1, 4)
    _, correlation, _ = twins.total_correlation((2 * bits - 1) * 8, bits, 64)
    independent = torch.tensor([[(i >> j) & 1 for j in range(4)] for i in range(64)], dtype=torch.float32)
    _, none, _ = twins.total_correlation((2 * independent - 1) * 8, independent, 64)
    assert correlation.item() > none.item() + 1  # three of four bits tell nothing new: about 3 log 2
    *_, prior = twins.total_correlation(torch.full((64, 4), 8.0), torch.ones(64, 4), 64)
    assert prior.item() == pytest.approx(4 * math.log(2), abs=0.01)


def test_descent_finds_the_least_and_repeats_itself() -> None:
    def run() -> torch.Tensor:
        value = nn.Parameter(torch.zeros(3))
        rows = torch.arange(30.0).reshape(10, 3) / 10
        descend([value], lambda chosen, done, noise: (rows[chosen] - value).square().mean(), 10, 400, 4, 0.05, 0)
        return value.detach()

    assert torch.allclose(run(), torch.tensor([1.35, 1.45, 1.55]), atol=0.05)
    assert (run() == run()).all()


def test_a_tbh_vae_begins_as_itq() -> None:
    features = np.random.default_rng(0).normal(size=(300, 12)).astype(np.float32) * np.linspace(
        2, 0.5, 12, dtype=np.float32
    )
    run = twins.Run(features, 4, twins.TBH_VAE, 0)
    run.twins.eval()
    from tbhdup.training.initial import rotation_to_signs

    wanted = features[:, :4] @ rotation_to_signs(features[:, :4], 0) > 0
    assert (run.encode(features) == wanted).mean() > 0.99
