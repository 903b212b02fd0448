"""tbhdup report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.cli import render


def report(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH...]", help="Only what lies below these; all by default.")
    ] = None,
    store: o.StoreOption = None,
    form: o.FormatOption = None,
    null: o.NullOption = False,
    verify: o.VerifyOption = o.Verify.AUTO,
    radius: o.RadiusOption = None,
    cosine: o.CosineOption = None,
    candidates: o.CandidatesOption = 5,
    max_false_pairs: o.FalsePairsOption = 1.0,
    weights: o.WeightsOption = None,
    fail_if_found: o.FailOption = False,
    strict: o.StrictOption = False,
    quiet: o.QuietOption = False,
) -> None:
    """Report on what earlier scans have seen, without looking at the folders again."""
    from tbhdup import api

    settings = o.build(verify, radius, cosine, candidates, max_false_pairs, o.Device.CPU, weights)
    with render.progress(quiet) as on_progress:
        found = api.report(paths or None, store=store, options=settings, on_progress=on_progress)
    render.show(found, form, null)
    raise typer.Exit(render.status(found, fail_if_found, strict))
