"""The copy-view losses: what pulls two views of one photograph together and pushes all others apart.

Shapes: n views a step, q remembered views, d the size of an embedding. `same` masks mark pairs of one photograph,
`ignore` masks pairs that are neither positive nor negative (near-duplicates inside the training set).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

HIDDEN = -1e4  # a logit that takes no part


def info_nce(similarity: Tensor, positive: Tensor, ignore: Tensor, temperature: float) -> Tensor:
    """InfoNCE over every positive pair of each anchor (van den Oord et al. 2018).

    similarity: (n, n + q) in -1..1, positive and ignore: (n, n + q) bool; an anchor's own column is ignored.
    """
    logits = similarity / temperature
    negatives = logits.masked_fill(positive | ignore, HIDDEN).logsumexp(dim=1, keepdim=True)
    each = functional.softplus(negatives - logits)  # -log(e^p / (e^p + sum of e^n)), for every column
    return (each * positive).sum() / positive.sum().clamp(min=1)


def koleo(similarity: Tensor, blocked: Tensor) -> Tensor:
    """Kozachenko-Leonenko spreading (Sablayrolles et al. 2019): -mean log of the distance to the nearest negative.

    similarity: (n, m) cosines of unit vectors; blocked: (n, m), pairs that are no negatives.
    """
    nearest = similarity.masked_fill(blocked, -1.0).amax(dim=1)
    distance = (2 - 2 * nearest).clamp(min=1e-6).sqrt()
    return -distance.log().mean()


def code_tail(similarity: Tensor, blocked: Tensor, bits: int, radius: int) -> Tensor:
    """Squared hinge on negatives whose (soft) codes lie nearer than `radius` bits. similarity: 1 - 2 d / bits."""
    excess = functional.relu(similarity - (1 - 2 * radius / bits)).masked_fill(blocked, 0.0)
    return excess.square().sum() / (~blocked).sum().clamp(min=1) * bits


def straight_signs(logits: Tensor) -> Tensor:
    """Signs (-1, 1) forward, the gradient of tanh backward."""
    soft = torch.tanh(logits)
    return soft + (torch.where(logits > 0, 1.0, -1.0) - soft).detach()
