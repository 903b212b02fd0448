"""tbhdup store info, tbhdup store check."""

from __future__ import annotations

from dataclasses import asdict

import typer

from tbhdup.cli import options as o
from tbhdup.errors import Exit

app = typer.Typer(help="Look after the store of codes.", no_args_is_help=True)


@app.command()
def info(store: o.StoreOption = None) -> None:
    """What the store holds."""
    from tbhdup.store import Store, default_place

    with Store.open(store or default_place(), write=False) as opened:
        for name, value in asdict(opened.info()).items():
            typer.echo(f"{name}: {value}")


@app.command()
def check(store: o.StoreOption = None) -> None:
    """Look for damage; exits with 1 when there is any."""
    from tbhdup.store import Store, default_place

    with Store.open(store or default_place(), write=False) as opened:
        problems = opened.check()
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(Exit.FAILED)
    typer.echo("the store is sound")
