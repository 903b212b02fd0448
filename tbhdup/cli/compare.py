"""tbhdup compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.errors import Exit


def compare(
    a: Annotated[Path, typer.Argument(help="A picture.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            help="Draw both side by side, with the part in common and where it differs; .png, .jpg or .jpeg.",
        ),
    ] = None,
    device: o.DeviceOption = o.Device.AUTO,
    weights: o.WeightsOption = None,
) -> None:
    """Say whether A and B are one picture, and how B was made from A. Exits with 0 if so, with 1 if not."""
    from tbhdup import api
    from tbhdup.pipeline.scan import Options

    found = api.compare(a, b, options=Options(device=device.value, weights=weights), picture=picture)
    for line in found.words():
        typer.echo(line)
    if not found.same:
        raise typer.Exit(Exit.FAILED)
