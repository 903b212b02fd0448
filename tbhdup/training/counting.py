"""The section "calibration" of a record, counted on photographs that the weights were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tbhdup import calibration
from tbhdup.errors import WeightsError
from tbhdup.model.encoding import load_network, pack_codes, quantise_latents
from tbhdup.model.network import Encoder
from tbhdup.model.record import Record, read_record, write_record
from tbhdup.training.photos import Clean, find_photos, in_batches, split
from tbhdup.training.related import related
from tbhdup.training.trainer import encode_clean


def compared(
    encoder: Encoder, side: int, paths: Sequence[bytes]
) -> tuple[NDArray[np.uint64], NDArray[np.int8], NDArray[np.int64]]:
    """Codes and latents of photographs as a store holds them, and numbers that related ones share; (n, ...) each."""
    heads = encode_clean(encoder, in_batches(Clean(paths, side)))
    codes = pack_codes(heads.logits.numpy())
    latents = quantise_latents(encoder.distinct(heads.latent).numpy())
    return codes, latents, related(paths, codes, latents)


def section(encoder: Encoder, side: int, paths: Sequence[bytes]) -> dict[str, Any]:
    """How often photographs meet that are not related."""
    return calibration.count(*compared(encoder, side, paths))


def recalibrate(
    weights: Path,
    strangers: Sequence[Path],
    trained_on: Sequence[Path] = (),
    *,
    on_stage: Callable[[str], None] = lambda stage: None,
    on_skip: Callable[[bytes, str], None] = lambda path, why: None,
) -> Record:
    """Count anew and write the weights' record; the weights, and so the model id, stay as they are.

    strangers: folders of photographs that were not trained on. trained_on: the folders of the training, in its order,
    of which those take part that it held out. Raises UsageError for too few photographs, WeightsError for bad weights.
    """
    record = read_record(weights)
    encoder = load_network(record)
    on_stage("reading the photographs")
    paths = never_trained_on(record, strangers, trained_on, on_skip)
    on_stage(f"comparing {len(paths)} photographs")
    new = replace(record, calibration=section(encoder, record.preprocessing.side, paths))
    write_record(new)
    return new


def never_trained_on(
    record: Record, strangers: Sequence[Path], trained_on: Sequence[Path], on_skip: Callable[[bytes, str], None]
) -> list[bytes]:
    """All photographs of some folders, and what the training held out of others; sorted."""
    paths = [path for folder in find_photos(strangers, on_skip) for path in folder] if strangers else []
    if trained_on:
        paths += split(find_photos(trained_on, on_skip), _held_out(record))[1]
    return sorted(set(paths))


def _held_out(record: Record) -> int:
    try:
        return int(record.training["config"]["held_out"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{record.path}: its record does not say how many photographs were held out") from error
