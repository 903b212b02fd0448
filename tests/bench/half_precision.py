"""How far codes in bf16, and of pictures saved again, are from those in fp32; how fast the network is.

python tests/bench/half_precision.py FOLDER [NUMBER]: so many of its pictures (1,000), for the figures in MODELS.md.
"""

from __future__ import annotations

import io
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tbhdup import sources
from tbhdup.model.encoding import BatchEncoder, fastest, load_network
from tbhdup.model.record import BATCH, read_record
from tbhdup.model.trunk import Trunk

PICTURES = 1000
UNTOUCHED_SIDE = 128
RUNS = 15


def square(data: bytes, side: int) -> NDArray[np.uint8]:
    return sources.square(sources.decode(data, sources.SMALL), side)


def saved_again(data: bytes) -> bytes:
    written = io.BytesIO()
    sources.decode(data).image.save(written, "JPEG", quality=90)
    return written.getvalue()


def both(data: bytes, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return square(data, side), square(saved_again(data), side)


def codes(dtype: torch.dtype, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint64]:
    encoder = BatchEncoder(device="cpu", dtype=dtype)
    batches = [np.stack(squares[first : first + BATCH]) for first in range(0, len(squares), BATCH)]
    return np.concatenate([encoder.encode(batch)[0] for batch in batches])


def tell(what: str, a: NDArray[np.uint64], b: NDArray[np.uint64], within: int) -> None:
    apart = np.bitwise_count(a ^ b)
    print(f"{what}: {(apart <= within).mean():.1%} within {within} bits, at most {apart.max()}")


def rates(run: dict[str, Callable[[], object]], batch: int) -> None:
    """Pictures a second, by turns, medians; on all cores."""
    taken: dict[str, list[float]] = {name: [] for name in run}
    for _ in range(RUNS):
        for name, work in run.items():
            start = time.perf_counter()
            with torch.inference_mode():
                work()
            taken[name].append(time.perf_counter() - start)
    for name, times in taken.items():
        print(f"{name}, batches of {batch}: {batch / statistics.median(times):.0f} pictures/s")


def main() -> None:
    record = read_record()
    side = record.preprocessing.side
    paths = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
    number = int(sys.argv[2]) if len(sys.argv) > 2 else PICTURES
    chosen = random.Random(3).sample(paths, min(number, len(paths)))
    squares, again = zip(*(both(path.read_bytes(), side) for path in chosen), strict=True)
    full, half = codes(torch.float32, squares), codes(torch.bfloat16, squares)
    tell("bf16 and fp32", full, half, 1)
    tell("saved again, fp32", full, codes(torch.float32, again), 3)
    tell("saved again, bf16", half, codes(torch.bfloat16, again), 3)
    untouched = Trunk().eval().to(memory_format=torch.channels_last)
    torch.set_num_threads(os.cpu_count() or 1)  # an encoder takes one for each of its batches
    for batch in (32, 64):
        shipped = fastest(load_network(record), torch.device("cpu"), torch.bfloat16)
        small = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8)
        large = torch.rand(batch, 3, UNTOUCHED_SIDE, UNTOUCHED_SIDE).to(memory_format=torch.channels_last)
        small = small.to(memory_format=torch.channels_last)

        def plain(x: torch.Tensor = large) -> object:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return untouched(x)

        rates({"shipped": lambda f=shipped, x=small: f(x), "untouched trunk": plain}, batch)


if __name__ == "__main__":
    main()
