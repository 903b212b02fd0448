"""tbhdup evaluate copies, and tbhdup evaluate retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.cli import render, terminal
from tbhdup.values import CODE_BITS

if TYPE_CHECKING:
    from tbhdup.evaluation.copies import Copies
    from tbhdup.evaluation.groups import EndToEnd
    from tbhdup.evaluation.retrieval.collections import Collection
    from tbhdup.evaluation.retrieval.table import Cell, Features

app = typer.Typer(help="Measure the weights and the scan on files of known origin.", no_args_is_help=True)


@app.command()
def copies(
    truth: Annotated[Path, typer.Argument(metavar="TRUTH.csv", help="What each file was made from, and how.")],
    groups: Annotated[
        Path | None, typer.Option("--groups", metavar="REPORT.jsonl", help="A scan's report: judge its groups, too.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for copies.csv, copies.json and copies.png (extra `plot`).")
    ] = None,
    device: o.DeviceOption = o.Device.AUTO,
    weights: o.WeightsOption = None,
    quiet: o.QuietOption = False,
) -> None:
    """Recall of edited copies at measured false-match rates, by edit.

    TRUTH.csv has the columns path, source, edit, parameters; paths start from the folder `files` beside it, or its own.

    The edit is `original`, `distractor` (no other file has its source), or says how the copy was made.
    """
    from tbhdup.evaluation import files, plot
    from tbhdup.evaluation.copies import evaluate
    from tbhdup.evaluation.groups import judge
    from tbhdup.evaluation.truth import read_truth

    if out is not None:
        plot.find_library()  # before the long work
        out.mkdir(parents=True, exist_ok=True)
    known = read_truth(truth)
    ends = None if groups is None else judge(known, groups)
    with render.progress(quiet) as on_progress:
        found = evaluate(known, weights, device.value, on_progress)
    _draw(found, ends)
    if out is not None:
        files.write_table(out / "copies.csv", found, ends)
        files.write_figures(out / "copies.json", found, ends)
        plot.draw(out / "copies.png", found, ends)


class Objective(StrEnum):
    """What the methods learn from."""

    FEATURES = "features"
    RETRIEVAL = "retrieval"


@app.command()
def retrieval(
    data: Annotated[
        Path,
        typer.Option("--data", help="CIFAR-10 as published, .npz, a folder a class, or COCO's layout (see README)."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the results; what is done there is not done again.")],
    bits: Annotated[str, typer.Option("--bits", help="Numbers of bits, at most 64, with commas.")] = "16,32,64",
    methods: Annotated[str, typer.Option("--methods", help="all, or names with commas.")] = "all",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each method.")] = 3,
    objective: Annotated[
        Objective,
        typer.Option("--objective", help="retrieval: also the methods that learn from augmented views, no labels."),
    ] = Objective.FEATURES,
    quick: Annotated[bool, typer.Option("--quick", help="A part of the pictures, and few steps.")] = False,
    device: o.DeviceOption = o.Device.AUTO,
    quiet: o.QuietOption = False,
) -> None:
    """Retrieval by class: TBH-VAE against TBH and other hashes on the same features (extra `retrieval`).

    Writes results.csv, precision_recall.png and retrieval_examples.png, and prints the table beside the published one.
    """
    from tbhdup.evaluation import plot
    from tbhdup.evaluation.retrieval import collections, table

    chosen, sizes = table.choose(methods, objective.value), table.parse_bits(bits)
    plot.find_library()  # before the long work
    table.find_library()
    out.mkdir(parents=True, exist_ok=True)
    collection = collections.load(data)
    story = terminal.Console(stderr=True, highlight=False, quiet=quiet)
    if collection.skipped:
        story.print(f"[yellow]skipped[/] {collection.skipped} files that are no pictures")
    with render.progress(quiet) as on_progress:
        collection, features = table.prepare(collection, objective.value, quick, out, device.value, on_progress)
    done: list[Cell] = []
    for cell, known in table.cells(collection, features, chosen, sizes, seeds, out):
        done.append(cell)
        if not known:
            story.print(f"{cell.method}  {cell.bits} bits  seed {cell.seed}  mAP {cell.scores.map_hits:.4f}")
            table.write_results(out / "results.csv", done, features.conditions)
    _finish(collection, features, done, out)


def _finish(collection: Collection, features: Features, done: Sequence[Cell], out: Path) -> None:
    from tbhdup.evaluation.retrieval import drawing, table

    table.write_results(out / "results.csv", done, features.conditions)
    drawing.precision_recall(out / "precision_recall.png", done)
    codes = table.kept_codes(done, out)
    if codes:
        drawing.retrieval_examples(out / "retrieval_examples.png", collection, codes)
    c = features.conditions
    console = terminal.Console(highlight=False)
    console.print(
        f"{c.layout}: {c.queries} queries against {c.database}, trunk at {c.side} px, {100 * c.variance:.0f} % of the "
        f"features' variance{'' if c.effort == 1 else ', quick run: no figures to quote'}"
    )
    console.print(_retrieval_table(done))


def _retrieval_table(done: Sequence[Cell]) -> terminal.Table:
    """Ours and the published figures: a row a method, mAP@1000 by hits with the seeds' deviation."""
    from tbhdup.evaluation.retrieval.published import BITS, PUBLISHED, QUOTED
    from tbhdup.evaluation.retrieval.table import METHODS, means

    found = means(done)
    sizes = sorted({bits for _, bits in found})
    table = _table("mAP@1000", *(f"{bits}" for bits in sizes), *(f"slides\n{bits}" for bits in BITS), gap=1)
    ran = [(name, METHODS[name].title) for name in METHODS if any(name == method for method, _ in found)]
    for name, title in [*ran, *((None, title) for title in QUOTED)]:
        own = [found.get((name, bits)) if name else None for bits in sizes]
        slides = PUBLISHED.get(title)
        table.add_row(
            title if name else f"{title} (quoted)",
            *("" if mean is None else f"{mean.value:.3f} ±{mean.spread:.3f}".replace("±0", "±") for mean in own),
            *(("",) * len(BITS) if slides is None else (f"{value:.3f}" for value in slides)),
        )
    table.caption = "mean and deviation over the seeds; the slides' features are others, so only orders compare"
    table.caption_justify = "left"
    return table


def _draw(found: Copies, ends: EndToEnd | None) -> None:
    console = terminal.Console(highlight=False)
    complaints = terminal.Console(stderr=True, soft_wrap=True, highlight=False)
    for skip in found.skips:
        complaints.print(render.skipped(skip))
    console.print(
        f"[bold]{found.model}[/]: {found.copies} edited copies, {found.pictures} pictures in {found.files} files\n"
        f"{found.strangers} pairs of strangers, {found.family} pairs of one family"
    )
    for table in (_rules(found), _edits(found, ends), _bits(found), _tail(found)):
        console.print(table)
    if ends is not None:
        console.print(
            f"groups: recall {ends.recall:.3f}, {ends.false_pairs} false pairs, precision {ends.precision:.4f}\n"
            f"{ends.groups} groups, {ends.unknown} of their members are not in the table"
        )


def _rules(found: Copies) -> terminal.Table:
    from tbhdup.calibration import COUNTED

    table = _table("rule", "rate asked", "bits", "cosine", "strangers", "rate", "family", "recall")
    for f in found.figures:
        nothing = f.radius < 0 or f.cosine > 1
        few = f.asked is not None and f.asked * found.strangers < COUNTED
        table.add_row(
            f.measure,
            _power(f.asked),
            "none" if nothing else "any" if f.radius == CODE_BITS else f"{f.radius}",
            "none" if nothing else "any" if f.cosine == -1 else f"{f.cosine:.4f}",
            f"{f.strangers}" + ("?" if few else " "),
            f"{f.rate:.1e}",
            f"{f.family}",
            f"{f.recall:.3f}",
        )
    table.caption = f"strangers, family: pairs that pass; ?: fewer than {COUNTED} allowed, so chance"
    table.caption_justify = "left"
    return table


def _edits(found: Copies, ends: EndToEnd | None) -> terminal.Table:
    """Recall in per cent: a row an edit, a column a rule."""
    from tbhdup.evaluation.copies import RATES

    shown = [figure for figure in found.figures if figure.measure in ("code", "latent", "scan")]
    names = [f"{'' if f.asked in RATES[1:] else f.measure}\n{_power(f.asked)}" for f in shown]
    table = _table("recall, %", "of", *names, *(["groups"] if ends else []), gap=1)
    rows = [("all", found.copies, [f.recall for f in shown] + ([ends.recall] if ends else []))]
    for edit, count in found.edits.items():
        rows.append((edit, count, [f.by_edit[edit] for f in shown] + ([ends.by_edit[edit]] if ends else [])))
    for edit, count, recalls in rows:
        table.add_row(edit, f"{count}", *(f"{100 * recall:.0f}" for recall in recalls))
    return table


def _bits(found: Copies) -> terminal.Table:
    table = _table("bits", *(name.replace("_", "\n") for name in found.bits))
    table.add_row(
        "", *(f"{value:.0f}" if value >= 1 or value == 0 else f"{value:.3f}" for value in found.bits.values())
    )
    return table


def _tail(found: Copies) -> terminal.Table:
    shown = range(0, len(found.tail), 2)
    table = _table("within", *(f"{radius}" for radius in shown), gap=1)
    table.add_row("rate", *(f"{found.tail[radius]:.1e}".replace("e-0", "e-") for radius in shown))
    return table


def _table(first: str, *others: str, gap: int = 2) -> terminal.Table:
    table = terminal.Table(box=terminal.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _power(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.0e}".replace("e-0", "e-")
