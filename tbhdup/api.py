"""The library's functions: paths of any kind in, plain values out, nothing printed, progress as a callback."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tbhdup.pipeline import leaks as leaking
from tbhdup.pipeline import marking
from tbhdup.pipeline import scan as scanning
from tbhdup.pipeline import similar as looking
from tbhdup.pipeline.leaks import Leaks
from tbhdup.pipeline.marking import Marked
from tbhdup.pipeline.scan import Options
from tbhdup.pipeline.similar import Comparison, Hit
from tbhdup.store import Store, default_place
from tbhdup.values import OnProgress, Report, quiet

AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def scan(
    paths: Sequence[AnyPath],
    *,
    store: Path | Store | None = None,
    options: Options | None = None,
    on_progress: OnProgress = quiet,
) -> Report:
    """Find the identical and duplicate pictures among files and folders.

    store: a folder, an open Store, or None for the user's own. Raises UsageError for a path that does not exist,
    StoreError and WeightsError where those cannot be used.
    """
    with _opened(store, write=True) as opened:
        return scanning.scan(_absolute(paths), opened, options, on_progress)


def report(
    paths: Sequence[AnyPath] | None = None,
    *,
    store: Path | Store | None = None,
    options: Options | None = None,
    on_progress: OnProgress = quiet,
) -> Report:
    """What the last scans found below some paths (None: everywhere), without looking at the folders again."""
    with _opened(store, write=True) as opened:
        return scanning.report(None if paths is None else _absolute(paths), opened, options, on_progress)


def similar(
    images: Sequence[AnyPath],
    *,
    store: Path | Store | None = None,
    options: Options | None = None,
    limit: int = 10,
) -> list[list[Hit]]:
    """For each image the known files that look like it, best first. Raises TbhdupError for an unusable image."""
    with _opened(store, write=False) as opened:
        return looking.similar(_absolute(images), opened, options, limit)


def leaks(
    sets: Sequence[AnyPath],
    *,
    priority: Sequence[str] | None = None,
    labels: bool = False,
    store: Path | Store | None = None,
    options: Options | None = None,
    on_progress: OnProgress = quiet,
) -> Leaks:
    """Find the pictures that several sets, one folder each, hold copies of, and splits without such leaks.

    priority: the sets by name, the one that keeps what several hold first; None: the last of `sets` first.
    labels: also find what is under several labels, which are the names of the files' folders.
    Raises UsageError when the sets overlap or the priority does not name them, and what `scan` raises.
    """
    with _opened(store, write=True) as opened:
        return leaking.leaks(_absolute(sets), opened, options, on_progress, priority, labels)


def mark(a: AnyPath, b: AnyPath, *, revoke: bool = False, store: Path | Store | None = None) -> bool:
    """Remember that two files are no duplicates (their contents: by digest), or take it back; whether that is new.

    Raises TbhdupError for a file that cannot be read, UsageError for equal bytes, StoreError when it cannot be kept.
    """
    first, second = _absolute([a, b])
    return marking.mark(first, second, _place(store), revoke)


def marked(*, store: Path | Store | None = None) -> list[Marked]:
    """The pairs that are marked as no duplicates, oldest first, with the files that the store knows of each."""
    place = _place(store)
    if not place.exists():  # marks outlive a store
        return marking.marked(place, ())
    with _opened(store, write=False) as opened:
        return marking.marked(place, opened.files())


def compare(a: AnyPath, b: AnyPath, *, options: Options | None = None) -> Comparison:
    """Are two files one picture? Raises TbhdupError when one cannot be used."""
    first, second = _absolute([a, b])
    return looking.compare(first, second, options)


def _absolute(paths: Sequence[AnyPath]) -> list[bytes]:
    return [os.path.abspath(os.fsencode(path)) for path in paths]  # noqa: PTH100 - bytes, which pathlib does not take


def _place(store: Path | Store | None) -> Path:
    return store.place if isinstance(store, Store) else store or default_place()


@contextmanager
def _opened(store: Path | Store | None, *, write: bool) -> Iterator[Store]:
    if isinstance(store, Store):
        yield store
        return
    with Store.open(store or default_place(), write=write) as opened:
        yield opened
