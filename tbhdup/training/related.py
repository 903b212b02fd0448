"""Photographs that are no strangers to each other: a collection has copies and shots of one thing of its own.

How many of them a collection has is up to its owner and says nothing of how often two pictures are alike by chance.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from tbhdup import search, sources, verify
from tbhdup.pipeline.views import view_of
from tbhdup.values import CODE_BITS

NEAR = 0.4  # cosine from which a pair is looked at
NEAREST = 10  # pairs of each photograph
MOST = 5000  # pairs in all, the nearest: the tail that thresholds are continued from is among them
KEPT = 512  # views at a time


def related(paths: Sequence[bytes], codes: NDArray[np.uint64], latents: NDArray[np.int8]) -> NDArray[np.int64]:
    """(n,) numbers, equal for photographs that are one picture or show one scene, directly or through others.

    One scene: many local features agree on a map between them. So another shot of a shelf, another side of a carton and
    another receipt of a shop are related, too, though no copies.
    """
    found = search.candidates(codes, latents, CODE_BITS, NEAR, NEAREST)
    nearest = np.sort(np.argsort(-found["cosine"], kind="stable")[:MOST])  # in order of the pictures: views are reused
    pairs = list(zip(found["i"][nearest].tolist(), found["j"][nearest].tolist(), strict=True))
    view = lru_cache(KEPT)(lambda number: _view(paths[number]))
    with verify.one_thread_a_proof(), ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda pair: _are_related(view(pair[0]), view(pair[1])), pairs)
        group = np.arange(len(paths))
        for (i, j), yes in zip(pairs, answers, strict=True):
            if yes:
                group[group == group[j]] = group[i]
    return group.astype(np.int64)


def _view(path: bytes) -> verify.View:
    return view_of(sources.read(path), partial(sources.read, path))


def _are_related(a: verify.View, b: verify.View) -> bool:
    return verify.one_scene(a, b) or verify.prove(a, b).accepted
