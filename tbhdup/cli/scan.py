"""tbhdup scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.cli import render


def scan(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders and files to look through.")],
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

    settings = o.build(verify, radius, cosine, candidates, max_false_pairs, device, weights)
    with render.progress(quiet) as on_progress:
        report = api.scan(paths, store=store, options=settings, on_progress=on_progress)
    if keep or prefer or reference:
        from tbhdup.pipeline import saved

        report = saved.marked(report, o.rules(keep, prefer, reference))
    render.show(report, form, null, paths, quiet)
    raise typer.Exit(render.status(report, fail_if_found, strict))
