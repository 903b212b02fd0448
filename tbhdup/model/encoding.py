"""Load the weights once, then turn batches of pixels into codes and latents.

Every batch has the same shape and runs on one intra-operation thread, so a picture's code does not depend on its
neighbours in the batch, on their number, or on how many threads the machine has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from tbhdup.errors import WeightsError
from tbhdup.model.device import choose_device, choose_precision
from tbhdup.model.fused import can_fuse, fuse
from tbhdup.model.network import Encoder
from tbhdup.model.record import BATCH, Preprocessing, Record, file_digest, read_record
from tbhdup.processes import keep_freed_memory

LATENT_SCALE = Preprocessing().latent_scale


class BatchEncoder:
    """The shipped network, ready to encode. Safe to call from several threads at once."""

    def __init__(self, weights: Path | None = None, device: str = "auto", dtype: torch.dtype | None = None) -> None:
        """weights: a safetensors file with its record beside it, None: the shipped one. Raises WeightsError."""
        self.record: Record = read_record(weights)
        self.device = choose_device(device)
        self.dtype = dtype or choose_precision(self.device)
        torch.set_num_threads(1)
        keep_freed_memory()
        self._network = fastest(load_network(self.record), self.device, self.dtype)

    @torch.inference_mode()
    def encode(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
        """pixels: (n, side, side, 3) RGB, n <= BATCH -> codes (n,), int8 latents (n, 128)."""
        count = len(pixels)
        batch = np.zeros((BATCH, *pixels.shape[1:]), np.uint8)
        batch[:count] = pixels
        x = torch.from_numpy(batch).to(self.device).permute(0, 3, 1, 2)
        x = x.contiguous(memory_format=torch.channels_last)
        heads = self._network(x)
        logits = heads.logits[:count].cpu().numpy()
        unit = self._network.distinct(heads.latent)[:count].cpu().numpy()
        return pack_codes(logits), quantise_latents(unit)


def load_network(record: Record) -> Encoder:
    """The folded network. WeightsError where the file is not the one that the record speaks of."""
    try:
        if file_digest(record.path) != record.digest:
            raise WeightsError(f"{record.path} is damaged or was exchanged: its digest is not the record's")
        network = Encoder(record.bits, record.latent).fold()
        state = {name: tensor.float() for name, tensor in load_file(record.path).items()}
        network.background = torch.empty_like(state["background"])  # as many kinds as the weights know
        network.load_state_dict(state)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(f"{record.path} cannot be loaded: {error}") from error
    return network


def fastest(network: Encoder, device: torch.device, dtype: torch.dtype) -> Encoder:
    """A folded network, in place, as it runs fastest there on batches of one shape."""
    network.halve(dtype).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch types device and format apart
    if can_fuse(device):
        fuse(network)
    return network


def pack_codes(logits: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Signs of (n, 64) logits as uint64: bit j of a code is set where logit j > 0."""
    bits = np.packbits(logits > 0, axis=1, bitorder="little")
    return np.ascontiguousarray(bits).view("<u8").astype(np.uint64).ravel()


def quantise_latents(unit: NDArray[np.float32]) -> NDArray[np.int8]:
    """(n, 128) unit vectors as int8, one scale for every model."""
    return np.clip(np.rint(unit * LATENT_SCALE), -127, 127).astype(np.int8)
