"""One training run: steps, checkpoints, and an exact way back into an interrupted one."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from tbhdup.errors import UsageError
from tbhdup.model.network import Encoder, Heads
from tbhdup.model.trunk import conv_norms
from tbhdup.training import losses, schedule
from tbhdup.training.bottlenecks import (
    BitMoments,
    Bottlenecks,
    Geco,
    quantisation,
    reconstruct,
    sample_bits,
)
from tbhdup.training.config import Config
from tbhdup.training.photos import Steps

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
CHECKPOINT_SECONDS = 300.0
CPU = torch.device("cpu")
STOCHASTIC_SHARE = 0.6  # of the steps in which bits are sampled; afterwards they are cut at one half, as shipped


@dataclass
class Memory:
    """Embeddings of past steps, the newest last: negatives beyond the batch (Wang et al., XBM, CVPR 2020)."""

    size: int
    latents: Tensor
    codes: Tensor
    shown: Tensor  # (q, 2) photographs, as `Steps` gives them

    @classmethod
    def empty(cls, size: int, latent: int, bits: int, device: torch.device) -> Memory:
        codes, shown = torch.zeros(0, bits, device=device), torch.zeros(0, 2, dtype=torch.int64, device=device)
        return cls(size, torch.zeros(0, latent, device=device), codes, shown)

    def add(self, latents: Tensor, codes: Tensor, shown: Tensor) -> None:
        self.latents = torch.cat([self.latents, latents.detach()])[-self.size :]
        self.codes = torch.cat([self.codes, codes.detach()])[-self.size :]
        self.shown = torch.cat([self.shown, shown])[-self.size :]


@dataclass
class Trainer:
    """The whole state of a run.

    encoder  on `device`
    teacher  (photographs, d) whitened clean features; they tell near-duplicates, too
    """

    config: Config
    folder: Path
    steps: Steps
    encoder: Encoder
    teacher: Tensor
    on_step: Callable[[int, Mapping[str, float]], None]
    evaluate: Callable[[Encoder, Bottlenecks], Mapping[str, float]]
    workers: int = 1
    device: torch.device = CPU
    evaluate_every: int = 250
    step: int = 0
    seconds: float = 0.0
    bottlenecks: Bottlenecks = field(init=False)
    averaged: Encoder = field(init=False)
    memory: Memory = field(init=False)
    moments: BitMoments = field(init=False)
    geco: Geco = field(init=False)
    optimiser: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        config = self.config
        torch.manual_seed(config.seed)
        self.bottlenecks = Bottlenecks(config.latent, config.teacher, config.graph_power).to(self.device)
        self.averaged = copy.deepcopy(self.encoder).eval()
        self.memory = Memory.empty(config.memory, config.latent, config.bits, self.device)
        self.moments = BitMoments.start(config.bits, self.device)
        self.geco = Geco(config.tolerance, config.geco_rate)
        self.teacher = self.teacher.to(self.device)
        self.unit_teacher = functional.normalize(self.teacher, dim=1)
        self._freeze()
        self.optimiser = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.98))
        self.encoder.to(memory_format=torch.channels_last)

    def _freeze(self) -> None:
        stages = self.encoder.trunk.stages
        frozen: list[nn.Module] = [self.encoder.trunk.stem, *stages[: self.config.frozen_stages]]
        if self.config.frozen_stages >= len(stages):
            frozen.append(self.encoder.last)
        if self.config.frozen_latent:
            frozen.append(self.encoder.latent)
        for part in frozen:
            part.requires_grad_(False)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Trunk and heads have rates of their own; biases and norms do not decay."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        trunk = {id(p) for part in (self.encoder.trunk, self.encoder.last) for p in part.parameters()}
        for parameter in [*self.encoder.parameters(), *self.bottlenecks.parameters()]:
            if parameter.requires_grad:
                rate = self.config.rate_trunk if id(parameter) in trunk else self.config.rate_heads
                decay = self.config.decay if parameter.ndim > 1 else 0.0
                groups.setdefault((rate, decay), []).append(parameter)
        return [{"params": p, "lr": r, "peak": r, "weight_decay": d} for (r, d), p in groups.items()]

    # ------------------------------------------------------------ the run

    def run(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train until the last step, or until `stop()` says so; True when the run is complete.

        A checkpoint is written every few minutes and at the end, so nothing is lost but the minutes since.
        """
        started = saved = time.monotonic()
        before = self.seconds
        if self.step == 0:
            self._log(self.evaluate(self.averaged, self.bottlenecks))  # what the run has to beat
        for views, shown in self._batches():
            if stop():
                break
            numbers = self._one_step(views, shown)
            self.step += 1
            self.seconds = before + time.monotonic() - started
            self.on_step(self.step, numbers)
            if self.step % self.evaluate_every == 0 or self.step == self.config.steps:
                self._log({**numbers, **self.evaluate(self.averaged, self.bottlenecks)})
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()
        return self.step >= self.config.steps

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        left = range(self.step, self.config.steps)
        loader = DataLoader(self.steps, batch_size=None, sampler=left, num_workers=self.workers)
        for views, shown in loader:
            yield views.to(self.device), shown.to(self.device)

    def _one_step(self, views: Tensor, shown: Tensor) -> dict[str, float]:
        # Seeded by the step, so that a resumed run draws the same noise.
        noise = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        rate = schedule.rate(self.config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        self.encoder.train()
        for part in conv_norms(self.encoder):
            part.norm.eval()  # the ImageNet statistics stay: batches of edited views are no sample of real pictures
        pixels = views.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        heads: Heads = self.encoder(pixels)
        parts = {**self._copy_losses(heads, shown), **self._vae_losses(heads, shown[:, 0], noise)}
        total = torch.stack(list(parts.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        norm = nn.utils.clip_grad_norm_([p for g in self.optimiser.param_groups for p in g["params"]], 5.0)
        self.optimiser.step()
        self._average()
        numbers = {name: float(value.detach()) for name, value in parts.items()}
        return {**numbers, "total": float(total.detach()), "gradient": float(norm), "multiplier": self.geco.multiplier}

    def _copy_losses(self, heads: Heads, shown: Tensor) -> dict[str, Tensor]:
        config = self.config
        latents = functional.normalize(heads.latent, dim=1)
        soft, hard = torch.tanh(heads.logits), losses.straight_signs(heads.logits)
        photos, beside = shown.T
        all_photos, all_beside = torch.cat([shown, self.memory.shown]).T
        same = photos[:, None] == all_photos
        near = self.unit_teacher[photos] @ self.unit_teacher[all_photos].T > config.near
        near |= (beside[:, None] == all_photos) | (photos[:, None] == all_beside)  # a collage shows that one, too
        n = len(photos)
        own = torch.zeros_like(same)
        own[:, :n] = torch.eye(n, dtype=torch.bool, device=self.device)
        positive = same & ~own
        positive[:, n:] = False  # what the network of an earlier step made of a photograph is no target
        ignore = (near | same) & ~positive
        blocked = same | near
        cosine = latents @ torch.cat([latents, self.memory.latents]).T
        parts = {
            "contrast": config.weight_latent * losses.info_nce(cosine, positive, ignore, config.temperature),
            "koleo": config.koleo * losses.koleo(cosine, blocked),
        }
        remembered = self.memory.codes
        early = self.step < 0.05 * schedule.planned(config)
        codes = [soft] if early else [soft, hard]
        for code in codes:
            agreement = code @ torch.cat([code, remembered]).T / config.bits
            loss = losses.info_nce(agreement, positive, ignore, config.temperature_code)
            parts["code"] = parts.get("code", 0) + config.weight_code * loss / len(codes)
        parts["tail"] = config.tail * losses.code_tail(agreement, blocked, config.bits, config.tail_radius)
        self.memory.add(latents, torch.where(heads.logits > 0, 1.0, -1.0), shown)
        return parts

    def _vae_losses(self, heads: Heads, photos: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        config = self.config
        if config.vae == 0:
            return {}
        thresholds = torch.rand(heads.logits.shape, generator=generator).to(self.device)
        noise = torch.randn(heads.latent.shape, generator=generator).to(self.device)
        cooled = schedule.cooled(config, self.step)
        stochastic = self.step < STOCHASTIC_SHARE * schedule.planned(config) and not cooled
        bits = sample_bits(heads.logits, thresholds if stochastic else None)
        self_loop = bool(torch.rand((), generator=generator) < 0.5)
        decoded, kl = reconstruct(self.bottlenecks, heads, bits, noise, self_loop)
        error = (decoded - self.teacher[photos]).square().mean()
        constraint = self.geco.constrain(error)
        if self.step >= config.warm_up:
            self.geco.update()
        covariance, balance = self.moments.losses(heads.logits)
        late = max(0.0, 3 * self.step / schedule.planned(config) - 2, cooled)
        weight = config.vae * min(1.0, self.step / max(1, config.warm_up))
        return {
            "constraint": weight * constraint,
            "kl": weight * kl,
            "covariance": weight * config.covariance * covariance,
            "balance": weight * config.balance * balance,
            "quantise": weight * config.quantise * late * quantisation(heads.logits),
        }

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        state = self.encoder.state_dict()
        for name, mine in self.averaged.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(state[name], 1 - keep)

    # ------------------------------------------------------------ on disk

    def _log(self, numbers: Mapping[str, float]) -> None:
        line = {"step": self.step, "seconds": round(self.seconds, 1), **{k: round(v, 6) for k, v in numbers.items()}}
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def save(self) -> None:
        """Write the checkpoint: a temporary file, then a rename, so that there is always a whole one."""
        state = {
            "config": asdict(self.config),
            "step": self.step,
            "seconds": self.seconds,
            "encoder": self.encoder.state_dict(),
            "bottlenecks": self.bottlenecks.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "memory": [self.memory.latents, self.memory.codes, self.memory.shown],
            "moments": [self.moments.mean, self.moments.covariance],
            "geco": [self.geco.multiplier, self.geco.average],
            "photographs": len(self.steps.paths),
        }
        temporary = self.folder / f"{CHECKPOINT}.part"
        torch.save(state, temporary)
        temporary.replace(self.folder / CHECKPOINT)

    def resume(self) -> None:
        """Go back to the checkpoint. UsageError when it was made by another config or from other photographs."""
        state = torch.load(self.folder / CHECKPOINT, map_location=self.device, weights_only=True)
        if state["config"] != asdict(self.config) or state["photographs"] != len(self.steps.paths):
            raise UsageError(f"{self.folder} holds a run with another config or other photographs: name a new --out")
        self.step, self.seconds = state["step"], state["seconds"]
        self.encoder.load_state_dict(state["encoder"])
        self.bottlenecks.load_state_dict(state["bottlenecks"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.memory.latents, self.memory.codes, self.memory.shown = state["memory"]
        self.moments.mean, self.moments.covariance = state["moments"]
        self.geco.multiplier, self.geco.average = state["geco"]


def first_figures(folder: Path) -> dict[str, float]:
    """What the run in a folder began with, from its log."""
    with (folder / LOG).open(encoding="utf-8") as file:
        figures: dict[str, float] = json.loads(file.readline())
    return figures


def as_input(pixels: NDArray[np.uint8], encoder: Encoder) -> Tensor:
    """(n, side, side, 3) uint8 as the encoder takes it, where it is: (n, 3, side, side), channels last in memory."""
    on_device = torch.from_numpy(pixels).to(encoder.centre.device)
    return on_device.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def encode_clean(encoder: Encoder, batches: Iterator[NDArray[np.uint8]]) -> Heads:
    """The heads of many pictures at once, (n, ...) each, where the encoder is. batches: (m, side, side, 3) uint8."""
    encoder.eval()
    parts = [encoder(as_input(pixels, encoder)) for pixels in batches]
    return Heads(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
