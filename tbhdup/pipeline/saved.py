"""What is done with a whole report: read it back, filter it, drop what has changed since, choose what is kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from tbhdup import sources
from tbhdup.actions import Folders, Rules, under, waste, with_keep
from tbhdup.errors import UsageError
from tbhdup.reports import jsonl
from tbhdup.values import Digest, Group, Kind, Member, OnProgress, Progress, Reason, Report, Skip, quiet


@dataclass(frozen=True, slots=True)
class Filter:
    """Which groups: those of a kind that have one file to which all the rest applies. None: anything."""

    kind: Kind | None = None
    under: bytes | None = None  # an absolute folder
    relation: str | None = None  # one word of it: "cropped"
    min_size: int = 0  # bytes

    def __call__(self, group: Group) -> bool:
        return self.kind in (None, group.kind) and any(map(self._fits, group.members))

    def _fits(self, member: Member) -> bool:
        return (
            (self.under is None or under(member.path, self.under))
            and (self.relation is None or self.relation in member.relation.split(", "))
            and member.size >= self.min_size
        )


def load(path: Path) -> Report:
    """A report from a file of JSON Lines. Raises UsageError where it cannot be opened, ReportError."""
    try:
        with path.open("rb") as file:
            return jsonl.read(file)
    except OSError as error:
        raise UsageError(f"cannot read the report {path}: {error.strerror}") from error


def select(report: Report, wanted: Filter) -> Report:
    """The report with some of its groups."""
    return report if wanted == Filter() else with_groups(report, filter(wanted, report.groups))


def holding(report: Report, paths: Iterable[bytes]) -> Report:
    """The report with the groups that hold one of these files, or one that lies in one of these folders or archives."""
    wanted = {os.path.realpath(path) for path in paths}

    def is_wanted(path: bytes) -> bool:
        path = os.path.realpath(path)
        while path not in wanted and path != os.path.dirname(path):
            path = os.path.dirname(path)
        return path in wanted

    return with_groups(report, (group for group in report.groups if any(is_wanted(m.path) for m in group.members)))


def heeding(report: Report, apart: Set[tuple[Digest, Digest]]) -> Report:
    """The report without the members that someone has set apart from their centre, or from a member before them."""
    groups = []
    for group in report.groups:
        stay: list[Member] = []
        for member in group.members:  # the centre is the first
            if not any((min(m.digest, member.digest), max(m.digest, member.digest)) in apart for m in stay):
                stay.append(member)
        groups += _regrouped(group, stay) if len(stay) < len(group.members) else [group]
    return with_groups(report, groups)


def unchanged(report: Report, on_progress: OnProgress = quiet) -> tuple[Report, tuple[Skip, ...]]:
    """The report with the files that still hold what it says, and the others with a reason. Reads every file.

    A centre that is gone leaves those of its members together that hold the same bytes. No group has only one file.
    """
    gone: list[Skip] = []
    groups: list[Group] = []
    total = sum(len(group.members) for group in report.groups)
    done = 0
    for group in report.groups:
        found = [_change(member) for member in group.members]
        gone += [skip for skip in found if skip is not None]
        groups += _regrouped(group, [m for m, skip in zip(group.members, found, strict=True) if skip is None])
        done += len(found)
        on_progress(Progress("check", done, total, "files"))
    return with_groups(report, groups), tuple(gone)


def marked(report: Report, rules: Rules) -> Report:
    """The report with the files to keep chosen by these rules. A file that is gone counts as the oldest."""
    folders = Folders()
    return with_groups(report, (with_keep(group, rules, folders) for group in report.groups))


def _change(member: Member) -> Skip | None:
    """What has become of a file since the report, if anything."""
    try:
        data = sources.read(member.path)
    except sources.Unusable as why:
        return Skip(member.path, why.reason, why.detail)
    if sources.digest(data) == member.digest:
        return None
    return Skip(member.path, Reason.CHANGED, f"{len(data)} bytes, {member.size} when it was reported")


def _regrouped(group: Group, members: Sequence[Member]) -> list[Group]:
    """What remains of a group: every member matches its centre directly."""
    centre = next(member for member in group.members if member.path == group.centre)
    heirs = [member for member in members if member.digest == centre.digest]
    if heirs:
        first = next((member for member in heirs if member.path == group.centre), heirs[0])
        parts = [[first, *(member for member in members if member is not first)]]
    else:
        parts = [[m for m in members if m.digest == digest] for digest in dict.fromkeys(m.digest for m in members)]
    return [_regroup(group, part) for part in parts if len(part) > 1]


def _regroup(group: Group, part: Sequence[Member]) -> Group:
    """A group of its own whose centre is the first of these members."""
    centre = part[0]
    members = tuple(
        replace(m, distance=0, cosine=1.0, confidence=1.0, relation="" if m is centre else "identical bytes")
        if m.digest == centre.digest
        else m
        for m in part
    )
    made = Group(group.kind if {m.digest for m in part} != {centre.digest} else Kind.IDENTICAL, centre.path, members)
    return made if any(member.keep for member in part) else with_keep(made, Rules())


def with_groups(report: Report, groups: Iterable[Group]) -> Report:
    """The report with other groups, and its counts of them."""
    groups = tuple(groups)
    number, size = waste(groups)
    summary = replace(report.summary, groups=len(groups), duplicates=number, duplicate_bytes=size)
    return replace(report, groups=groups, summary=summary)
