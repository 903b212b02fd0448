"""The review page: every group to look at and to decide on, in a file of its own or behind `tbhdup review --serve`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tbhdup import wording
from tbhdup.reports import jsonl, pages
from tbhdup.reports.pages import Thumbnails
from tbhdup.values import Digest, Group, Report

Choices = Mapping[int, Sequence[bool]]
"""By the number of the group, from 0: for each member whether it stays. Groups without an entry are undecided."""

Maps = Mapping[tuple[Digest, Digest], Sequence[float]]
"""By the contents of centre and member: the 2 x 3 affine map from the one to the other, in units of their sides."""


def write(
    report: Report,
    choices: Choices,
    maps: Maps,
    *,
    apart: Sequence[int] = (),
    thumbnails: Thumbnails | None = None,
) -> Iterator[bytes]:
    """The page, piece by piece; thumbnails are asked for as they are written, and none is kept.

    The page draws its groups itself from data that stand before the thumbnails, so that it can be used before those
    are loaded. apart: numbers of pictures (from 0, over all groups) that are marked as no duplicates.
    thumbnails: None for the page of a server, which gives pictures by number and takes the choices.
    """
    first = [files[0] for group in report.groups for files in pages.contents(group)]
    shown = () if thumbnails is None else (pages.encoded(thumbnail) for thumbnail in thumbnails(first))
    data = {
        "served": thumbnails is None,
        "separator": os.sep,  # of folders in a path
        **_lines(report),
        "shown": [_shown(group, linked=thumbnails is not None) for group in report.groups],
        "maps": [_maps(group, maps) for group in report.groups],
        "choices": sorted((number, list(stay)) for number, stay in choices.items()),
        "apart": list(apart),
    }
    page = pages.template("review.html.jinja").generate(report=report, data=data, thumbnails=shown)
    for piece in page:
        yield piece.encode("utf-8")


def _lines(report: Report) -> dict[str, Any]:
    """What the lines of the report hold, as the page gives them back."""
    header, summary = jsonl.header_object(report), jsonl.summary_object(report)
    return {"header": header, "summary": summary, "groups": [jsonl.group_object(group) for group in report.groups]}


def _shown(group: Group, linked: bool) -> list[tuple[str | None, str | None]]:
    """For each member its path as people read it, None where that is the path itself, and its address."""
    found = []
    for member in group.members:
        name = wording.name(member.path)
        plain = name.encode() == member.path
        found.append((None if plain else name, pages.link(member.path) if linked else None))
    return found


def _maps(group: Group, maps: Maps) -> list[list[float] | None]:
    """For each picture of a group the map from the centre's, where it is known."""
    pictures = [files[0].digest for files in pages.contents(group)]
    centre = next(member.digest for member in group.members if member.path == group.centre)
    return [[round(x, 5) for x in maps[centre, digest]] if (centre, digest) in maps else None for digest in pictures]
