"""HTML: one page that needs nothing else, with a thumbnail of every picture."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tbhdup import wording
from tbhdup.values import Group, Member, Report

if TYPE_CHECKING:
    from jinja2 import Template

Thumbnails = Callable[[Sequence[Member]], Iterable[bytes | None]]
"""For each member, in order, a small WebP of its picture, or None where its file does not show that any more."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """One content of a group: a thumbnail, and the files that have these very bytes."""

    thumbnail: str | None  # base64
    files: list[Member]


@dataclass(frozen=True, slots=True)
class _Section:
    """One group as the page shows it."""

    number: int
    group: Group
    spare: int  # bytes of the files that could go
    pictures: list[_Picture]


def write(report: Report, roots: Sequence[bytes] = (), thumbnails: Thumbnails | None = None) -> Iterator[bytes]:
    """The page, piece by piece; thumbnails are asked for as the groups come, and none is kept.

    roots: what was looked through, absolute paths; none: everything that earlier scans had seen.
    """
    page = _template().generate(report=report, roots=roots, sections=_sections(report, thumbnails))
    for piece in page:
        yield piece.encode("utf-8")


def _sections(report: Report, thumbnails: Thumbnails | None) -> Iterator[_Section]:
    contents = [_contents(group) for group in report.groups]
    first = [files[0] for group in contents for files in group]
    shown = iter(thumbnails(first)) if thumbnails else iter([None] * len(first))
    for number, (group, content) in enumerate(zip(report.groups, contents, strict=True), 1):
        spare = sum(member.size for member in group.members if not member.keep)
        yield _Section(number, group, spare, [_Picture(_encoded(next(shown)), files) for files in content])


def _contents(group: Group) -> list[list[Member]]:
    return [list(files) for _, files in groupby(group.members, key=lambda member: member.digest)]


def _encoded(thumbnail: bytes | None) -> str | None:
    return None if thumbnail is None else base64.b64encode(thumbnail).decode("ascii")


def _link(path: bytes) -> str:
    return Path(os.fsdecode(path)).as_uri()


def _parts(path: bytes) -> tuple[str, str]:
    """The folder with its separator, and the name in it, as text."""
    file = os.path.basename(path)  # noqa: PTH119 - bytes, which pathlib does not take
    return wording.name(path[: len(path) - len(file)]), wording.name(file)


def _hash(script: str) -> str:
    """What the page's security policy calls a script by."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # here, so that the other formats need not wait

    environment = Environment(
        loader=PackageLoader("tbhdup.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "counted": wording.counted,
        "hash": _hash,
        "link": _link,
        "name": wording.name,
        "parts": _parts,
        "size": wording.size,
        "visible": wording.visible,
    }
    return environment.get_template("page.html.jinja")
