"""tbhdup review."""

from __future__ import annotations

import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tbhdup import wording
from tbhdup.cli import options as o
from tbhdup.cli import render
from tbhdup.errors import UsageError

if TYPE_CHECKING:
    from tbhdup.pipeline.review import Review


def review(
    report: Annotated[
        Path | None,
        typer.Argument(
            metavar="[REPORT]",
            help="What scan or report wrote with --format jsonl; the last scan's findings by default.",
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine, and save choices as they are made.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="With --serve: open no browser.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the page is written.")] = Path(
        "review.html"
    ),
    choices: Annotated[
        Path, typer.Option("--choices", metavar="FILE", help="Choices to go on with, and where --serve saves them.")
    ] = Path("choices.jsonl"),
    store: o.StoreOption = None,
    quiet: o.QuietOption = False,
) -> None:
    """Look at each group and choose what stays: a page for the browser, whose choices tbhdup apply takes.

    Without --serve it is one file that needs no server; it gives the choices back as a download. Nothing is changed.
    """
    from tbhdup.pipeline import review as reviewing
    from tbhdup.pipeline import saved
    from tbhdup.store import default_place

    place = store or default_place()
    if report is None:
        from tbhdup import api

        with render.progress(quiet) as on_progress:
            found = api.report(store=store, on_progress=on_progress)
    else:
        for file in (choices, out):
            if file.exists() and file.samefile(report):
                raise UsageError(f"{file} is the report itself: name another file with --choices or --out")
        found = saved.load(report)
    opened = reviewing.Review.open(found, choices, place)
    if serve:
        _serve(opened, browse=not no_browser)
        return
    with render.progress(quiet) as on_progress:
        reviewing.write_whole(out, opened.file_page(on_progress))
    groups = wording.counted(len(opened.report.groups), "group")
    typer.echo(f"{out}: {groups}. Open it in a browser; --serve saves choices by itself.")


def _serve(review: Review, browse: bool) -> None:
    from tbhdup.pipeline.serving import Server

    with Server(review) as server:
        typer.echo(f"Review {wording.counted(len(review.report.groups), 'group')} at {server.address}")
        typer.echo(f"Choices go to {review.file}. Ctrl-C ends.")
        if browse:
            webbrowser.open(server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    decided = wording.counted(len(review.choices), "group")
    typer.echo(f"{decided} decided. See what that means: tbhdup apply {review.file} --action trash --kind duplicate")
