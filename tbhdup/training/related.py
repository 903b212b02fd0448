"""Held-out photographs that are one picture: a collection has copies of its own, which must not count as strangers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tbhdup import search, sources, verify
from tbhdup.pipeline.views import view_of
from tbhdup.values import CODE_BITS

NEAR = 0.5  # cosine from which a pair is looked at
NEAREST = 5  # pairs of each photograph


def related(paths: Sequence[bytes], codes: NDArray[np.uint64], latents: NDArray[np.int8]) -> NDArray[np.int64]:
    """(n,) numbers, equal for photographs that the proof takes for one picture, directly or through others."""
    found = search.candidates(codes, latents, CODE_BITS, NEAR, NEAREST)
    pairs = [(int(i), int(j)) for i, j, *_ in found.tolist()]
    with verify.one_thread_a_proof(), ThreadPoolExecutor(os.cpu_count()) as pool:
        same = pool.map(lambda pair: _is_one(paths[pair[0]], paths[pair[1]]), pairs)
        group = np.arange(len(paths))
        for (i, j), accepted in zip(pairs, same, strict=True):
            if accepted:
                group[group == group[j]] = group[i]
    return group.astype(np.int64)


def _is_one(a: bytes, b: bytes) -> bool:
    views = [view_of(sources.read(path), partial(sources.read, path)) for path in (a, b)]
    return verify.prove(*views).accepted
