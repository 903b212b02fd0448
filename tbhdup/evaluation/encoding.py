"""Codes and latents of listed files, made exactly as a scan makes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tbhdup import sources
from tbhdup.model.encoding import BatchEncoder
from tbhdup.model.record import BATCH
from tbhdup.values import Digest, OnProgress, Progress, Skip


@dataclass(frozen=True, slots=True)
class Encoded:
    """The different contents of some files.

    codes         (m,) uint64
    latents       (m, d) int8
    part_codes    (k,) of the contents' parts
    part_latents  (k, d)
    part_of       (k,) the content that each part is of
    content       (n,) which content each file has; -1: it was skipped
    skips         the files that gave no picture
    """

    codes: NDArray[np.uint64]
    latents: NDArray[np.int8]
    part_codes: NDArray[np.uint64]
    part_latents: NDArray[np.int8]
    part_of: NDArray[np.int64]
    content: NDArray[np.int64]
    skips: tuple[Skip, ...]


def encode(paths: Sequence[bytes], encoder: BatchEncoder, on_progress: OnProgress) -> Encoded:
    """Read, decode and encode the files, a batch a task; only codes and latents are kept."""
    batches: list[_Batch] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = range(0, len(paths), BATCH)
        tasks = [pool.submit(_encode, paths[start : start + BATCH], encoder) for start in starts]
        try:
            for start, task in zip(starts, tasks, strict=True):
                batches.append(task.result())
                on_progress(Progress("encode", min(start + BATCH, len(paths)), len(paths)))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    files = [file for batch in batches for file in batch.files]
    read = np.array([not isinstance(file, Skip) for file in files], bool)
    digests = np.array([file for file in files if not isinstance(file, Skip)], "V16")
    _, first, same = np.unique(digests, return_index=True, return_inverse=True)
    content = np.full(len(files), -1, np.int64)
    content[read] = same
    # Every read file has a whole, then its parts: one row a square, in the order of the files.
    squares = np.array([count for batch in batches for count in batch.squares], np.int64)
    codes = np.concatenate([np.empty(0, np.uint64), *(batch.codes for batch in batches)])
    latents = np.concatenate([np.empty((0, encoder.record.latent), np.int8), *(batch.latents for batch in batches)])
    wholes = np.cumsum(squares) - squares
    is_part = np.ones(len(codes), bool)
    is_part[wholes] = False
    speaks = np.zeros(len(squares), bool)  # of files with one content the first one
    speaks[first] = True
    is_part &= np.repeat(speaks, squares)
    return Encoded(
        codes[wholes[first]],
        latents[wholes[first]],
        codes[is_part],
        latents[is_part],
        np.repeat(same, squares)[is_part].astype(np.int64),
        content,
        tuple(file for file in files if isinstance(file, Skip)),
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """What each file is; of those that were read, how many squares each gave, and their codes and latents."""

    files: list[Digest | Skip]
    squares: list[int]
    codes: NDArray[np.uint64]
    latents: NDArray[np.int8]


def _encode(paths: Sequence[bytes], encoder: BatchEncoder) -> _Batch:
    side = encoder.record.preprocessing.side
    files: list[Digest | Skip] = []
    squares: list[list[NDArray[np.uint8]]] = []
    for path in paths:
        try:
            data = sources.read(path)
            squares.append(sources.see(data, side).squares)
        except sources.Unusable as error:
            files.append(Skip(path, error.reason, error.detail))
        else:
            files.append(sources.digest(data))
    pixels = np.array([square for some in squares for square in some], np.uint8).reshape(-1, side, side, 3)
    parts = [encoder.encode(pixels[first : first + BATCH]) for first in range(0, max(1, len(pixels)), BATCH)]
    codes, latents = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Batch(files, [len(some) for some in squares], codes, latents)
