"""A person's choices on the groups of a report: shown on a page, kept in a file that is itself a report for `apply`."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np

from tbhdup import marks, verify
from tbhdup.errors import TbhdupError, UsageError
from tbhdup.pipeline import saved
from tbhdup.pipeline.confirm import precedence
from tbhdup.pipeline.thumbnails import thumbnails
from tbhdup.reports import jsonl, pages, review
from tbhdup.store import Store
from tbhdup.values import Digest, Group, Member, OnProgress, Relation, Report, quiet


@dataclass(slots=True)
class Review:
    """A report, and what has been chosen on it. Its methods can be called from several threads.

    report      the groups as the page numbers them, from 0
    pictures    the contents of all groups, numbered from 0, each by its first file
    file        the choices: JSON Lines, schema 1, whole at any time. A group that is in it is decided, and those of its
                files that are not marked to keep may go. Groups of files that the report does not name are handed on
    choices     by group, for each member whether it stays
    store       whose marks are read and written
    """

    report: Report
    pictures: tuple[Member, ...]
    file: Path
    choices: dict[int, tuple[bool, ...]]
    store: Path
    _others: tuple[Group, ...]  # of the file, and not of the report
    _starts: tuple[int, ...]  # the first picture of each group, and the number of all
    _maps: review.Maps
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def open(cls, report: Report, file: Path, store: Path) -> Review:
        """Begin, or go on with the choices in a file.

        Raises UsageError where the file cannot be, ReportError when it holds anything else, StoreError for the marks.
        """
        if not file.absolute().parent.is_dir():
            raise UsageError(f"{file}: its folder does not exist")
        apart = marks.pairs(store)
        report = saved.heeding(report, apart)
        before = saved.heeding(saved.load(file), apart).groups if file.exists() else ()
        choices, others = _restored(report, before)
        contents = [pages.contents(group) for group in report.groups]
        starts = np.cumsum([0, *map(len, contents)]).tolist()
        pictures = tuple(files[0] for group in contents for files in group)
        return cls(report, pictures, file, choices, store, others, tuple(starts), _maps(report, store))

    def choose(self, choices: Mapping[int, Sequence[bool] | None]) -> None:
        """Decide on groups, or with None leave them open again; on disk when it returns.

        Raises ValueError for a group that is not there, for another number of files, and where no file would stay;
        TbhdupError when the file cannot be written.
        """
        for number, stay in choices.items():
            if not 0 <= number < len(self.report.groups):
                raise ValueError(f"there is no group {number}")
            if stay is not None and (len(stay) != len(self.report.groups[number].members) or not any(stay)):
                raise ValueError(f"no choice for group {number}: {stay}")
        with self._lock:
            merged = {**self.choices, **choices}
            chosen = {number: tuple(stay) for number, stay in sorted(merged.items()) if stay is not None}
            decided = [_with_choice(self.report.groups[number], stay) for number, stay in chosen.items()]
            plan = saved.with_groups(replace(self.report, skips=()), (*self._others, *decided))
            write_whole(self.file, jsonl.write(plan))
            self.choices = chosen

    def set_apart(self, picture: int, revoke: bool = False) -> list[int]:
        """Mark a picture as no duplicate of any other in its group, or take that back; which of them are so now.

        Raises ValueError for a picture that is not there or alone, StoreError when it cannot be kept.
        """
        pictures = self._beside(picture)
        others = [other for other in pictures if other != picture]
        if not others:
            raise ValueError(f"picture {picture} is alone in its group")
        with self._lock:
            for other in others:
                marks.put(self.store, self.pictures[picture].digest, self.pictures[other].digest, revoke=revoke)
        return self._apart(pictures, marks.pairs(self.store))

    def page(self) -> Iterator[bytes]:
        """The page of a server, as things stand."""
        pairs = marks.pairs(self.store)
        apart = [p for start in self._starts[:-1] for p in self._apart(self._beside(start), pairs)] if pairs else []
        return review.write(self.report, self.choices, self._maps, apart=apart)

    def file_page(self, on_progress: OnProgress = quiet) -> Iterator[bytes]:
        """The page that needs no server: it holds a thumbnail of every picture."""
        drawn = partial(thumbnails, on_progress=on_progress)
        return review.write(self.report, self.choices, self._maps, thumbnails=drawn)

    def _beside(self, picture: int) -> range:
        """The pictures of its group."""
        if not 0 <= picture < len(self.pictures):
            raise ValueError(f"there is no picture {picture}")
        group = bisect_right(self._starts, picture) - 1
        return range(self._starts[group], self._starts[group + 1])

    def _apart(self, pictures: range, pairs: frozenset[marks.Pair]) -> list[int]:
        """Those that are marked as no duplicates of all others."""
        digest = {picture: self.pictures[picture].digest for picture in pictures}
        return [
            one
            for one in pictures
            if len(pictures) > 1
            and all(marks.ordered(digest[one], digest[other]) in pairs for other in pictures if other != one)
        ]


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file so that it is whole at any time: the old one or the new one. Raises TbhdupError."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as out:
            out.writelines(pieces)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise TbhdupError(f"{path} cannot be written: {error.strerror}") from error


def _with_choice(group: Group, stay: Sequence[bool]) -> Group:
    members = zip(group.members, stay, strict=True)
    return replace(group, members=tuple(replace(member, keep=keep) for member, keep in members))


def _restored(report: Report, before: Iterable[Group]) -> tuple[dict[int, tuple[bool, ...]], tuple[Group, ...]]:
    """The choices on groups that are still the same, and the groups of files that the report does not name."""
    earlier = {_files(group): group for group in before}
    choices = {}
    for number, group in enumerate(report.groups):
        same = earlier.get(_files(group))
        if same is not None:
            keep = {member.path: member.keep for member in same.members}
            choices[number] = tuple(keep[member.path] for member in group.members)
    named = {member.path for group in report.groups for member in group.members}
    return choices, tuple(group for group in before if named.isdisjoint(member.path for member in group.members))


def _files(group: Group) -> frozenset[tuple[bytes, Digest]]:
    return frozenset((member.path, member.digest) for member in group.members)


def _maps(report: Report, store: Path) -> review.Maps:
    """From each centre to its members, as far as the store knows their proofs."""
    if not store.exists():
        return {}
    order = {
        m.digest: (*precedence(m.width, m.height, m.size), m.digest) for group in report.groups for m in group.members
    }
    centres = {
        group.centre: member.digest
        for group in report.groups
        for member in group.members
        if member.path == group.centre
    }
    wanted = {(centres[group.centre], m.digest) for group in report.groups for m in group.members}
    wanted = {pair for pair in wanted if pair[0] != pair[1]}
    with Store.open(store, write=False) as opened:
        verdicts = opened.verdicts(verify.VERSION, {marks.ordered(*pair) for pair in wanted})
    found = {}
    for centre, member in wanted:
        verdict = verdicts.get(marks.ordered(centre, member))
        if verdict is not None and verdict.relation is not None:
            found[centre, member] = _affine(verdict.relation, inverse=order[member] < order[centre])
    return found


def _affine(relation: Relation, inverse: bool) -> list[float]:
    """The six numbers of its map, or of the map back."""
    both = np.vstack([np.reshape(relation.transform, (2, 3)), [0, 0, 1]])
    return list(np.linalg.inv(both)[:2].ravel() if inverse else relation.transform)
