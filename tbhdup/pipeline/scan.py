"""scan: folders in, groups out. report: the same from what the store holds, without reading the folders again."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tbhdup import groups, marks
from tbhdup.actions import Folders, Rules, waste, with_keep
from tbhdup.calibration import Calibration
from tbhdup.errors import UsageError
from tbhdup.model.record import Record, read_record
from tbhdup.pipeline.confirm import confirm, precedence
from tbhdup.pipeline.index import Encode, Index, index
from tbhdup.pipeline.views import Again
from tbhdup.sources import Disk, Source
from tbhdup.store import Store
from tbhdup.values import (
    Digest,
    File,
    Group,
    Kind,
    Match,
    Member,
    OnProgress,
    Report,
    Summary,
    quiet,
)
from tbhdup.version import VERSION

if TYPE_CHECKING:
    from tbhdup.model.encoding import BatchEncoder

VERIFY = ("auto", "always", "never")
IDENTICAL_BYTES = "identical bytes"


@dataclass(frozen=True, slots=True)
class Options:
    """How to look. None leaves the choice to the calibration."""

    verify: str = "auto"  # auto: candidates are decided on pixels, unless others connect them; always; never: by cosine
    radius: int | None = None
    cosine: float | None = None
    candidates: int = 5
    max_false_pairs: float = 1.0
    device: str = "auto"
    weights: Path | None = None
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)

    def __post_init__(self) -> None:
        if self.verify not in VERIFY:
            raise UsageError(f"no way to verify called {self.verify!r}: use one of {', '.join(VERIFY)}")
        if self.radius is not None and not 0 <= self.radius <= 64:
            raise UsageError(f"a radius of {self.radius} bits: it must lie between 0 and 64")


@dataclass(frozen=True, slots=True)
class Findings:
    """A report, and what it was made from."""

    report: Report
    files: tuple[File, ...]  # skipped ones included
    links: tuple[Group, ...]  # two contents each: confirmed, but in two groups, or one of them in none


def scan(source: Source, store: Store, options: Options | None = None, on_progress: OnProgress = quiet) -> Report:
    """Bring the store up to date with what a source has, and report what belongs together in it."""
    return find(source, store, options, on_progress).report


def find(source: Source, store: Store, options: Options | None = None, on_progress: OnProgress = quiet) -> Findings:
    """What `scan` does, with all that it came upon."""
    options = options or Options()
    record = read_record(options.weights)
    clock = _Clock()
    seen = index(
        source, store, record.model_id, record.preprocessing.side, _lazy_encoder(options), options.threads, on_progress
    )
    clock.lap("encode")
    counts = Summary(known=seen.known, read=seen.read, decoded=seen.decoded, encoded=seen.encoded)
    return _group(seen, source.again, counts, record, store, options, clock, on_progress)


def report(
    under: Sequence[bytes] | None, store: Store, options: Options | None = None, on_progress: OnProgress = quiet
) -> Report:
    """Report on what the store knows below some folders or files (None: on everything), as it was when last scanned."""
    options = options or Options()
    seen = Index()
    for file in store.files(under):
        seen.add(file)
    counts = Summary(known=len(seen.files))
    record = read_record(options.weights)
    return _group(seen, Disk().again, counts, record, store, options, _Clock(), on_progress).report


def _lazy_encoder(options: Options) -> Callable[[], Encode]:
    """The network, loaded when the first new picture needs it: an unchanged folder needs no torch."""
    lock = Lock()
    made: list[Encode] = []

    def encoder() -> Encode:
        with lock:
            if not made:
                made.append(load_encoder(options))
            return made[0]

    return encoder


def load_encoder(options: Options) -> BatchEncoder:
    """The network on the device asked for; torch is loaded here and not before."""
    from tbhdup.model.encoding import BatchEncoder

    return BatchEncoder(options.weights, options.device)


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(now - self._last, 3)
        self._last = now


def _group(
    seen: Index,
    again: Again,
    counts: Summary,
    record: Record,
    store: Store,
    options: Options,
    clock: _Clock,
    on_progress: OnProgress,
) -> Findings:
    by_digest: dict[Digest, list[File]] = defaultdict(list)
    for file in seen.files:
        if file.digest is not None:
            by_digest[file.digest].append(file)
    pictures = store.pictures(record.model_id, sorted(by_digest))
    calibrated = Calibration.from_record(record.calibration).operating_point(
        len(pictures),
        verify=options.verify != "never",
        max_false_pairs=options.max_false_pairs,
        radius=options.radius,
        cosine=options.cosine,
        candidates=options.candidates,
    )
    thresholds = replace(calibrated, verify=options.verify)
    sizes = {row["digest"].tobytes(): (int(row["width"]), int(row["height"])) for row in pictures}
    rank = {
        digest: (*precedence(*sizes[digest], by_digest[digest][0].size), by_digest[digest][0].path) for digest in sizes
    }
    apart = marks.pairs(store.place)
    parts = store.parts(record.model_id, sorted(by_digest))
    confirmed = confirm(
        pictures,
        parts,
        by_digest,
        again,
        rank,
        thresholds,
        store,
        options.threads,
        on_progress,
        apart,
        counts.encoded,
    )
    clock.lap("match")
    by_content = groups.centred(confirmed.matches, rank, apart)
    folders = Folders()
    found = _with_files(by_content, by_digest, sizes, folders)
    links = [_one_group(pair, by_digest, sizes, folders) for pair in _between(by_content, confirmed.matches, rank)]
    duplicates, duplicate_bytes = waste(found)
    report = Report(
        VERSION,
        record.model_id,
        thresholds,
        tuple(found),
        tuple(seen.skips),
        replace(
            counts,
            files=len(seen.files),
            bytes=sum(file.size for file in seen.files),
            skipped=len(seen.skips),
            pictures=len(pictures),
            candidates=confirmed.candidates,
            proven=confirmed.proven,
            recalled=confirmed.recalled,
            groups=len(found),
            duplicates=duplicates,
            duplicate_bytes=duplicate_bytes,
            seconds=clock.seconds,
        ),
        tuple(file.path for file in seen.files if file.digest in sizes),
    )
    return Findings(report, tuple(seen.files), tuple(links))


Contents = Sequence[tuple[Digest, Match | None]]
"""A group before its files are known: the centre, and the members with their match to it."""


def _between(by_content: Sequence[Contents], matches: Iterable[Match], rank: groups.Rank) -> list[Contents]:
    """The matches whose pictures are not in one group, each as a group of its own, in the order of their ranks."""
    group_of = {digest: number for number, group in enumerate(by_content) for digest, _ in group}
    between: list[Contents] = [
        [(match.a, None), (match.b, match)]
        for match in matches
        if match.a not in group_of or group_of[match.a] != group_of.get(match.b)
    ]
    return sorted(between, key=lambda group: [(rank[digest], digest) for digest, _ in group])


def _with_files(
    by_content: Sequence[Contents],
    by_digest: Mapping[Digest, Sequence[File]],
    sizes: Mapping[Digest, tuple[int, int]],
    folders: Folders,
) -> list[Group]:
    """Groups of contents as groups of files; contents that match nothing but stand in several files join them."""
    grouped = {digest for group in by_content for digest, _ in group}
    alone: list[Contents] = [
        [(digest, None)] for digest in sizes if digest not in grouped and len(by_digest[digest]) > 1
    ]
    out = [_one_group(group, by_digest, sizes, folders) for group in (*by_content, *alone)]
    return sorted(out, key=lambda group: group.centre)


def _one_group(
    contents: Contents,
    by_digest: Mapping[Digest, Sequence[File]],
    sizes: Mapping[Digest, tuple[int, int]],
    folders: Folders,
) -> Group:
    members = []
    for digest, match in contents:
        for number, file in enumerate(by_digest[digest]):
            if match is None:
                said = ("", 1.0) if number == 0 else (IDENTICAL_BYTES, 1.0)
            else:
                said = (str(match.relation) if match.relation else "", match.confidence)
            distance, cosine = (match.distance, match.cosine) if match else (0, 1.0)
            width, height = sizes[digest]
            members.append(
                Member(
                    file.path, digest, width, height, file.size, distance, round(cosine, 4), said[0],
                    round(said[1], 4), False,
                )
            )  # fmt: skip
    kind = Kind.DUPLICATE if len(contents) > 1 else Kind.IDENTICAL
    return with_keep(Group(kind, members[0].path, tuple(members)), Rules(), folders)
