"""A report on the terminal, or as bytes for scripts; progress on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tbhdup import wording
from tbhdup.cli import terminal
from tbhdup.cli.options import Format
from tbhdup.errors import Exit
from tbhdup.values import Group, OnProgress, Report, Skip
from tbhdup.values import Progress as Step

STAGES = {
    "list": "Listing",
    "encode": "Encoding",
    "search": "Searching",
    "prove": "Proving",
    "draw": "Drawing",
    "check": "Checking",
    "apply": "Applying",
    "undo": "Undoing",
}


@contextmanager
def progress(quiet: bool) -> Iterator[OnProgress]:
    """A callback that draws bars with rate and time left on stderr; on no terminal it draws nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda step: None
        return
    console = terminal.Console(stderr=True)
    columns = (
        terminal.TextColumn("{task.description:<10}"),
        terminal.BarColumn(),
        terminal.TextColumn("{task.completed}/{task.fields[of]} {task.fields[unit]}"),
        terminal.TextColumn("{task.fields[rate]}"),
        terminal.TimeRemainingColumn(),
    )
    with terminal.Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, tuple[terminal.TaskID, float]] = {}

        def on_progress(step: Step) -> None:
            if step.stage not in tasks:
                task = bars.add_task(STAGES[step.stage], total=None, of="?", unit=step.unit, rate="")
                tasks[step.stage] = (task, time.monotonic())
            task, start = tasks[step.stage]
            rate = step.done / max(time.monotonic() - start, 1e-3)
            of = "?" if step.total is None else step.total
            bars.update(task, completed=step.done, total=step.total, of=of, rate=f"{rate:.0f} {step.unit}/s")

        yield on_progress


def show(report: Report, form: Format | None, null: bool, roots: Sequence[Path], quiet: bool) -> None:
    """Write the report on the roots (none: on everything) to stdout."""
    if form is None:
        form = Format.TERMINAL if sys.stdout.isatty() else Format.JSONL
    if form is Format.TERMINAL:
        _draw(report)
        return
    from tbhdup import reports

    if form is Format.HTML:
        _show_page(report, roots, quiet)
        return
    write = reports.writer(form)
    _put(write(report, b"\0" if null else b"\n") if form in (Format.PATHS, Format.KEEP) else write(report))


def _show_page(report: Report, roots: Sequence[Path], quiet: bool) -> None:
    from tbhdup.pipeline.thumbnails import thumbnails
    from tbhdup.reports import html

    absolute = [os.path.abspath(os.fsencode(root)) for root in roots]
    with progress(quiet) as on_progress:
        _put(html.write(report, absolute, partial(thumbnails, on_progress=on_progress)))


def _put(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def warn(files: Iterable[tuple[bytes, str]]) -> None:
    """Say on stderr of each file why it is left out."""
    for path, reason in files:
        print(f"left out {printable(path)}: {wording.visible(reason.strip())}", file=sys.stderr)


def status(report: Report, fail_if_found: bool, strict: bool) -> Exit:
    """The exit status that a report deserves."""
    if fail_if_found and report.groups:
        return Exit.FOUND
    return Exit.SKIPPED if strict and report.skips else Exit.DONE


def printable(path: bytes) -> str:
    """A path for people: relative where that is shorter, odd bytes and control characters made visible."""
    return wording.name(min((os.path.relpath(path), path), key=len))


def skipped(skip: Skip) -> str:
    """One line, in rich's markup, on a file that was left out."""
    path, detail = map(terminal.escape, (printable(skip.path), skip.detail))
    return f"[yellow]skipped[/] {path}  [dim]{skip.reason}: {detail}[/]"


def _draw(report: Report) -> None:
    console = terminal.Console(soft_wrap=True, highlight=False)
    for number, group in enumerate(report.groups, 1):
        _draw_group(console, number, group)
    for skip in report.skips:
        console.print(skipped(skip))
    _draw_summary(console, report)


def _draw_group(console: terminal.Console, number: int, group: Group) -> None:
    console.print(f"[bold]{number}[/]  {group.kind}, {len(group.members)} files")
    for m in group.members:
        mark = "[green]keep[/]" if m.keep else "    "
        facts = f"{m.width} x {m.height}, {wording.size(m.size)}"
        why = terminal.escape(m.relation) or ("centre" if m.path == group.centre else f"cosine {m.cosine:.3f}")
        console.print(f"  {mark}  {terminal.escape(printable(m.path))}  [dim]{facts}[/]  [cyan]{why}[/]")
    console.print()


def _draw_summary(console: terminal.Console, report: Report) -> None:
    s, t = report.summary, report.thresholds
    console.print(
        f"[bold]{s.groups} groups[/], {s.duplicates} files more than needed ({wording.size(s.duplicate_bytes)}), "
        f"among {s.files} files; {s.skipped} skipped"
    )
    console.print(
        f"[dim]{s.known} known, {s.read} read, {s.decoded} decoded, {s.encoded} encoded; {s.candidates} candidates, "
        f"{s.proven} proven, {s.recalled} recalled; {sum(s.seconds.values()):.1f} s[/]"
    )
    console.print(f"[dim]{report.model}, radius {t.radius}, cosine {t.cosine:.2f}, verify {t.verify}[/]")
