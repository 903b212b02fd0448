"""tbhdup model info."""

from __future__ import annotations

import typer

from tbhdup.cli import options as o

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
