"""tbhdup undo."""

from __future__ import annotations

from typing import Annotated

import typer

from tbhdup import wording
from tbhdup.cli import options as o
from tbhdup.cli import render
from tbhdup.errors import Exit


def undo(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="As apply has named it; the last one by default.")
    ] = None,
    store: o.StoreOption = None,
    quiet: o.QuietOption = False,
) -> None:
    """Take back what tbhdup apply has done. Nothing is overwritten. Exits with 1 when a file could not be put back."""
    from tbhdup.actions import Journal
    from tbhdup.actions.undo import undo as take_back

    journal, _ = o.journal(store)
    with Journal(journal) as opened, render.progress(quiet) as on_progress:
        undone = take_back(opened, run, on_progress)
    render.warn((left.path, left.reason) for left in undone.left)
    typer.echo(f"{wording.counted(len(undone.done), 'file')} of run {undone.run} put back")
    if undone.left:
        raise typer.Exit(Exit.FAILED)
