"""How far the continued cosines can be trusted: python tests/bench/extrapolation.py WEIGHTS STRANGERS... [--trained-on FOLDER]...

Halves: what a part of the pictures foretells for rates that it cannot count, and what the other pictures count there.
Bootstrap: the cosines that the record gives for collections of three sizes, with pictures drawn anew (not pairs: a
picture stands in many pairs).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tbhdup.calibration import COSINES, Calibration
from tbhdup.model.encoding import load_network
from tbhdup.model.record import read_record
from tbhdup.training.counting import compared, never_trained_on

LEAST = 0.4  # cosine of the pairs that are kept: the tail
ROWS = 256
SIZES = (8_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Tail:
    """The pairs of unrelated pictures whose cosine is at least LEAST, (k,) each."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    cosine: NDArray[np.float64]
    pictures: int

    def calibration(self, weight: NDArray[np.int64]) -> Calibration:
        """As if each picture stood so often in the collection; copies of one picture make no pair."""
        pairs = int((weight.sum() ** 2 - (weight**2).sum()) // 2)
        order = np.argsort(-self.cosine)
        above = np.concatenate([[0], np.cumsum((weight[self.i] * weight[self.j])[order])])
        counts = above[np.searchsorted(-self.cosine[order], [-c for c in COSINES], side="right")]
        cosine = tuple((c, float(n / pairs)) for c, n in zip(COSINES, counts, strict=True) if c >= LEAST)
        return Calibration(pairs, int(weight.sum()), (*[0.0] * 64, 1.0), cosine)


def tail(latents: NDArray[np.int8], groups: NDArray[np.int64]) -> Tail:
    unit = latents.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    found: list[tuple[Any, ...]] = []
    for top in range(0, len(unit), ROWS):
        cosine = np.triu(unit[top : top + ROWS] @ unit[top:].T, 1)
        i, j = np.nonzero((cosine >= LEAST) & (groups[top : top + ROWS, None] != groups[None, top:]))
        found.append((i + top, j + top, cosine[i, j].astype(np.float64)))
    return Tail(*(np.concatenate(column) for column in zip(*found, strict=True)), len(unit))


def counted_at(known: Calibration, cosine: float) -> float:
    """The rate at a cosine, between the counted ones by the straight line of its logarithm."""
    rates = np.array(known.cosine)[::-1]
    usable = rates[:, 1] > 0
    return float(np.exp(np.interp(cosine, rates[usable, 0], np.log(rates[usable, 1]), right=-np.inf)))


def halves(pairs: Tail, part: int, rates: Sequence[float], rounds: int = 100) -> None:
    """What parts foretell, and by how much the rest has it more or less often."""
    print(f"{part} of {pairs.pictures} pictures foretell what the others count, {rounds} times")
    print("rate asked | cosine: median (5 % .. 95 %) | rate counted there / asked: median (5 % .. 95 %), mean")
    for rate in rates:
        told, ratio = [], []
        for seed in range(rounds):
            chosen = np.zeros(pairs.pictures, np.int64)
            chosen[np.random.default_rng(seed).permutation(pairs.pictures)[:part]] = 1
            told.append(pairs.calibration(chosen).cosine_for(rate))
            ratio.append(counted_at(pairs.calibration(1 - chosen), told[-1]) / rate)
        a, b = (np.percentile(values, (50, 5, 95)) for values in (told, ratio))
        print(
            f"{rate:.0e} | {a[0]:.3f} ({a[1]:.3f} .. {a[2]:.3f}) | {b[0]:.2f} ({b[1]:.2f} .. {b[2]:.2f}), "
            f"{np.mean(ratio):.2f}"
        )


def bootstrap(pairs: Tail, rounds: int = 200) -> None:
    print(f"pictures drawn anew {rounds} times: cosine as counted (5 % .. 95 %)")
    for verify in (True, False):
        for size in SIZES:

            def point(known: Calibration, size: int = size, verify: bool = verify) -> float:
                return known.operating_point(size, verify=verify).cosine

            once = point(pairs.calibration(np.ones(pairs.pictures, np.int64)))
            drawn = []
            for seed in range(rounds):
                places = np.random.default_rng(seed).integers(0, pairs.pictures, pairs.pictures)
                drawn.append(point(pairs.calibration(np.bincount(places, minlength=pairs.pictures))))
            low, high = np.percentile(drawn, (5, 95))
            print(f"{size} pictures, {'candidates' if verify else 'never'}: {once:.3f} ({low:.3f} .. {high:.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("strangers", type=Path, nargs="*")
    parser.add_argument("--trained-on", type=Path, action="append", default=[])
    given = parser.parse_args()
    record = read_record(given.weights)
    paths = never_trained_on(record, given.strangers, given.trained_on, lambda path, why: print(path, why))
    _, latents, groups = compared(load_network(record), record.preprocessing.side, paths)
    pairs = tail(latents, groups)
    for part in (2000, len(paths) // 2):
        halves(pairs, part, (1e-6, 3e-7, 1e-7))
    bootstrap(pairs)


if __name__ == "__main__":
    main()
