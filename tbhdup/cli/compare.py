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
    device: o.DeviceOption = o.Device.AUTO,
    weights: o.WeightsOption = None,
) -> None:
    """Say whether A and B are one picture, and how B was made from A. Exits with 0 if so, with 1 if not."""
    from tbhdup import api
    from tbhdup.pipeline.scan import Options

    found = api.compare(a, b, options=Options(device=device.value, weights=weights))
    near = f"{found.distance} bits apart, cosine {found.cosine:.3f}"
    if found.same:
        relation = found.verdict.relation
        typer.echo(f"the same picture: {relation or 'identical bytes'} ({near})")
        if relation:
            typer.echo(f"shows {relation.share_a:.0%} of A, which fills {relation.share_b:.0%} of B; "
                       f"{relation.inliers} inliers, agreement {relation.agreement:.2f}")  # fmt: skip
        return
    typer.echo(f"different pictures: {found.verdict.reason} ({near})")
    raise typer.Exit(Exit.FAILED)
