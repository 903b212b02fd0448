"""HTML: one page that needs nothing else, with a thumbnail of every picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tbhdup.reports import pages
from tbhdup.reports.pages import Thumbnails
from tbhdup.values import Group, Member, Report


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
    sections = _sections(report, thumbnails)
    page = pages.template("page.html.jinja").generate(report=report, roots=roots, sections=sections)
    for piece in page:
        yield piece.encode("utf-8")


def _sections(report: Report, thumbnails: Thumbnails | None) -> Iterator[_Section]:
    contents = [pages.contents(group) for group in report.groups]
    first = [files[0] for group in contents for files in group]
    shown = iter(thumbnails(first)) if thumbnails else iter([None] * len(first))
    for number, (group, content) in enumerate(zip(report.groups, contents, strict=True), 1):
        spare = sum(member.size for member in group.members if not member.keep)
        yield _Section(number, group, spare, [_Picture(pages.encoded(next(shown)), files) for files in content])
