"""The library's functions: paths of any kind in, plain values out, nothing printed, progress as a callback."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbhdup import sources
from tbhdup.errors import UsageError
from tbhdup.pipeline import saved
from tbhdup.pipeline import scan as scanning
from tbhdup.pipeline.scan import Options
from tbhdup.store import Store, default_place
from tbhdup.values import OnProgress, Report, quiet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tbhdup.pipeline.leaks import Labels, Leaks
    from tbhdup.pipeline.marking import Marked
    from tbhdup.pipeline.similar import Comparison, Hit

AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Paths = AnyPath | Iterable[AnyPath]
"""One path or several."""

AnyStore = str | Path | Store

Named = tuple[AnyPath, "bytes | NDArray[np.uint8]"]
"""A picture that is no file: its name, and the bytes of a file or the pixels, (height, width, 3), uint8, RGB."""


def scan(
    pictures: Paths | Iterable[Named],
    *,
    listed: Paths = (),
    against: Paths = (),
    archives: bool = False,
    store: AnyStore | None = None,
    options: Options | None = None,
    on_progress: OnProgress = quiet,
) -> Report:
    """Find the identical and duplicate pictures among files, or among pictures in memory.

    pictures: a path, or several, of folders, files, archives and manifests; or pairs of a name and its bytes or pixels.
    Pairs may come from a generator: one picture at a time is in memory, and each is written to a temporary file, where
    the proof finds it again. Their names stand in the report where paths do; the store keeps their codes, by content.
    listed: further paths, of which missing ones are skips. archives: also look into archives in folders.
    against: further paths; then the report has only the groups that hold a file of the others.
    store: a folder, an open Store, or None for the user's own.
    Raises UsageError for a path that does not exist, and for a wrong manifest or array; StoreError and WeightsError
    where those cannot be used; MissingExtra for a Parquet manifest without pyarrow.
    """
    with _opened(store, write=True) as opened, _source(pictures, listed, archives) as source:
        if not against:
            return scanning.scan(source, opened, options, on_progress)
        if not isinstance(source, sources.Disk):
            raise UsageError("pictures in memory cannot be looked for in folders: scan them together")
        both = replace(source, roots=[*source.roots, *_absolute(against)])
        return saved.holding(scanning.scan(both, opened, options, on_progress), source.named())


def report(
    paths: Paths | None = None,
    *,
    store: AnyStore | None = None,
    options: Options | None = None,
    on_progress: OnProgress = quiet,
) -> Report:
    """What the last scans found below some paths (None: everywhere), without looking at the folders again."""
    with _opened(store, write=True) as opened:
        return scanning.report(None if paths is None else _absolute(paths), opened, options, on_progress)


def similar(
    images: Paths,
    *,
    store: AnyStore | None = None,
    options: Options | None = None,
    limit: int = 10,
) -> list[list[Hit]]:
    """For each image the known files that look like it, best first. Raises TbhdupError for an unusable image."""
    from tbhdup.pipeline import similar as looking

    with _opened(store, write=False) as opened:
        return looking.similar(_absolute(images), opened, options, limit)


def leaks(
    sets: Paths,
    *,
    priority: Sequence[str] | None = None,
    labels: Labels | None = None,
    archives: bool = False,
    store: AnyStore | None = None,
    options: Options | None = None,
    on_progress: OnProgress = quiet,
) -> Leaks:
    """Find the pictures that several sets hold copies of, and splits without such leaks.

    sets: a folder or archive for each, or one manifest that has a split for every file.
    priority: the sets by name, the one that keeps what several hold first; None: the last of `sets` first.
    labels: also find what is under several labels: the names of the files' folders, or the manifest's column label.
    archives: also look into archives in the folders.
    Raises UsageError when the sets overlap or the priority does not name them, and what `scan` raises.
    """
    from tbhdup.pipeline import leaks as leaking

    with _opened(store, write=True) as opened:
        return leaking.leaks(_absolute(sets), opened, options, on_progress, priority, labels, archives)


def mark(a: AnyPath, b: AnyPath, *, revoke: bool = False, store: AnyStore | None = None) -> bool:
    """Remember that two files are no duplicates (their contents: by digest), or take it back; whether that is new.

    Raises TbhdupError for a file that cannot be read, UsageError for equal bytes, StoreError when it cannot be kept.
    """
    from tbhdup.pipeline import marking

    first, second = _absolute([a, b])
    return marking.mark(first, second, _place(store), revoke)


def marked(*, store: AnyStore | None = None) -> list[Marked]:
    """The pairs that are marked as no duplicates, oldest first, with the files that the store knows of each."""
    from tbhdup.pipeline import marking

    place = _place(store)
    if not place.exists():  # marks outlive a store
        return marking.marked(place, ())
    with _opened(store, write=False) as opened:
        return marking.marked(place, opened.files())


def compare(a: AnyPath, b: AnyPath, *, options: Options | None = None, picture: AnyPath | None = None) -> Comparison:
    """Are two files one picture? Raises TbhdupError when one cannot be used.

    picture: where to draw the two side by side, with the part that they have in common and where they differ; a name
    that ends in .png, .jpg or .jpeg.
    """
    from tbhdup.pipeline import similar as looking

    first, second = _absolute([a, b])
    return looking.compare(first, second, options, None if picture is None else Path(os.fsdecode(picture)))


@contextmanager
def _source(pictures: Paths | Iterable[Named], listed: Paths, archives: bool) -> Iterator[sources.Source]:
    left: Iterator[AnyPath | Named] = iter(_several(pictures))
    first = list(islice(left, 1))
    if not (first and isinstance(first[0], tuple)):
        yield sources.Disk(_absolute(chain(first, left)), _absolute(listed), archives)
        return
    with sources.Spool() as spool:
        for picture in chain(first, left):
            if not isinstance(picture, tuple):
                raise UsageError("paths and pictures in memory cannot be scanned together")
            spool.put(os.fsencode(picture[0]), picture[1])
        yield spool


def _several(paths: AnyPath | Iterable[Any]) -> Iterable[Any]:
    """One path is taken for a list of one, and text not for a list of letters."""
    return [paths] if isinstance(paths, str | bytes | os.PathLike) else paths


def _absolute(paths: AnyPath | Iterable[Any]) -> list[bytes]:
    return [os.path.abspath(os.fsencode(path)) for path in _several(paths)]  # noqa: PTH100 - bytes, which pathlib does not take


def _place(store: AnyStore | None) -> Path:
    if isinstance(store, Store):
        return store.place
    return Path(store) if store else default_place()


@contextmanager
def _opened(store: AnyStore | None, *, write: bool) -> Iterator[Store]:
    if isinstance(store, Store):
        yield store
        return
    with Store.open(_place(store), write=write) as opened:
        yield opened
