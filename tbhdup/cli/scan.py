"""tbhdup scan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.cli import render
from tbhdup.errors import UsageError


def scan(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...", help="Folders, files, archives, and tables (.csv, .parquet) with a column path."
        ),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from",
            metavar="FILE",
            help="Further paths, one a line, or ended by NUL if there is one; - reads them from stdin.",
        ),
    ] = None,
    archives: o.ArchivesOption = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            metavar="DIR",
            help="Also look here, and report only groups that hold one of the other files; repeatable.",
        ),
    ] = None,
    keep: o.KeepOption = None,
    prefer: o.PreferOption = None,
    reference: o.ReferenceOption = None,
    store: o.StoreOption = None,
    form: o.FormatOption = None,
    null: o.NullOption = False,
    verify: o.VerifyOption = o.Verify.AUTO,
    radius: o.RadiusOption = None,
    cosine: o.CosineOption = None,
    candidates: o.CandidatesOption = 5,
    max_false_pairs: o.FalsePairsOption = 1.0,
    device: o.DeviceOption = o.Device.AUTO,
    weights: o.WeightsOption = None,
    fail_if_found: o.FailOption = False,
    strict: o.StrictOption = False,
    quiet: o.QuietOption = False,
) -> None:
    """Find identical and duplicate pictures below PATH. Nothing is changed or deleted."""
    from tbhdup import api

    listed = _listed(files_from)
    if not paths and files_from is None:
        raise UsageError("nothing to look through: name a PATH, or a list with --files-from")
    settings = o.build(verify, radius, cosine, candidates, max_false_pairs, device, weights)
    with render.progress(quiet) as on_progress:
        report = api.scan(
            paths or (),
            listed=listed,
            against=against or (),
            archives=archives,
            store=store,
            options=settings,
            on_progress=on_progress,
        )
    if keep or prefer or reference:
        from tbhdup.pipeline import saved

        report = saved.marked(report, o.rules(keep, prefer, reference))
    render.show(report, form, null, [*(paths or ()), *(against or ())], quiet)
    raise typer.Exit(render.status(report, fail_if_found, strict))


def _listed(file: str | None) -> list[bytes]:
    """The paths in a list."""
    if file is None:
        return []
    from tbhdup.sources import split_list

    try:
        return split_list(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read the list {file}: {error.strerror}") from error
