"""tbhdup similar."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tbhdup.cli import options as o
from tbhdup.cli import render, terminal


def similar(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures to look for.")],
    store: o.StoreOption = None,
    radius: o.RadiusOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many files an image.")] = 10,
    verify: o.VerifyOption = o.Verify.AUTO,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    device: o.DeviceOption = o.Device.AUTO,
    weights: o.WeightsOption = None,
) -> None:
    """Show the scanned files that look like IMAGE. With --radius: all within that Hamming distance."""
    from tbhdup import api
    from tbhdup.reports import jsonl

    settings = o.build(verify, radius, None, 5, 1.0, device, weights)
    found = api.similar(images, store=store, options=settings, limit=limit)
    console = terminal.Console(soft_wrap=True, highlight=False)
    for image, hits in zip(images, found, strict=True):
        if not json_lines:
            name = terminal.escape(render.printable(os.fsencode(image)))
            console.print(f"[bold]{name}[/]" + ("" if hits else "  nothing like it"))
        for hit in hits:
            if json_lines:
                sys.stdout.buffer.write(
                    jsonl.line(
                        {
                            **jsonl.path_fields(hit.query, "query"),
                            **jsonl.path_fields(hit.path),
                            "digest": hit.digest.hex(),
                            "kind": hit.kind,
                            "distance": hit.distance,
                            "cosine": hit.cosine,
                            "relation": hit.relation,
                            "confidence": hit.confidence,
                        }
                    )
                )
            else:
                facts = f"{hit.kind}, {hit.distance} bits, cosine {hit.cosine:.3f}"
                path, relation = map(terminal.escape, (render.printable(hit.path), hit.relation))
                console.print(f"  {path}  [dim]{facts}[/]  [cyan]{relation}[/]")
    sys.stdout.flush()
