"""What it costs to keep latents as int8: recall of edited copies with latents in fp32, in fp16 and in int8.

python tests/bench/latent_precision.py TRUTH.csv: a table as `tbhdup evaluate copies` takes; for the figures in MODELS.md.
Thresholds are the cosines that so large a share of the pairs of ordinary strangers, originals among them, reaches.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tbhdup import sources
from tbhdup.evaluation.copies import RATES
from tbhdup.evaluation.truth import read_truth
from tbhdup.model.encoding import fastest, load_network, quantise_latents
from tbhdup.model.record import BATCH, read_record

Latents = NDArray[np.float32]


@torch.inference_mode()
def latents(paths: list[bytes]) -> Latents:
    """(n, 128) unit vectors, as the network gives them in fp32."""
    record = read_record()
    network = fastest(load_network(record), torch.device("cpu"), torch.float32)
    side = record.preprocessing.side
    found = []
    for start in range(0, len(paths), BATCH):
        pixels = np.zeros((BATCH, side, side, 3), np.uint8)
        some = paths[start : start + BATCH]
        for place, path in enumerate(some):
            pixels[place] = sources.see(sources.read(path), side).squares[0]
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        found.append(network.distinct(network(x).latent)[: len(some)].numpy())
    return np.concatenate(found)


def unit(values: NDArray[np.floating]) -> Latents:
    wide = values.astype(np.float32)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-6)


def main() -> None:
    truth = read_truth(Path(sys.argv[1]))
    exact = latents([file.path for file in truth.files])
    copies = truth.copies
    own = [truth.originals[truth.files[place].source] for place in copies]
    strangers = [place for place, file in enumerate(truth.files) if not file.copy and not file.family]
    pairs = np.triu_indices(len(strangers), 1)
    kept = {"fp32": exact, "fp16": exact.astype(np.float16), "int8": quantise_latents(exact)}
    reference = (unit(exact)[copies] * unit(exact)[own]).sum(axis=1)
    print(f"{len(copies)} copies, {len(pairs[0])} pairs of strangers")
    for name, values in kept.items():
        latent = unit(values)
        apart = np.sort((latent[strangers] @ latent[strangers].T)[pairs])
        cosine = (latent[copies] * latent[own]).sum(axis=1)
        recall = [float((cosine >= apart[-max(1, round(rate * len(apart)))]).mean()) for rate in RATES]
        moved = float(np.abs(cosine - reference).max())
        print(
            name, *(f"{rate:g}: {share:.4f}" for rate, share in zip(RATES, recall, strict=True)), f"moved {moved:.4f}"
        )
    print(f"clipped: {(np.abs(kept['int8']) >= 127).mean():.2%} of the values")


if __name__ == "__main__":
    main()
