"""The photographs of a training run, and which of them meet in which step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from tbhdup import sources
from tbhdup.errors import UsageError
from tbhdup.training.config import Config
from tbhdup.training.views import view

Pixels = NDArray[np.uint8]
VIEWS = 2
BATCH = 64


def find_photos(folders: Sequence[Path], on_skip: Callable[[bytes, str], None]) -> list[list[bytes]]:
    """For each folder every picture below it that can be decoded, sorted, but for those that an earlier one has.

    UsageError for fewer than 64.
    """
    seen: set[bytes] = set()
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for folder in folders:
            paths = [
                os.path.join(listing.folder, entry.name)
                for listing in sources.walk([os.fsencode(folder)])
                for entry in listing.entries
            ]
            new = sorted(set(paths) - seen)
            seen.update(new)
            good = []
            for path, trouble in zip(new, pool.map(_trouble, new), strict=True):
                if trouble is None:
                    good.append(path)
                else:
                    on_skip(path, trouble)
            found.append(good)
    usable = sum(map(len, found))
    if usable < 64:
        raise UsageError(f"{usable} usable photographs are too few to train on: name folders with thousands")
    return found


def _trouble(path: bytes) -> str | None:
    try:
        load(path)
    except sources.Unusable as error:
        return f"{error.reason}: {error.detail}"
    return None


def load(path: bytes) -> Image.Image:
    """The whole picture, RGB and upright. Raises sources.Unusable."""
    return sources.decode(sources.read(path)).image


def in_batches(pictures: Dataset[Pixels]) -> Iterator[Pixels]:
    """(<= BATCH, side, side, 3) at a time, in order; made by as many processes as there are cores."""
    loader = DataLoader(pictures, BATCH, num_workers=os.cpu_count() or 1, collate_fn=np.stack)
    return iter(loader)


@dataclass(frozen=True)
class Clean(Dataset[Pixels]):
    """The photographs as the shipped encoder will see them, (side, side, 3) each, by the very way that a scan takes."""

    paths: Sequence[bytes]
    side: int

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Pixels:
        return sources.see(sources.read(self.paths[number]), self.side).squares[0]


def split(folders: Sequence[Sequence[bytes]], held_out: int) -> tuple[list[bytes], list[bytes]]:
    """Photographs to train on, and those never shown in training; both sorted. At most a fifth is held out.

    The same ones in every run, each folder's share drawn from it alone: a run that starts from another's weights, or
    adds a folder to what that had, must not be judged on what was trained on.
    """
    total = sum(map(len, folders))
    held_out = min(held_out, total // 5)
    training: list[bytes] = []
    apart: list[bytes] = []
    for paths in folders:
        order = np.random.default_rng([1, 0]).permutation(len(paths)).tolist()
        share = held_out * len(paths) // max(1, total)
        apart += [paths[i] for i in order[:share]]
        training += [paths[i] for i in order[share:]]
    return sorted(training), sorted(apart)


@dataclass(frozen=True)
class Steps(Dataset[tuple[Pixels, NDArray[np.int64]]]):
    """Step number -> its views (VIEWS * images, side, side, 3) and the photographs they show (VIEWS * images, 2).

    Of these the first is the view's own, the other what stands beside it where the view is a collage.

    Each step is a function of the seed and its number alone, so a resumed run meets the same views.
    """

    paths: Sequence[bytes]
    nearest: NDArray[np.int64]  # (n, k): hard negatives of each photograph, -1 where there are fewer
    config: Config

    def __len__(self) -> int:
        return self.config.steps

    def __getitem__(self, step: int) -> tuple[Pixels, NDArray[np.int64]]:
        rng = np.random.default_rng([self.config.seed, 1, step])
        chosen = self._choose(rng)
        images = [load(self.paths[i]) for i in chosen]
        side = self.config.side
        views = [
            view(image, rng, images[number - 1], side, share, self.config.spun)
            for share in self.config.strong
            for number, image in enumerate(images)
        ]
        return np.stack(views), np.tile(np.stack([chosen, np.roll(chosen, 1)], axis=1), (VIEWS, 1))

    def _choose(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Different photographs; a share of them from the nearest unrelated ones of the others."""
        size = min(self.config.images, len(self.paths))
        chosen = rng.choice(len(self.paths), size, replace=False)
        half = round(size * self.config.neighbours)
        for place in range(size - half, size):
            near = self.nearest[chosen[place - size + half]]
            near = near[(near >= 0) & ~np.isin(near, chosen)]
            if near.size:
                chosen[place] = rng.choice(near)
        return np.asarray(chosen, np.int64)


def nearest_unrelated(teacher: NDArray[np.float32], near: float, count: int = 16) -> NDArray[np.int64]:
    """For each unit row of (n, d) the `count` nearest others whose cosine is not above `near`; -1 fills up."""
    out = np.full((len(teacher), count), -1, np.int64)
    for start in range(0, len(teacher), 1024):
        cosine = teacher[start : start + 1024] @ teacher.T
        cosine[cosine > near] = -2  # itself and its near-duplicates
        best = np.argpartition(-cosine, min(count, cosine.shape[1] - 1), axis=1)[:, :count]
        usable = np.take_along_axis(cosine, best, axis=1) > -2
        out[start : start + len(best), : best.shape[1]] = np.where(usable, best, -1)
    return out
