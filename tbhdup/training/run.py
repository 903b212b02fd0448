"""From folders of photographs to a weights file: set up a run, train it or go on with it, export what it made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from tbhdup import calibration
from tbhdup.errors import UsageError
from tbhdup.model.encoding import pack_codes, quantise_latents
from tbhdup.model.network import Encoder
from tbhdup.model.record import Preprocessing, Record, file_digest, write_record
from tbhdup.training.bottlenecks import Bottlenecks
from tbhdup.training.config import Config
from tbhdup.training.diagnostics import HeldOut, strong_views
from tbhdup.training.initial import imagenet_file, lay_heads, load_imagenet
from tbhdup.training.photos import Steps, clean_batches, find_photos, nearest_unrelated, split
from tbhdup.training.trainer import CHECKPOINT, Trainer, as_input, encode_clean

SETTLED = 2000  # training photographs that the bits and axes are centred on
WATCHED = 1500  # held-out photographs that the running diagnostics look at


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    complete: bool
    step: int
    weights: Path | None  # None: not complete, go on with the same command


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
) -> Outcome:
    """Train, or go on with the run in `out`, until it is complete or `stop()` says so; then export the weights.

    Raises UsageError for too few photographs or a run of another config, MissingExtra without the ImageNet weights.
    """
    out.mkdir(parents=True, exist_ok=True)
    on_stage("reading the photographs")
    training, apart = split(find_photos(folders, on_skip), config.held_out, config.seed)
    on_stage(f"features of {len(training)} photographs by the untouched trunk")
    encoder = Encoder(config.bits, config.latent)
    load_imagenet(encoder, imagenet_file())
    pooled = _pooled(encoder, training, config, out / "pooled.npy")
    if len(pooled) <= config.teacher:
        raise UsageError(f"{len(pooled)} photographs are fewer than the teacher's {config.teacher} dimensions")
    teacher = lay_heads(encoder, pooled, config.seed)[:, : config.teacher].copy()
    unit = teacher / np.linalg.norm(teacher, axis=1, keepdims=True)
    steps = Steps(training, nearest_unrelated(unit, config.near), config)
    on_stage("views of held-out photographs")
    watched = apart[:: max(1, len(apart) // WATCHED)]  # from every folder alike: paths are sorted
    pixels = np.concatenate(list(clean_batches(watched, config.side)))
    untouched = encode_clean(encoder, iter(np.array_split(pixels, max(1, len(pixels) // 64)))).features
    held_out = HeldOut(pixels, strong_views(watched, config), untouched[:, : config.teacher])
    typical = training[:: max(1, len(training) // SETTLED)]

    def evaluate(averaged: Encoder, bottlenecks: Bottlenecks) -> dict[str, float]:
        settle(averaged, clean_batches(typical, config.side))
        return held_out.measure(averaged, bottlenecks)

    trainer = Trainer(config, out, steps, encoder, torch.from_numpy(teacher), on_step, evaluate, workers=workers)
    if (out / CHECKPOINT).exists():
        trainer.resume()
    on_stage(f"steps {trainer.step + 1} to {config.steps}")
    if not trainer.run(stop):
        return Outcome(False, trainer.step, None)
    on_stage(f"calibration on {len(apart)} held-out photographs")
    figures = evaluate(trainer.averaged, trainer.bottlenecks)
    facts = {"config": asdict(config), "photographs": len(training), "seconds": round(trainer.seconds)}
    return Outcome(True, trainer.step, export(trainer.averaged, config, apart, out, facts, figures))


@torch.no_grad()
def settle(encoder: Encoder, batches: Iterator[NDArray[np.uint8]]) -> None:
    """Centre each bit and each axis of the latent on clean photographs: training centred them on edited ones."""
    encoder.eval()
    pooled = torch.cat([encoder.pooled(as_input(pixels)) for pixels in batches])
    for norm in (encoder.code_norm, encoder.latent_norm):
        assert isinstance(norm, nn.BatchNorm1d)
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over what follows, which is one batch
        norm.train()
    encoder.heads(pooled)
    encoder.eval()


def _pooled(encoder: Encoder, paths: Sequence[bytes], config: Config, cache: Path) -> NDArray[np.float32]:
    """Pooled channels of clean photographs by the untouched trunk, (n, 1280); kept for a resumed run."""
    if cache.exists():
        pooled: NDArray[np.float32] = np.load(cache)
        if len(pooled) == len(paths):
            return pooled
    encoder.eval()
    with torch.no_grad():
        parts = [encoder.pooled(as_input(pixels)) for pixels in clean_batches(paths, config.side)]
    pooled = torch.cat(parts).numpy()
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
    """Fold the norms, store in fp16, calibrate on photographs that were not trained on; returns the weights file."""
    encoder.fold()
    path = out / f"{config.name}.safetensors"
    temporary = path.with_suffix(".part")
    save_file({name: tensor.half().contiguous() for name, tensor in encoder.state_dict().items()}, temporary)
    temporary.replace(path)
    encoder.load_state_dict({name: tensor.half().float() for name, tensor in encoder.state_dict().items()})
    heads = encode_clean(encoder, clean_batches(apart, config.side))
    codes = pack_codes(heads.logits.numpy())
    latents = quantise_latents(functional.normalize(heads.latent, dim=1).numpy())
    record = Record(
        name=config.name,
        digest=file_digest(path),
        preprocessing=Preprocessing(side=config.side),
        bits=config.bits,
        latent=config.latent,
        calibration=calibration.count(codes, latents),
        training=training,
        figures={name: round(value, 5) for name, value in figures.items()},
        licence="Apache-2.0",
        path=path,
    )
    write_record(record)
    return path
