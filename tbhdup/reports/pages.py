"""What the HTML pages have in common: their templates, and the pictures of a group."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tbhdup import wording
from tbhdup.values import Group, Member

if TYPE_CHECKING:
    from jinja2 import Template

Thumbnails = Callable[[Sequence[Member]], Iterable[bytes | None]]
"""For each member, in order, a small WebP of its picture, or None where its file does not show that any more."""


def contents(group: Group) -> list[list[Member]]:
    """The files of a group by their bytes: each list is one picture."""
    return [list(files) for _, files in groupby(group.members, key=lambda member: member.digest)]


def encoded(thumbnail: bytes | None) -> str | None:
    """A thumbnail as pages carry it: base64."""
    return None if thumbnail is None else base64.b64encode(thumbnail).decode("ascii")


def link(path: bytes) -> str:
    """The address of a file."""
    return Path(os.fsdecode(path)).as_uri()


@cache
def template(name: str) -> Template:
    """A page of this folder, autoescaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # here, so that the other formats need not wait

    environment = Environment(
        loader=PackageLoader("tbhdup.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {
        "counted": wording.counted,
        "hash": _hash,
        "link": link,
        "name": wording.name,
        "parts": _parts,
        "size": wording.size,
        "visible": wording.visible,
    }
    return environment.get_template(name)


def _parts(path: bytes) -> tuple[str, str]:
    """The folder with its separator, and the name in it, as text."""
    file = os.path.basename(path)  # noqa: PTH119 - bytes, which pathlib does not take
    return wording.name(path[: len(path) - len(file)]), wording.name(file)


def _hash(script: str) -> str:
    """What a page's security policy calls a script by."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
