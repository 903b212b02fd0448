"""tbhdup train."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tbhdup.errors import Exit


def train(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTOS...", help="Folders of photographs.")],
    config: Annotated[Path, typer.Option("--config", help="Settings of the run, TOML.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: checkpoints, log, weights.")],
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that draw views.")] = 1,
) -> None:
    """Train a TBH-VAE. Ctrl-C saves a checkpoint; the same command goes on from it, step for step the same."""
    from tbhdup.training.config import read_config
    from tbhdup.training.run import train as run

    settings = read_config(config)
    console = Console(stderr=True, highlight=False)
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
    )
    if outcome.weights is None:
        console.print(f"stopped after step {outcome.step}")
        raise typer.Exit(Exit.INTERRUPTED)
    typer.echo(outcome.weights)
