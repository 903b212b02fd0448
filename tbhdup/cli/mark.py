"""tbhdup mark, tbhdup marks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tbhdup import wording
from tbhdup.cli import options as o
from tbhdup.cli import render, terminal
from tbhdup.errors import TbhdupError, UsageError


def mark(
    a: Annotated[Path, typer.Argument(help="A picture.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    not_duplicate: Annotated[
        bool, typer.Option("--not-duplicate", help="Never report these two as copies of one picture.")
    ] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take that back.")] = False,
    store: o.StoreOption = None,
) -> None:
    """Remember that A and B are no duplicates, whatever a scan says: by their contents, wherever they are moved."""
    from tbhdup import api

    if not_duplicate is revoke:
        raise UsageError("say what to do with the two: --not-duplicate, or --revoke")
    changed = api.mark(a, b, revoke=revoke, store=store)
    if revoke and not changed:
        raise TbhdupError("the two are not marked: `tbhdup marks` lists those that are")
    typer.echo("mark taken back" if revoke else "marked as no duplicates" if changed else "already marked so")


def marks(
    store: o.StoreOption = None,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the pairs that are marked as no duplicates, with the files that earlier scans have seen of each."""
    from tbhdup import api
    from tbhdup.reports import jsonl

    console = terminal.Console(soft_wrap=True, highlight=False)
    for number, marked in enumerate(api.marked(store=store), 1):
        sides = list(zip(marked.digests, marked.paths, strict=True))
        if json_lines:
            contents = [
                {"digest": digest.hex(), "files": [jsonl.path_fields(path) for path in paths]}
                for digest, paths in sides
            ]
            sys.stdout.buffer.write(
                jsonl.line({"mark": "not-duplicate", "time": marked.time, "a": contents[0], "b": contents[1]})
            )
            continue
        console.print(f"[bold]{number}[/]  not duplicates  [dim]{terminal.escape(wording.visible(marked.time))}[/]")
        for side, (digest, paths) in zip("AB", sides, strict=True):
            for path in paths:
                console.print(f"  {side}  {terminal.escape(render.printable(path))}")
            if not paths:
                console.print(f"  {side}  [dim]content {digest.hex()}, not in the store[/]")
    sys.stdout.flush()
