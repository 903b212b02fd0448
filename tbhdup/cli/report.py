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
    saved: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A report in JSON Lines instead; its files are read.")
    ] = None,
    kind: Annotated[o.Kind | None, typer.Option("--kind", help="Only groups of this kind.")] = None,
    under: Annotated[
        Path | None, typer.Option("--under", metavar="DIR", help="Only groups that have a file below DIR.")
    ] = None,
    relation: Annotated[
        str | None,
        typer.Option("--relation", metavar="WORD", help="Only groups with a file that is so, as in cropped."),
    ] = None,
    min_size: Annotated[
        int, typer.Option("--min-size", metavar="BYTES", min=0, help="Only groups with a file of so many bytes.")
    ] = 0,
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
    weights: o.WeightsOption = None,
    fail_if_found: o.FailOption = False,
    strict: o.StrictOption = False,
    quiet: o.QuietOption = False,
) -> None:
    """Report on what earlier scans have seen, without looking at the folders again, or on a report in a file."""
    from tbhdup.errors import UsageError
    from tbhdup.pipeline import saved as reading
    from tbhdup.values import Kind

    if saved and paths:
        raise UsageError("--from FILE has its own files: use --under DIR instead of PATH")
    if saved and form is o.Format.KEEP:
        raise UsageError("--from FILE does not know the files that are in no group: leave it out for --format keep")
    folder = o.absolute([under])[0] if under else None
    wanted = reading.Filter(Kind(kind.value) if kind else None, folder, relation, min_size)
    if saved:
        found = reading.select(reading.heeding(reading.load(saved), o.marks(store)), wanted)
        with render.progress(quiet) as on_progress:
            found, changed = reading.unchanged(found, on_progress)
        render.warn((skip.path, f"{skip.reason} {skip.detail}") for skip in changed)
    else:
        from tbhdup import api

        settings = o.build(verify, radius, cosine, candidates, max_false_pairs, o.Device.CPU, weights)
        with render.progress(quiet) as on_progress:
            found = api.report(paths or None, store=store, options=settings, on_progress=on_progress)
        found = reading.select(found, wanted)
    if keep or prefer or reference:
        found = reading.marked(found, o.rules(keep, prefer, reference))
    render.show(found, form, null, paths or [], quiet)
    raise typer.Exit(render.status(found, fail_if_found, strict))
