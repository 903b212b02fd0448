"""Gradient descent on rows of cached features: the loop that every learned hash of the retrieval table runs in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from tbhdup.training.schedule import cosine

Loss = Callable[[Tensor, float, torch.Generator], Tensor]
"""(rows of the batch, share of the run that is done 0..1, source of all noise) -> what is to be made smaller."""


def descend(
    parameters: Iterable[nn.Parameter], loss: Loss, rows: int, steps: int, batch: int, rate: float, seed: int
) -> None:
    """Adam with a warm-up and half a cosine down to a hundredth of the rate. Batches are drawn without repetition.

    The same seed gives the same run on the same machine.
    """
    parameters = list(parameters)
    optimiser = torch.optim.Adam(parameters, lr=rate)
    generator = torch.Generator().manual_seed(seed)
    batch = min(batch, rows)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(rows, generator=generator)
        chosen, order = order[:batch], order[batch:]
        done = step / steps
        warm = min(1.0, (step + 1) / (0.03 * steps + 1))
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * cosine(done)
        value = loss(chosen, done, generator)
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
