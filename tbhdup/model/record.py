"""The record that travels with a weights file: what it is, how pixels are prepared, how it was calibrated.

Reading it needs no torch, so that reports can be made without loading the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from tbhdup.errors import WeightsError

FORMAT = 1
SHIPPED = "tbhvae-7"
BATCH = 16  # pictures a forward pass, always; small batches are also the fastest on a CPU


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes the encoder's input. A change here changes codes, hence the model id."""

    side: int = 128  # pixels; the picture is squeezed to side x side, its shape not kept
    resize: str = "sources.square/2"  # which resizing; raised when its pixels change
    latent_scale: int = 300  # int8 latent = round(scale * unit vector)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one weights file."""

    name: str
    digest: str  # xxh3-128 of the weights file, hexadecimal
    preprocessing: Preprocessing
    bits: int
    latent: int
    calibration: Mapping[str, Any]
    training: Mapping[str, Any]  # config, data, seconds: what made it
    figures: Mapping[str, Any]
    licence: str
    path: Path  # of the weights file

    @property
    def model_id(self) -> str:
        """Names the codes that these weights make: codes of different ids never meet."""
        return f"{self.name}-{self.digest[:8]}"


def shipped() -> Path:
    """The weights file that comes with the package: inside it when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "weights", package.parent / "weights"):
        path = folder / f"{SHIPPED}.safetensors"
        if path.exists():
            return path
    raise WeightsError(f"the shipped weights {SHIPPED}.safetensors are missing: install tbhdup again")


def read_record(weights: Path | None = None) -> Record:
    """The record beside a weights file (None: the shipped one); the weights themselves are not read."""
    weights = weights or shipped()
    path = weights.with_suffix(".json")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise WeightsError(f"{path} has format {data['format']}, this version reads {FORMAT}: upgrade tbhdup")
        return Record(
            name=data["name"],
            digest=data["digest"],
            preprocessing=Preprocessing(**data["preprocessing"]),
            bits=data["bits"],
            latent=data["latent"],
            calibration=data["calibration"],
            training=data["training"],
            figures=data["figures"],
            licence=data["licence"],
            path=weights,
        )
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is missing: a weights file needs its record beside it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is no record of weights: {error}") from error


def write_record(record: Record) -> None:
    """Write the record beside its weights file."""
    data = asdict(record)
    del data["path"]
    text = json.dumps({"format": FORMAT, **data}, indent=1, ensure_ascii=False)
    temporary = record.path.with_suffix(".json.part")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(record.path.with_suffix(".json"))


def file_digest(path: Path) -> str:
    """xxh3-128 of a file's bytes, hexadecimal."""
    return xxhash.xxh3_128(path.read_bytes()).hexdigest()
