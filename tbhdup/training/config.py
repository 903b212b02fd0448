"""The settings of one training run, read from a TOML file that lies beside the weights it makes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tbhdup.errors import UsageError


@dataclass(frozen=True, slots=True)
class Config:
    """Every number that shapes the weights. The symbols are those of MODELS.md."""

    name: str = "tbhvae"
    init: str = "imagenet"  # what the encoder starts from: imagenet, shipped, or a weights file
    seed: int = 1
    side: int = 128  # pixels of the encoder's input
    bits: int = 64
    latent: int = 128

    # Data.
    images: int = 32  # different photographs a step; each gives two views
    neighbours: float = 0.5  # share of a step's photographs that are near another one of it (hard negatives)
    strong: tuple[float, float] = (0.3, 0.85)  # share of strong edits in the first and in the second view
    spun: float = 0.0  # share of the strong edits that begin with a turn by any angle
    near: float = 0.85  # teacher cosine above which two photographs are neither positive nor negative
    held_out: int = 3000  # photographs kept for diagnostics and calibration, never trained on

    # Optimiser.
    steps: int = 6000
    plan: int = 0  # steps that the schedule is laid out for, where the run is cut short of them; 0: `steps`
    cool_down: int = 0  # last steps of a run cut short, in which the rate falls to a hundredth
    warm_up: int = 200
    rate_heads: float = 5e-4
    rate_trunk: float = 2e-4
    decay: float = 0.02
    frozen_stages: int = 2  # of the trunk's seven; the stem is frozen with them, the last convolution with all seven
    frozen_latent: bool = False  # whether the latent's layer stays as it is
    average: float = 0.999  # of the exponential moving average that ships

    # Copy-view losses.
    temperature: float = 0.07  # of the latents' InfoNCE
    temperature_code: float = 0.15
    weight_latent: float = 1.0
    weight_code: float = 1.0
    memory: int = 8192  # views of past steps that serve as negatives
    koleo: float = 1.0
    tail: float = 1.0  # code-tail hinge
    tail_radius: int = 16  # bits nearer than which a negative is pushed away

    # TBH-VAE.
    vae: float = 0.3  # w_t: weight of the whole part below
    teacher: int = 128  # size of the whitened clean features that the decoder must give back
    graph_power: float = 8.0  # g of the adjacency (1 - d/M)^g
    tolerance: float = 0.7  # GECO's kappa^2: squared error a dimension
    geco_rate: float = 1e-2
    covariance: float = 1.0
    balance: float = 1.0
    quantise: float = 0.1  # rises from 0 over the last third


ADAPT = Config(
    name="adapted",
    init="shipped",
    held_out=2000,
    steps=600,
    warm_up=50,
    rate_heads=1e-4,
    rate_trunk=2e-5,
    average=0.99,
    memory=1024,
    temperature_code=0.05,  # that of the run that made the shipped code
    weight_code=0.25,
)
"""What `tbhdup train` does without a config: the shipped weights get used to another collection."""


def read_config(path: Path) -> Config:
    """A Config from a TOML file; UsageError for an unknown name or a wrong type."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    return _changed(Config(), data, str(path))


def with_settings(config: Config, settings: Sequence[str]) -> Config:
    """The config with some NAME=VALUE changed, the values as in a TOML file (words need no quotes); or UsageError."""
    data: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: write NAME=VALUE")
        try:
            data[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            data[name.strip()] = value.strip()
    return _changed(config, data, "--set")


def _changed(config: Config, data: Mapping[str, Any], origin: str) -> Config:
    kinds: dict[str, Any] = {field.name: type(field.default) for field in fields(Config)}
    settings: dict[str, Any] = {}
    for name, value in data.items():
        if name not in kinds:
            raise UsageError(f"{origin}: no setting {name!r}: use one of {', '.join(kinds)}")
        try:
            settings[name] = _as_kind(kinds[name], value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{origin}: {name} = {value!r} is no {kinds[name].__name__}") from error
    return replace(config, **settings)


def _as_kind(kind: Any, value: Any) -> Any:
    """The value as a setting of that type. ValueError where it is another: 0.5 is no count of steps."""
    if kind is tuple:
        first, second = map(float, value)
        return first, second
    wanted = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or isinstance(value, bool) != (kind is bool):
        raise ValueError(value)
    return kind(value)
