"""The command line: one module a command. Each parses, calls the core, renders; the core is imported when it runs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tbhdup.cli import (
    apply,
    compare,
    config,
    evaluate,
    leaks,
    mark,
    model,
    report,
    review,
    scan,
    settings,
    similar,
    store,
    train,
    undo,
)
from tbhdup.errors import Exit, TbhdupError
from tbhdup.version import VERSION

# Loading modules makes some hundred thousand objects and no garbage; with Python's 700 the search for it takes a tenth
# of a report's time.
OBJECTS_BETWEEN_COLLECTIONS = 50_000

app = typer.Typer(
    name="tbhdup",
    help="Find duplicate and near-duplicate images, and see why they are.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("scan")(scan.scan)
app.command("similar")(similar.similar)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("leaks")(leaks.leaks)
app.command("mark")(mark.mark)
app.command("marks")(mark.marks)
app.command("review")(review.review)
app.command("apply")(apply.apply)
app.command("undo")(undo.undo)
app.command("config")(config.config)
app.command("train")(train.train)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(store.app, name="store")
app.add_typer(model.app, name="model")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tbhdup {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find duplicate and near-duplicate images, and see why they are."""
    commands: Mapping[str, Any] = context.command.commands  # type: ignore[attr-defined]  # the app is a group
    context.default_map = settings.load(Path.cwd(), settings.known(config.config), commands)


def main() -> None:
    """Run the command line; the only place that turns failures into exit statuses."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        app()
    except TbhdupError as error:
        print(f"tbhdup: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as end:
        # typer has turned Ctrl-C into this status already, and a closed pipe (`| head`) into a quiet end.
        if end.code == Exit.INTERRUPTED:
            print("tbhdup: interrupted; what was done is kept, the same command goes on from there", file=sys.stderr)
        raise
    finally:
        gc.freeze()  # else Python, as it ends, looks through all of torch for garbage: a third of a second
