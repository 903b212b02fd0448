"""Features of a collection by the frozen ImageNet trunk, extracted once and kept on disk."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tbhdup.evaluation.retrieval.data import Floats, Half
from tbhdup.model.device import choose_device, choose_precision
from tbhdup.model.network import CHANNELS, Encoder
from tbhdup.training.initial import imagenet_file, load_imagenet, principal_components
from tbhdup.values import OnProgress, Progress

SIDE = 160  # pixels of the trunk's input
BATCH = 8  # small batches are the fastest on a CPU
PRINCIPAL = 256  # axes that all methods see
NEAREST = 10
CLEAN = -1  # in the place of a view's number: the picture as it is


class Pictures(Protocol):
    """Pictures by number, RGB and upright, of any size."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Image.Image: ...


def extract(
    pictures: Pictures, path: Path, views: int, side: int, seed: int, device: str, stage: str, on_progress: OnProgress
) -> Half:
    """Mean-pooled channels of the trunk, (views, n, 1280); views = 0: of the pictures as they are, (n, 1280).

    The file is filled batch by batch, and what an interrupted run has filled is not computed again.
    Raises MissingExtra without the ImageNet weights.
    """
    numbers = range(views) if views else [CLEAN]
    rows = _open(path, len(numbers) * len(pictures))
    left = np.flatnonzero(np.isnan(rows[:, 0]))
    tasks = [left[start : start + BATCH] for start in range(0, len(left), BATCH)]
    if tasks:
        network = _Network(side, device)

        def work(task: NDArray[np.int64]) -> int:
            wanted = [divmod(int(row), len(pictures)) for row in task]
            shown = [render(pictures[number], side, numbers[view], seed, number) for view, number in wanted]
            rows[task] = network(np.stack(shown))
            return len(task)

        done = len(rows) - len(left)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for count in pool.map(work, tasks):
                    done += count
                    on_progress(Progress(stage, done, len(rows)))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        rows.flush()
    return rows.reshape(views, len(pictures), CHANNELS) if views else rows


def _open(path: Path, count: int) -> np.memmap[tuple[int, int], np.dtype[np.float16]]:
    """The file's rows, NaN where they are not yet known; (count, 1280)."""
    if not path.exists():
        temporary = path.with_suffix(".part")
        new = np.lib.format.open_memmap(temporary, "w+", np.float16, (count, CHANNELS))
        new[:] = np.nan
        new.flush()
        temporary.replace(path)
    return np.lib.format.open_memmap(path, "r+")


class _Network:
    """The untouched trunk and its last convolution: (n, side, side, 3) uint8 -> (n, 1280) fp16."""

    def __init__(self, side: int, device: str) -> None:
        encoder = Encoder()
        load_imagenet(encoder, imagenet_file())
        self.device = choose_device(device)
        self.dtype = choose_precision(self.device)
        torch.set_num_threads(1)  # several batches run beside each other
        self.encoder = encoder.fold().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch types device and format apart

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> Half:
        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).flip(2, 3)
        x = ((x.float() - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            channels = self.encoder.last(self.encoder.trunk(x))
        pooled: Half = channels.float().mean(dim=(2, 3)).half().cpu().numpy()
        return pooled


def render(picture: Image.Image, side: int, view: int, seed: int, number: int) -> NDArray[np.uint8]:
    """The picture squeezed to (side, side, 3), or one of its views: a function of seed, picture and view alone."""
    if view == CLEAN:
        return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
    rng = np.random.default_rng([seed, view, number])
    picture = Image.fromarray(recolour(np.asarray(_shrink(picture, side)), rng))
    cropped = picture.resize((side, side), Image.Resampling.BICUBIC, box=crop(picture.size, rng))
    return np.asarray(cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else cropped)


def _shrink(picture: Image.Image, side: int) -> Image.Image:
    """No larger than twice the side: what is thrown away anyhow is not recoloured."""
    most = max(picture.size) / (2 * side)
    return picture if most <= 1 else picture.resize((round(picture.width / most), round(picture.height / most)))


def crop(size: tuple[int, int], rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A box that holds 50 to 100 % of the area, at 3/4 to 4/3 of the aspect, as CIBHash takes it."""
    width, height = size
    area, aspect = rng.uniform(0.5, 1.0), np.exp(rng.uniform(-1, 1) * np.log(4 / 3))
    wide, high = min(1.0, np.sqrt(area * aspect)) * width, min(1.0, np.sqrt(area / aspect)) * height
    left, top = rng.uniform(0, width - wide), rng.uniform(0, height - high)
    return left, top, left + wide, top + high


LUMA = np.array([0.299, 0.587, 0.114])
YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def recolour(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Brightness, contrast, saturation by up to 40 %, hue by up to a tenth of the circle (p 0.7); grey (p 0.2).

    All of it is one 3 x 3 matrix and an offset. pixels: (h, w, 3).
    """
    matrix = np.eye(3)
    bright, contrast = 1.0, 1.0
    if rng.random() < 0.7:
        bright, contrast, saturation = rng.uniform(0.6, 1.4, 3)
        angle = 2 * np.pi * rng.uniform(-0.1, 0.1)
        turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        turn[1:] *= saturation
        matrix = np.linalg.inv(YIQ) @ turn @ YIQ
    if rng.random() < 0.2:
        matrix = np.tile(LUMA, (3, 1))
    values = pixels.astype(np.float32) @ (bright * matrix.T).astype(np.float32)
    grey = float((values @ LUMA).mean())
    return np.asarray(np.clip(np.rint(grey + contrast * (values - grey)), 0, 255), np.uint8)


@dataclass(frozen=True, slots=True)
class Frame:
    """The principal axes of the database's features, scaled alike to a mean square of one: every method sees these."""

    mean: Floats  # (d,)
    axes: Floats  # (p, d)
    variance: float  # share of it that the axes hold

    @classmethod
    def of(cls, features: Half) -> Frame:
        whole = features.astype(np.float32)
        mean, axes, variances = principal_components(whole, min(PRINCIPAL, len(whole) - 1, whole.shape[1]))
        share = float(variances.sum() / whole.var(axis=0, ddof=1).sum())
        return cls(mean, np.asarray(axes / np.sqrt(variances.mean()), np.float32), share)

    def __call__(self, features: Half) -> Floats:
        return np.asarray((features.astype(np.float32) - self.mean) @ self.axes.T, np.float32)


def mutual_neighbours(features: Floats) -> NDArray[np.int64]:
    """For each row of (n, d) those of its NEAREST by cosine that have it among theirs; -1 fills up. (n, NEAREST)"""
    unit = torch.nn.functional.normalize(torch.from_numpy(features), dim=1)
    count = min(NEAREST, len(unit) - 1)
    near = torch.cat([(block @ unit.T).topk(count + 1, dim=1).indices for block in unit.chunk(len(unit) // 1024 + 1)])
    rows = torch.arange(len(unit))[:, None]
    found = torch.where(near == rows, -1, near)
    back = (near[found.clamp(min=0)] == rows[:, :, None]).any(dim=2)
    return torch.where(back, found, -1).numpy()
