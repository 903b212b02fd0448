"""tbhdup train."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.cli import terminal
from tbhdup.errors import Exit


def train(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTOS...", help="Folders of photographs.")],
    config: Annotated[Path | None, typer.Option("--config", help="Settings of the run, TOML.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: checkpoints, log, weights.")] = Path("run"),
    init: Annotated[
        str | None, typer.Option("--init", help="What to start from: imagenet, shipped, or a weights file.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change one setting; repeatable.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that draw views.")] = 1,
    device: o.DeviceOption = o.Device.AUTO,
) -> None:
    """Train a TBH-VAE. Ctrl-C saves a checkpoint; the same command goes on from it, on a CPU step for step the same.

    Without --config the shipped weights are adapted to the photographs, and what that brought is shown on some that
    were held out. Use the result with --weights FILE.
    """
    from tbhdup.training.config import ADAPT, read_config, with_settings
    from tbhdup.training.run import train as run

    settings = with_settings(read_config(config) if config else ADAPT, changes or ())
    if init:
        settings = replace(settings, init=init)
    console = terminal.Console(stderr=True, highlight=False)
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))

    def on_step(step: int, numbers: Mapping[str, float]) -> None:
        if step % 25 == 0:
            console.print(f"step {step}/{settings.steps}  " + "  ".join(f"{k} {v:.3f}" for k, v in numbers.items()))

    outcome = run(
        photos,
        settings,
        out,
        on_stage=console.print,
        on_step=on_step,
        on_skip=lambda path, why: console.print(f"skipped {path!r}: {why}"),
        stop=lambda: bool(asked),
        workers=workers,
        device=device.value,
    )
    if not outcome.complete:
        console.print(f"stopped after step {outcome.step}")
        raise typer.Exit(Exit.INTERRUPTED)
    console.print(_compared(outcome.before, outcome.after))
    if outcome.weights:
        typer.echo(outcome.weights)
    else:
        console.print("figures alone: a store takes codes of 64 bits and latents of 128 numbers")


def _compared(before: Mapping[str, float], after: Mapping[str, float]) -> terminal.Table:
    """What the run has changed on photographs that it was not trained on."""
    table = terminal.Table("held-out photographs", "before", "after", box=None)
    for name, value in after.items():
        table.add_row(name.replace("_", " "), f"{before[name]:.4g}", f"{value:.4g}")
    return table
