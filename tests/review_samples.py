"""Reports on small pictures that are really there, for the tests of the review page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from tbhdup import sources
from tbhdup.reports import jsonl
from tbhdup.values import Group, Kind, Member, Report, Summary, Thresholds


def picture(path: Path | bytes, number: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture of its own for every number; its path as bytes."""
    name = os.fsencode(path)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    image = Image.new("RGB", size, (number * 37 % 256, number * 91 % 256, number * 11 % 256))
    ImageDraw.Draw(image).rectangle((4, 4, 4 + number % 40, 20), "white")
    with open(name, "wb") as file:
        image.save(file, "PNG")
    return name


def member(path: bytes, relation: str = "", keep: bool = False) -> Member:
    with open(path, "rb") as file:
        data = file.read()
    decoded = sources.decode(data)
    return Member(
        path, sources.digest(data), decoded.width, decoded.height, len(data), 3, 0.9, relation, 0.95, keep
    )  # fmt: skip


def group(*paths: bytes, relation: str = "resized") -> Group:
    """The first is the centre and suggested to stay; those that follow are copies, or have its very bytes."""
    first = member(paths[0], keep=True)
    others = [member(path, relation) for path in paths[1:]]
    same = all(other.digest == first.digest for other in others)
    return Group(Kind.IDENTICAL if same else Kind.DUPLICATE, paths[0], (first, *others))


def report(groups: Sequence[Group]) -> Report:
    summary = Summary(files=sum(len(group.members) for group in groups), groups=len(groups), seconds={"match": 1.0})
    return Report("1.2", "model-7", Thresholds(27, 0.29, 5, "auto", 1.0), tuple(groups), (), summary)


def saved(report: Report, file: Path) -> Path:
    file.write_bytes(b"".join(jsonl.write(report)))
    return file
