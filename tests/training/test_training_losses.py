"""The objective's terms on cases whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbhdup.training import losses
from tbhdup.training.bottlenecks import BitMoments, Bottlenecks, Geco, kl_latent, sample_bits
from tbhdup.training.diagnostics import bit_health
from tbhdup.training.initial import principal_axes, rotation_to_signs


def test_info_nce_of_two_equal_logits_is_log_two() -> None:
    similarity = torch.tensor([[0.3, 0.3, 0.9]])
    positive, ignore = torch.tensor([[True, False, False]]), torch.tensor([[False, False, True]])
    assert losses.info_nce(similarity, positive, ignore, 0.1).item() == pytest.approx(math.log(2), abs=1e-5)


def test_koleo_is_minus_log_of_the_nearest_distance() -> None:
    similarity, blocked = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[True, False, False]])
    assert losses.koleo(similarity, blocked).item() == pytest.approx(-math.log(math.sqrt(2)), abs=1e-5)


def test_code_tail_leaves_far_codes_alone() -> None:
    blocked = torch.tensor([[False]])
    assert losses.code_tail(torch.tensor([[0.5]]), blocked, 64, 16).item() == 0
    assert losses.code_tail(torch.tensor([[0.75]]), blocked, 64, 16).item() == pytest.approx(64 * 0.0625)


def test_signs_are_hard_forward_and_soft_backward() -> None:
    logits = torch.tensor([-0.5, 2.0], requires_grad=True)
    signs = losses.straight_signs(logits)
    assert signs.tolist() == [-1, 1]
    signs.sum().backward()
    assert torch.allclose(logits.grad, 1 - torch.tanh(logits.detach()) ** 2)


def test_sampled_bits_follow_their_thresholds() -> None:
    logits = torch.tensor([[-1.0, 1.0, 1.0]], requires_grad=True)
    bits = sample_bits(logits, torch.tensor([[0.1, 0.5, 0.9]]))
    assert bits.detach().round().tolist() == [[1, 1, 0]]
    assert sample_bits(logits, None).detach().round().tolist() == [[0, 1, 1]]
    bits.sum().backward()
    assert (logits.grad > 0).all()


def test_adjacency_is_one_less_the_share_of_differing_bits() -> None:
    net = Bottlenecks(8, 4, graph_power=1.0)
    bits = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]])
    assert torch.allclose(net.adjacency(bits), torch.tensor([[1, 0.75, 0], [0.75, 1, 0.25], [0, 0.25, 1]]), atol=1e-5)


def test_kl_of_the_prior_is_nothing() -> None:
    assert kl_latent(torch.zeros(3, 2), torch.zeros(3, 2)).item() == 0
    assert kl_latent(torch.ones(3, 2), torch.zeros(3, 2)).item() == pytest.approx(0.5)


def test_geco_raises_its_multiplier_while_the_constraint_is_broken() -> None:
    geco = Geco(tolerance=1.0, rate=0.1)
    error = torch.tensor(3.0, requires_grad=True)
    value = geco.constrain(error)
    assert value.item() == pytest.approx(2.0)
    geco.update()
    assert geco.multiplier == pytest.approx(1.05)
    geco.average = -1.0
    geco.update()
    assert geco.multiplier < 1.05


def test_moments_of_fair_independent_bits_cost_little_and_of_equal_bits_much() -> None:
    rng = torch.Generator().manual_seed(0)
    fair = torch.randn(4096, 8, generator=rng) * 5
    twins = fair[:, :1].expand(-1, 8)
    for _ in range(3):
        good = BitMoments.start(8).losses(fair)
        bad = BitMoments.start(8).losses(twins)
    assert good[0] < 0.05
    assert bad[0] > 5 * good[0]
    _, imbalance = BitMoments.start(8).losses(fair.abs() + 1)
    assert imbalance > 10 * good[1]


def test_bit_health_knows_fair_and_dead_bits() -> None:
    bits = np.random.default_rng(0).random((3000, 64)) < 0.5
    health = bit_health(bits)
    assert health["dead_bits"] == 0
    assert health["b_dof"] == pytest.approx(64, rel=0.1)
    bits[:, 0] = True
    assert bit_health(bits)["dead_bits"] == 1


def test_heads_start_whitened_and_near_their_signs() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(2000, 24)) @ rng.normal(size=(24, 24)) + 3).astype(np.float32)
    weight, bias = principal_axes(features, 8)
    values = features @ weight.T + bias
    assert np.allclose(np.cov(values, rowvar=False), np.diag(np.diag(np.cov(values, rowvar=False))), atol=0.05)
    rotation = rotation_to_signs(values, 0)
    assert np.allclose(rotation @ rotation.T, np.eye(8), atol=1e-4)
    turned = values @ rotation
    assert np.square(turned - np.sign(turned)).mean() <= np.square(values - np.sign(values)).mean() + 1e-6
