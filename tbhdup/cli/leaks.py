"""tbhdup leaks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tbhdup import wording
from tbhdup.cli import options as o
from tbhdup.cli import render, terminal
from tbhdup.errors import Exit, TbhdupError, UsageError

if TYPE_CHECKING:
    from tbhdup.pipeline.leaks import Leak, Leaks


class LeaksFormat(StrEnum):
    """How leaks are written."""

    TERMINAL = "terminal"
    JSONL = "jsonl"
    CSV = "csv"


class Labels(StrEnum):
    """Where the label of a file comes from."""

    FOLDER = "folder"
    COLUMN = "column"


def leaks(
    sets: Annotated[
        list[Path],
        typer.Argument(
            metavar="TRAIN TEST [VAL...] | MANIFEST",
            help="A folder or archive for each set, or one table (.csv, .parquet) with the columns path and split.",
        ),
    ],
    write_splits: Annotated[
        Path | None,
        typer.Option(
            "--write-splits",
            metavar="FILE",
            help="Write path and set of every picture file, leaks mended, as CSV or JSON Lines (.csv, .jsonl).",
        ),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            "--priority",
            metavar="SET,SET...",
            help="Which set keeps what several hold, first one first. By itself the set named last: what is in TRAIN "
            "and TEST stays in TEST, and its copies leave TRAIN for TEST. A set is called as its folder.",
        ),
    ] = None,
    labels: Annotated[
        Labels | None,
        typer.Option(
            "--labels",
            help="Report one picture under two labels, too: the files' folders, or the column label of the manifest.",
        ),
    ] = None,
    archives: o.ArchivesOption = False,
    store: o.StoreOption = None,
    form: Annotated[
        LeaksFormat | None, typer.Option("--format", help="Output format; terminal on a terminal, else jsonl.")
    ] = None,
    verify: o.VerifyOption = o.Verify.AUTO,
    radius: o.RadiusOption = None,
    cosine: o.CosineOption = None,
    candidates: o.CandidatesOption = 5,
    max_false_pairs: o.FalsePairsOption = 1.0,
    device: o.DeviceOption = o.Device.AUTO,
    weights: o.WeightsOption = None,
    fail_if_found: Annotated[bool, typer.Option("--fail-if-found", help="Exit with 3 when there is a leak.")] = False,
    strict: o.StrictOption = False,
    quiet: o.QuietOption = False,
) -> None:
    """Find pictures that stand in several sets of a collection, identical or edited. No picture is changed or moved."""
    from tbhdup import api

    if write_splits is not None:
        _check_splits(write_splits)
    settings = o.build(verify, radius, cosine, candidates, max_false_pairs, device, weights)
    with render.progress(quiet) as on_progress:
        found = api.leaks(
            sets,
            store=store,
            options=settings,
            on_progress=on_progress,
            priority=None if priority is None else priority.split(","),
            labels=None if labels is None else labels.value,
            archives=archives,
        )
    if write_splits is not None:
        _write_splits(found, write_splits)
    form = form or (LeaksFormat.TERMINAL if sys.stdout.isatty() else LeaksFormat.JSONL)
    if form is LeaksFormat.TERMINAL:
        _draw(found)
    else:
        for line in _json_lines(found) if form is LeaksFormat.JSONL else _csv_lines(found):
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    if fail_if_found and (found.leaks or found.labels):
        raise typer.Exit(Exit.FOUND)
    raise typer.Exit(Exit.SKIPPED if strict and found.report.skips else Exit.DONE)


def _check_splits(file: Path) -> None:
    """Before the long work."""
    from tbhdup.reports import splits

    if file.suffix not in splits.WRITERS:
        raise UsageError(f"{file}: the name of the splits must end in {' or '.join(splits.WRITERS)}")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"{file}: its folder does not exist")


def _write_splits(found: Leaks, file: Path) -> None:
    from tbhdup.reports import splits

    part = file.with_name(f"{file.name}.part")  # so that FILE is whole at any time
    try:
        with part.open("wb") as out:
            out.writelines(splits.WRITERS[file.suffix](found.splits))
        part.replace(file)
    except OSError as error:
        raise TbhdupError(f"the splits cannot be written to {file}: {error.strerror}") from error
    print(f"{file}: {len(found.splits)} files, {found.moved} of them in another set than now", file=sys.stderr)


def _all(found: Leaks) -> Iterator[tuple[str, Leak]]:
    """Every leak, and what it is between."""
    for between, each in (("sets", found.leaks), ("labels", found.labels)):
        for leak in each:
            yield between, leak


def _json_lines(found: Leaks) -> Iterator[bytes]:
    from tbhdup.reports import jsonl

    report = found.report
    yield jsonl.line(
        {
            "type": "header",
            "schema": jsonl.SCHEMA,
            "tbhdup": report.version,
            "model": report.model,
            "thresholds": asdict(report.thresholds),
            "sets": [{"set": name, **jsonl.path_fields(root)} for name, root in found.sets.items()],
        }
    )
    for between, leak in _all(found):
        yield jsonl.line(_leak_object(between, leak))
    for skip in report.skips:
        yield jsonl.line(jsonl.skip_object(skip))
    counts = {"leaks": len(found.leaks), "labels": len(found.labels), "leaking": found.leaking}
    yield jsonl.line({"type": "summary", **asdict(report.summary), **counts})


def _leak_object(between: str, leak: Leak) -> dict[str, Any]:
    from tbhdup.reports import jsonl

    files = [{"side": side, **jsonl.member_object(member)} for side, member in leak.files]
    for file in files:
        del file["keep"]  # of a leak every file may stay, in one set
    return {"type": "leak", "between": between, "kind": str(leak.kind), "sides": list(leak.sides), "files": files}


def _csv_lines(found: Leaks) -> Iterator[bytes]:
    from tbhdup.reports import csv

    yield csv.line(("leak", "between", "kind", "side", *csv.MEMBER))
    for number, (between, leak) in enumerate(_all(found), 1):
        for side, member in leak.files:
            yield csv.line((number, between, leak.kind, side, *csv.cells(member)))


def _draw(found: Leaks) -> None:
    console = terminal.Console(soft_wrap=True, highlight=False)
    for number, (between, leak) in enumerate(_all(found), 1):
        sides = " and ".join(_shown(side) for side in leak.sides)
        of = "labels " if between == "labels" else ""
        console.print(f"[bold]{number}[/]  {leak.kind}, {of}{sides}")
        width = max(len(_shown(side)) for side, _ in leak.files)
        for place, (side, m) in enumerate(leak.files):
            facts = f"[dim]{m.width} x {m.height}, {wording.size(m.size)}[/]"
            why = terminal.escape(m.relation) or ("" if place == 0 else f"cosine {m.cosine:.3f}")
            path = terminal.escape(render.printable(m.path))
            console.print(f"  [yellow]{_shown(side):<{width}}[/]  {path}  {facts}  [cyan]{why}[/]")
        console.print()
    for skip in found.report.skips:
        console.print(render.skipped(skip))
    also = f", {wording.counted(len(found.labels), 'picture')} under several labels" if found.labels else ""
    console.print(f"[bold]{wording.counted(len(found.leaks), 'leak')}[/] between the sets{also}")
    for name, count in found.leaking.items():
        console.print(f"  {_shown(name)}: {wording.counted(count, 'file')} in a leak")


def _shown(side: str) -> str:
    return terminal.escape(wording.visible(side))
