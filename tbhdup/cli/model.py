"""tbhdup model info, tbhdup model calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.cli import terminal

app = typer.Typer(help="The weights that make the codes.", no_args_is_help=True)


@app.command()
def info(weights: o.WeightsOption = None) -> None:
    """What is known of the weights: origin, preprocessing, figures."""
    from tbhdup.model.record import read_record

    record = read_record(weights)
    typer.echo(f"model: {record.model_id}\nfile: {record.path}\nlicence: {record.licence}")
    typer.echo(f"bits: {record.bits}, latent: {record.latent}, input: {record.preprocessing.side} px square")
    typer.echo(f"calibrated on {record.calibration['pairs']} pairs of {record.calibration['pictures']} pictures")
    for name, value in record.figures.items():
        typer.echo(f"{name}: {value}")


@app.command()
def calibrate(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PHOTOS...", help="Folders of photographs that the weights were not trained on."),
    ] = None,
    weights: Annotated[Path | None, typer.Option("--weights", help="Weights file whose record is written.")] = None,
    trained_on: Annotated[
        list[Path] | None,
        typer.Option(
            "--trained-on",
            metavar="FOLDER",
            help="A folder that was trained on: what was held out of it takes part. All of them, in their order.",
        ),
    ] = None,
) -> None:
    """Count anew how often unrelated pictures meet, and write it into the weights' record.

    The thresholds of a scan follow from it. More photographs, and photographs like your own, make it better: give
    10,000 or more. Copies and shots of one scene are found and left out. Codes that were already made stay valid.
    """
    from tbhdup.errors import UsageError
    from tbhdup.training.counting import recalibrate

    if weights is None or not (photos or trained_on):
        raise UsageError("name the weights with --weights FILE, and folders of photographs")
    console = terminal.Console(stderr=True, highlight=False)
    record = recalibrate(
        weights,
        photos or (),
        trained_on or (),
        on_stage=console.print,
        on_skip=lambda path, why: console.print(f"skipped {path!r}: {why}"),
    )
    typer.echo(f"{record.calibration['pairs']} pairs of {record.calibration['pictures']} pictures: {weights}")
