"""From folders of photographs to a weights file: set up a run, train it or go on with it, export what it made."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from tbhdup.errors import UsageError
from tbhdup.model.device import choose_device
from tbhdup.model.encoding import load_network
from tbhdup.model.network import FEATURES, Encoder
from tbhdup.model.record import Preprocessing, Record, file_digest, read_record, write_record
from tbhdup.model.trunk import conv_norms
from tbhdup.training.background import kinds
from tbhdup.training.bottlenecks import Bottlenecks
from tbhdup.training.config import Config
from tbhdup.training.counting import section
from tbhdup.training.diagnostics import HeldOut, StrongViews
from tbhdup.training.initial import imagenet_file, lay_heads, load_imagenet, principal_axes
from tbhdup.training.photos import Clean, Steps, find_photos, in_batches, nearest_unrelated, split
from tbhdup.training.trainer import CHECKPOINT, Trainer, as_input, first_figures
from tbhdup.values import CODE_BITS, LATENT_SIZE

SETTLED = 2000  # training photographs that bits, axes and kinds are settled on while the run goes on,
SETTLED_LAST = 20000  # and at its end
IMAGENET, SHIPPED = "imagenet", "shipped"
WATCHED = 1500  # held-out photographs that the running diagnostics look at


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    complete: bool
    step: int
    weights: Path | None = None  # None: not complete, or codes and latents of a size that no store takes
    before: Mapping[str, float] = field(default_factory=dict)  # figures on the held-out photographs, as the run began
    after: Mapping[str, float] = field(default_factory=dict)


def train(
    folders: Sequence[Path],
    config: Config,
    out: Path,
    *,
    on_stage: Callable[[str], None] = lambda stage: None,
    on_step: Callable[[int, Mapping[str, float]], None] = lambda step, numbers: None,
    on_skip: Callable[[bytes, str], None] = lambda path, why: None,
    stop: Callable[[], bool] = lambda: False,
    workers: int = 1,
    device: str = "cpu",
) -> Outcome:
    """Train, or go on with the run in `out`, until it is complete or `stop()` says so; then export the weights.

    Raises UsageError for too few photographs, a run of another config or a device that is not there, MissingExtra
    without the ImageNet weights, WeightsError for weights to start from that cannot be read.
    """
    there = choose_device(device)
    out.mkdir(parents=True, exist_ok=True)
    on_stage("reading the photographs")
    training, apart = split(find_photos(folders, on_skip), config.held_out)
    on_stage(f"features of {len(training)} photographs by the untouched trunk")
    encoder = starting_encoder(config).to(there)
    pooled = _pooled(encoder, training, config, out / "pooled.npy")
    if len(pooled) <= config.teacher:
        raise UsageError(f"{len(pooled)} photographs are fewer than the teacher's {config.teacher} dimensions")
    weight, bias = principal_axes(pooled, FEATURES)
    if config.init == IMAGENET:
        lay_heads(encoder, weight, bias, pooled, config.seed)
    teacher = (pooled @ weight.T + bias)[:, : config.teacher].copy()
    unit = teacher / np.linalg.norm(teacher, axis=1, keepdims=True)
    steps = Steps(training, nearest_unrelated(unit, config.near), config)
    on_stage("views of held-out photographs")
    watched = _evenly(apart, WATCHED)
    pixels, edited = (
        np.concatenate(list(in_batches(d))) for d in (Clean(watched, config.side), StrongViews(watched, config))
    )
    untouched = _pool(encoder, iter(np.array_split(pixels, max(1, len(pixels) // 64)))).numpy()
    taught = torch.from_numpy(untouched @ weight[: config.teacher].T + bias[: config.teacher])
    held_out = HeldOut(pixels, edited, taught)
    settling = list(in_batches(Clean(_evenly(training, SETTLED), config.side)))

    def evaluate(averaged: Encoder, bottlenecks: Bottlenecks) -> dict[str, float]:
        if trainer.step:  # what the run has to beat is measured as it is
            averaged = settle(averaged, iter(settling))
        return held_out.measure(averaged, bottlenecks)

    features = torch.from_numpy(teacher)
    trainer = Trainer(config, out, steps, encoder, features, on_step, evaluate, workers=workers, device=there)
    if (out / CHECKPOINT).exists():
        trainer.resume()
    on_stage(f"steps {trainer.step + 1} to {config.steps}")
    if not trainer.run(stop):
        return Outcome(False, trainer.step)
    on_stage("figures of the whole run")
    settled = settle(trainer.averaged, in_batches(Clean(_evenly(training, SETTLED_LAST), config.side)))
    figures = held_out.measure(settled, trainer.bottlenecks)
    if (config.bits, config.latent) != (CODE_BITS, LATENT_SIZE):
        return Outcome(True, trainer.step, None, first_figures(out), figures)
    on_stage(f"calibration on {len(apart)} held-out photographs")
    facts = {"config": asdict(config), "photographs": len(training), "seconds": round(trainer.seconds)}
    weights = export(settled.cpu(), config, apart, out, facts, figures)
    return Outcome(True, trainer.step, weights, first_figures(out), figures)


def starting_encoder(config: Config) -> Encoder:
    """The encoder that a run starts from, as `config.init` names it; ImageNet's still lacks its heads."""
    if config.init == IMAGENET:
        encoder = Encoder(config.bits, config.latent)
        load_imagenet(encoder, imagenet_file())
        return encoder
    record = read_record(None if config.init == SHIPPED else Path(config.init))
    if (record.bits, record.latent) != (config.bits, config.latent):
        raise UsageError(f"{record.path} has {record.bits} bits and a latent of {record.latent}: set the config alike")
    encoder = load_network(record)
    encoder.add_norms()
    return encoder


@torch.no_grad()
def settle(encoder: Encoder, batches: Iterator[NDArray[np.uint8]]) -> Encoder:
    """A copy with its bits and axes centred on clean photographs, and with the background that these make.

    Training centred the bits and axes on edited ones.
    """
    encoder = copy.deepcopy(encoder)
    pooled = _pool(encoder, batches).to(encoder.centre.device)
    for norm in (encoder.code_norm, encoder.latent_norm):
        assert isinstance(norm, nn.BatchNorm1d)
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over what follows, which is one batch
        norm.train()
    encoder.heads(pooled)
    encoder.eval()
    unit = functional.normalize(encoder.heads(pooled).latent, dim=1)
    encoder.background = torch.from_numpy(kinds(unit.cpu().numpy())).to(unit.device)
    return encoder


def _evenly(paths: Sequence[bytes], count: int) -> Sequence[bytes]:
    """About so many of the paths, from every folder alike: they are sorted."""
    return paths[:: max(1, len(paths) // count)]


@torch.no_grad()
def _pool(encoder: Encoder, batches: Iterator[NDArray[np.uint8]]) -> Tensor:
    """Pooled channels of pictures, (n, 1280), on the CPU."""
    encoder.eval()
    return torch.cat([encoder.pooled(as_input(pixels, encoder)).cpu() for pixels in batches])


def _pooled(encoder: Encoder, paths: Sequence[bytes], config: Config, cache: Path) -> NDArray[np.float32]:
    """Pooled channels of clean photographs by the untouched trunk, (n, 1280); kept for a resumed run."""
    if cache.exists():
        pooled: NDArray[np.float32] = np.load(cache)
        if len(pooled) == len(paths):
            return pooled
    pooled = _pool(encoder, in_batches(Clean(paths, config.side))).numpy()
    np.save(cache, pooled)
    return pooled


def export(
    encoder: Encoder,
    config: Config,
    apart: Sequence[bytes],
    out: Path,
    training: Mapping[str, object],
    figures: Mapping[str, float],
) -> Path:
    """Fold the norms, store in fp16, calibrate on photographs that were not trained on; returns the weights file.

    Convolutions are rounded to bf16, of which fp16 holds nearly every value: so half precision and fp32 work with the
    same weights, and differ by the rounding of activations alone.
    """
    encoder.fold()
    with torch.no_grad():
        for part in conv_norms(encoder):
            for values in part.conv.parameters():
                values.copy_(values.bfloat16())
    path = out / f"{config.name}.safetensors"
    temporary = path.with_suffix(".part")
    save_file({name: tensor.half().contiguous() for name, tensor in encoder.state_dict().items()}, temporary)
    temporary.replace(path)
    encoder.load_state_dict({name: tensor.half().float() for name, tensor in encoder.state_dict().items()})
    record = Record(
        name=config.name,
        digest=file_digest(path),
        preprocessing=Preprocessing(side=config.side),
        bits=config.bits,
        latent=config.latent,
        calibration=section(encoder, config.side, apart),
        training=training,
        figures={name: round(value, 5) for name, value in figures.items()},
        licence="Apache-2.0",
        path=path,
    )
    write_record(record)
    return path
