"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tbhdup.actions import Rule, Rules
    from tbhdup.groups import Pairs
    from tbhdup.pipeline.scan import Options


class Verify(StrEnum):
    """How candidates are decided."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Device(StrEnum):
    """Where the network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Format(StrEnum):
    """How a report is written."""

    TERMINAL = "terminal"
    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"
    KEEP = "keep"
    HTML = "html"


class Kind(StrEnum):
    """What files of a group have in common."""

    IDENTICAL = "identical"
    DUPLICATE = "duplicate"


class Action(StrEnum):
    """What happens to the files that can go."""

    TRASH = "trash"
    MOVE = "move"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    REFLINK = "reflink"


StoreOption = Annotated[
    Path | None, typer.Option("--store", envvar="TBHDUP_STORE", help="Folder that keeps codes between scans.")
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", envvar="TBHDUP_WEIGHTS", help="Weights file; the shipped one by default.")
]
DeviceOption = Annotated[Device, typer.Option("--device", envvar="TBHDUP_DEVICE", help="Where the network runs.")]
VerifyOption = Annotated[
    Verify,
    typer.Option(
        "--verify",
        envvar="TBHDUP_VERIFY",
        help="auto: decide candidates on pixels, but for those that others connect; always: each of them; never: by "
        "cosine alone.",
    ),
]
RadiusOption = Annotated[
    int | None,
    typer.Option(
        "--radius", envvar="TBHDUP_RADIUS", min=0, max=64, help="Hamming radius in bits; calibrated by default."
    ),
]
CosineOption = Annotated[
    float | None,
    typer.Option(
        "--cosine", envvar="TBHDUP_COSINE", min=-1, max=1, help="Least cosine of latents; calibrated by default."
    ),
]
CandidatesOption = Annotated[
    int, typer.Option("--candidates", envvar="TBHDUP_CANDIDATES", min=1, help="At most so many candidates a picture.")
]
FalsePairsOption = Annotated[
    float,
    typer.Option(
        "--max-false-pairs", envvar="TBHDUP_MAX_FALSE_PAIRS", min=0, help="Expected false pairs that set the threshold."
    ),
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Output format; terminal on a terminal, else jsonl.")
]
NullOption = Annotated[bool, typer.Option("--null", "-0", help="With --format paths or keep: end names with NUL.")]
ArchivesOption = Annotated[
    bool, typer.Option("--archives", help="Also look into the archives in folders (.zip, .cbz, .tar, .tar.gz, .tgz).")
]
FailOption = Annotated[bool, typer.Option("--fail-if-found", help="Exit with 3 when duplicates are found.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 4 when a file was skipped.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
KeepOption = Annotated[
    str | None,
    typer.Option(
        "--keep",
        envvar="TBHDUP_KEEP",
        metavar="RULES",
        help="What is kept, most important first, as in format,oldest: marked (in the report), least-edited, "
        "resolution, bytes, format, has-date, has-gps (in its EXIF), oldest, newest, path, path:PATTERN "
        "(as in path:*/originals/*).",
    ),
]
PreferOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--prefer", envvar="TBHDUP_PREFER", metavar="DIR", help="Keep files below DIR before others; repeatable."
    ),
]
ReferenceOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--reference",
        envvar="TBHDUP_REFERENCE",
        metavar="DIR",
        help="Keep every file below DIR, whatever else is said; repeatable.",
    ),
]


def build(
    verify: Verify,
    radius: int | None,
    cosine: float | None,
    candidates: int,
    max_false_pairs: float,
    device: Device,
    weights: Path | None,
) -> Options:
    """The core's options from the command line's."""
    from tbhdup.pipeline.scan import Options

    return Options(
        verify=verify.value,
        radius=radius,
        cosine=cosine,
        candidates=candidates,
        max_false_pairs=max_false_pairs,
        device=device.value,
        weights=weights,
    )


def rules(
    keep: str | None,
    prefer: Sequence[Path] | None,
    reference: Sequence[Path] | None,
    default: tuple[Rule, ...] | None = None,
) -> Rules:
    """The keep rules from the command line's; `default`, else the core's own, where it names no order."""
    from tbhdup import actions
    from tbhdup.sources import taken

    order = (default or actions.DEFAULT) if keep is None else actions.parse(keep)
    return actions.Rules(order, absolute(prefer), absolute(reference), taken)


def absolute(paths: Sequence[Path] | None) -> tuple[bytes, ...]:
    """Paths as the core takes them."""
    return tuple(os.path.abspath(os.fsencode(path)) for path in paths or ())


def marks(store: Path | None) -> Pairs:
    """The pairs that were marked as no duplicates: kept beside the store, and no part of it."""
    from tbhdup import marks
    from tbhdup.store import default_place

    return marks.pairs(store or default_place())


def journal(store: Path | None) -> tuple[Path, bytes]:
    """The journal of actions, and the folder for what the trash does not take: beside the store, and no part of it."""
    from tbhdup.store import default_place

    place = (store or default_place()).absolute()
    return place.with_name(f"{place.name}.journal.jsonl"), os.fsencode(place.with_name("tbhdup-trash"))
