"""leaks: the same picture in two sets of a collection, or under two labels; and the sets without that."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tbhdup import sources
from tbhdup.errors import UsageError
from tbhdup.groups import Connected
from tbhdup.pipeline import scan as scanning
from tbhdup.pipeline.scan import Findings, Options
from tbhdup.sources import Row
from tbhdup.store import Store
from tbhdup.values import Digest, Group, Kind, Member, OnProgress, Report, quiet

Labels = Literal["folder", "column"]
"""Where the label of a file comes from: the name of its folder, or a manifest."""


@dataclass(frozen=True, slots=True)
class Leak:
    """One picture on several sides: in several sets, or under several labels."""

    kind: Kind  # identical: the same bytes are on two sides; else duplicate
    sides: tuple[str, ...]  # the sets, in the order they were named, or the labels, in order
    files: tuple[tuple[str, Member], ...]  # all files of the picture with their side; "" is none


@dataclass(frozen=True, slots=True)
class Leaks:
    """What one look across the sets found.

    leaks         one for each group of the report with files of several sets, and one for each confirmed pair of
                  contents in several sets that the groups had no place for
    labels        the same for labels; empty if they were not asked for
    leaking       files of each set that are in a leak
    splits        every picture file with its set, leaks mended: what belongs together is in one set; sorted by path
    moved         files of `splits` that are in another set now
    """

    report: Report
    sets: dict[str, bytes]  # the folder, archive or manifest of each, in the order they were named
    leaks: tuple[Leak, ...]
    labels: tuple[Leak, ...]
    leaking: dict[str, int]
    splits: tuple[tuple[bytes, str], ...]
    moved: int


def leaks(
    roots: Sequence[bytes],
    store: Store,
    options: Options | None = None,
    on_progress: OnProgress = quiet,
    priority: Sequence[str] | None = None,
    labels: Labels | None = None,
    archives: bool = False,
) -> Leaks:
    """Scan all sets, and look for copies across them: see `across`.

    roots: a folder or an archive for each set, or one manifest that has a split for every row.
    Raises UsageError, before the scan, as `name_sets`, `read_manifest` and `by_priority` do.
    """
    rows = sources.read_manifest(roots[0]) if len(roots) == 1 and sources.is_manifest(roots[0]) else None
    sets = name_sets(roots) if rows is None else _splits_of(roots[0], rows)
    if labels == "column" and not any(row.label for row in (rows or {}).values()):
        raise UsageError("there is no column of labels: that takes a manifest with one called label")
    order = by_priority(sets, priority)
    source = sources.Disk(list(sets.values()) if rows is None else (), list(rows or ()), archives)
    return across(scanning.find(source, store, options, on_progress), sets, order, labels, rows)


def across(
    found: Findings,
    sets: Mapping[str, bytes],
    priority: Sequence[str],
    labels: Labels | None = None,
    rows: Mapping[bytes, Row] | None = None,
) -> Leaks:
    """The leaks among what a scan of the sets found.

    priority: every set, the one that keeps what several hold first. labels: "folder" makes the folder that a file lies
    in its label, but for the folder of its set; "column" the rows' labels. rows: of the manifest that says which files
    the sets have; None: each has a folder.
    """
    prefixes = {os.path.join(root, b""): name for name, root in sets.items()}
    row_of = _Rows(rows or {})

    def set_of(path: bytes) -> str:
        if rows is not None:
            return row_of(path).split
        return next(name for prefix, name in prefixes.items() if path.startswith(prefix))

    def label_of(path: bytes) -> str:
        if labels == "column":
            return row_of(path).label
        folder = os.path.dirname(path)
        return "" if os.path.join(folder, b"") in prefixes else os.fsdecode(os.path.basename(folder))

    groups = (*found.report.groups, *found.links)
    between_sets = _leaks(groups, set_of, list(sets))
    leaking = {(name, member.path) for leak in between_sets for name, member in leak.files}
    counts = Counter(name for name, _ in leaking)
    whole = _whole(groups)
    best: dict[Digest, str] = {}
    files = [(file.path, file.digest) for file in found.files if file.digest is not None]
    for path, digest in files:
        key, name = whole.get(digest, digest), set_of(path)
        best[key] = min(best.get(key, name), name, key=priority.index)
    splits = tuple(sorted((path, best[whole.get(digest, digest)]) for path, digest in files))
    return Leaks(
        found.report,
        dict(sets),
        between_sets,
        _leaks(groups, label_of) if labels else (),
        {name: counts[name] for name in sets},
        splits,
        sum(set_of(path) != name for path, name in splits),
    )


class _Rows:
    """Which row of a manifest a file goes by: its own, or that of the folder or archive that it lies in."""

    def __init__(self, rows: Mapping[bytes, Row]) -> None:
        self._rows = rows
        self._real: dict[bytes, Row] | None = None

    def __call__(self, path: bytes) -> Row:
        row = _above(path, self._rows)
        if row is None:  # a scan has one spelling for each folder, a manifest may have several
            if self._real is None:
                self._real = {os.path.realpath(name): row for name, row in self._rows.items()}
            row = _above(os.path.realpath(path), self._real)
        assert row is not None, path
        return row


def _above(path: bytes, rows: Mapping[bytes, Row]) -> Row | None:
    while path not in rows:
        above = os.path.dirname(path)
        if above == path:
            return None
        path = above
    return rows[path]


def _splits_of(manifest: bytes, rows: Mapping[bytes, Row]) -> dict[str, bytes]:
    """The splits of a manifest, each with the manifest. Raises UsageError for fewer than two, and for rows without."""
    for path, row in rows.items():
        if not row.split:
            raise UsageError(f"{os.fsdecode(manifest)}: {os.fsdecode(path)!r} has no split")
    names = dict.fromkeys((row.split for row in rows.values()), manifest)
    if len(names) < 2:
        raise UsageError(f"{os.fsdecode(manifest)} names fewer than two splits: a leak is a picture that several hold")
    return names


def name_sets(roots: Sequence[bytes]) -> dict[str, bytes]:
    """The folders and archives (absolute paths) by the names of their sets: the last part of each path, more where
    those are equal.

    Raises UsageError for fewer than two, for what is neither, and for one that lies in another one.
    """
    if len(roots) < 2:
        raise UsageError("name two sets or more, or one manifest: a leak is a picture that several sets hold")
    for root in roots:
        if not (os.path.isdir(root) or (os.path.isfile(root) and sources.is_archive(root))):
            raise UsageError(f"{os.fsdecode(root)!r} is no folder and no archive: every set is one")
    real = sorted(os.path.join(os.path.realpath(root), b"") for root in roots)
    for outer, inner in pairwise(real):
        if inner.startswith(outer):
            raise UsageError(f"the sets overlap: {os.fsdecode(inner)!r} is in {os.fsdecode(outer)!r}")
    parts = [os.fsdecode(root).strip(os.sep).split(os.sep) for root in roots]
    length = 1
    while len(names := ["/".join(part[-length:]) for part in parts]) != len(set(names)):
        length += 1
    return dict(zip(names, roots, strict=True))


def by_priority(sets: Mapping[str, bytes], priority: Sequence[str] | None) -> list[str]:
    """The names of the sets, first the one that keeps what several hold; by itself, the one that was named last.

    Raises UsageError unless `priority` names every set once.
    """
    if priority is None:
        return list(sets)[::-1]
    if sorted(priority) != sorted(sets):
        raise UsageError(f"the priority must name every set once: {','.join(sets)} in another order")
    return list(priority)


def _leaks(groups: Iterable[Group], side_of: Callable[[bytes], str], order: Sequence[str] = ()) -> tuple[Leak, ...]:
    out = []
    for group in groups:
        files = tuple((side_of(member.path), member) for member in group.members)
        sides = sorted({side for side, _ in files} - {""})
        if len(sides) < 2:
            continue
        if order:
            sides.sort(key=order.index)
        contents = {(side, member.digest) for side, member in files if side}
        same = len(contents) > len({digest for _, digest in contents})
        out.append(Leak(Kind.IDENTICAL if same else Kind.DUPLICATE, tuple(sides), files))
    return tuple(sorted(out, key=lambda leak: [member.path for _, member in leak.files]))


def _whole(groups: Iterable[Group]) -> dict[Digest, Digest]:
    """For every content of a group one that stands for all that chains of groups connect it with."""
    connected, seen = Connected(), set()
    for group in groups:
        for member in group.members:
            connected.join(group.members[0].digest, member.digest)
            seen.add(member.digest)
    return {digest: connected.root(digest) for digest in seen}
