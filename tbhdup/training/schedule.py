"""The learning rate over a run: warm-up, then half a cosine; where a run is cut short, a straight line down."""

from __future__ import annotations

import math

from tbhdup.training.config import Config

LEAST = 0.01  # of the peak, at the end


def cosine(share: float) -> float:
    """Half a cosine from 1 down to LEAST. share: of the run that is done, 0..1."""
    return LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * share))


def planned(config: Config) -> int:
    """The steps that the schedule is laid out for."""
    return config.plan or config.steps


def cooled(config: Config, step: int) -> float:
    """Share of the cool-down that is done, 0..1."""
    start = config.steps - config.cool_down
    return max(0.0, (step - start) / config.cool_down) if config.cool_down else 0.0


def rate(config: Config, step: int) -> float:
    """The learning rate of a step, as a share of its peak."""
    if step < config.warm_up:
        return (step + 1) / config.warm_up
    before_cooling = min(step, config.steps - config.cool_down)
    share = (before_cooling - config.warm_up) / max(1, planned(config) - config.warm_up)
    return max(LEAST, cosine(share) * (1 - cooled(config, step)))
