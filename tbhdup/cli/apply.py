"""tbhdup apply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tbhdup import wording
from tbhdup.cli import options as o
from tbhdup.cli import render
from tbhdup.errors import Exit

if TYPE_CHECKING:
    from tbhdup.actions import Plan


def apply(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="What scan or report wrote with --format jsonl.")],
    action: Annotated[o.Action, typer.Option("--action", help="What happens to the files that can go.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where --action move puts them.")] = None,
    kind: Annotated[
        o.Kind, typer.Option("--kind", help="identical: same bytes only; duplicate: proven copies as well.")
    ] = o.Kind.IDENTICAL,
    keep: o.KeepOption = None,
    prefer: o.PreferOption = None,
    reference: o.ReferenceOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; otherwise the plan is shown.")] = False,
    store: o.StoreOption = None,
    quiet: o.QuietOption = False,
) -> None:
    """Show what would be done about the files of a report, and with --yes do it; tbhdup undo takes it back.

    The file that the report marks to keep stays, unless --keep, --prefer or --reference says otherwise. Exits with 1
    when a file was not as planned; such files are left alone.
    """
    from tbhdup import actions
    from tbhdup.actions.apply import apply as carry_out
    from tbhdup.pipeline import saved
    from tbhdup.values import Kind

    chosen = prefer or reference
    rules = o.rules(keep, prefer, reference, None if chosen else (actions.Rule.MARKED, *actions.DEFAULT))
    target = o.absolute([to])[0] if to else None
    found = saved.heeding(saved.load(report), o.marks(store))
    plan = actions.make(found, actions.Action(action.value), kind=Kind(kind.value), rules=rules, to=target)
    _show(plan)
    if not (yes and plan.steps):
        typer.echo("Nothing has been done." if yes else "Nothing has been done: this is what --yes would do.")
        return
    journal, spare = o.journal(store)
    with actions.Journal(journal) as opened, render.progress(quiet) as on_progress:
        outcome = carry_out(plan, opened, spare, on_progress)
    render.warn((left.path, left.reason) for left in outcome.refused)
    typer.echo(f"{wording.counted(len(outcome.done), 'file')} done. Take it back with: tbhdup undo {outcome.run}")
    if outcome.refused:
        raise typer.Exit(Exit.FAILED)


def _show(plan: Plan) -> None:
    kept = None
    for step in plan.steps:
        if step.kept != kept:
            kept = step.kept
            typer.echo(f"keep      {render.printable(kept)}")
        to = f" -> {render.printable(step.target)}" if step.target else ""
        typer.echo(
            f"{step.action:<8}    {render.printable(step.source)}{to}  {step.relation}, {wording.size(step.facts.size)}"
        )
    for left in plan.left:
        typer.echo(f"leave     {render.printable(left.path)}  {left.reason}")
    files = wording.counted(len(plan.steps), "file")
    typer.echo(f"{files} to {plan.action}, {wording.size(plan.bytes)} on disk that the kept files make unnecessary")
