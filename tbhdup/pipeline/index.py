"""From paths to codes in the store, doing no work twice.

stat (known? done) -> bytes -> digest (known? done) -> pixels -> code and latent -> store
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tbhdup import sources
from tbhdup.model.record import BATCH
from tbhdup.store import PICTURE, Store
from tbhdup.values import Digest, File, OnProgress, Progress, Reason, Skip

CHUNK = 16  # files a reading task

_PASSING = (Reason.UNREADABLE, Reason.VANISHED, Reason.CHANGED)  # of the moment, not of the content: looked at again


class Encode(Protocol):
    """What indexing asks of the encoder."""

    def encode(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
        """(n <= 16, side, side, 3) uint8 -> codes (n,), latents (n, 128) int8."""


@dataclass(slots=True)
class Index:
    """What indexing saw: every file under the roots, and how much work it was."""

    files: list[File] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    known: int = 0
    read: int = 0
    decoded: int = 0
    encoded: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    """One file after reading; pixels only when its content was new."""

    file: File
    pixels: NDArray[np.uint8] | None = None
    width: int = 0
    height: int = 0
    format: str = ""


def index(
    roots: Sequence[bytes],
    store: Store,
    model: str,
    side: int,
    encoder: Callable[[], Encode],
    threads: int,
    on_progress: OnProgress,
) -> Index:
    """Bring the store up to date with what lies under the roots. `encoder` is called only if there is work for it."""
    result = Index()
    pending = list(_unknown(roots, store, model, result, on_progress))
    total = len(result.files) + len(pending)
    run = _Run(store, model, side, encoder, result, lambda: on_progress(Progress("encode", len(result.files), total)))
    on_progress(Progress("encode", len(result.files), total))
    with ThreadPoolExecutor(threads) as pool:
        try:
            run.all(pending, pool, threads)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    store.commit()
    result.files.sort(key=lambda file: file.path)
    result.skips.sort(key=lambda skip: (skip.path, skip.reason))
    return result


def _unknown(
    roots: Sequence[bytes], store: Store, model: str, result: Index, on_progress: OnProgress
) -> Iterator[tuple[bytes, sources.Entry]]:
    """The files that must be read; what is known already goes into `result`."""
    for listing in sources.walk(roots):
        rows = store.folder(listing.folder)
        result.skips.extend(listing.skips)
        changed: list[File] = []
        for entry in listing.entries:
            path = os.path.join(listing.folder, entry.name)
            file = _recognise(path, entry, rows.get(entry.name), store, model)
            if file is None:
                yield path, entry
                continue
            if file != rows.get(entry.name):
                changed.append(file)
            result.known += 1
            _tell(file, result)
        store.put_files(changed)
        if listing.complete and listing.entries:  # an empty folder may be an unplugged disk's mount point
            gone = rows.keys() - {entry.name for entry in listing.entries}
            store.forget_files(os.path.join(listing.folder, name) for name in sorted(gone))
        on_progress(Progress("list", len(result.files), None, "files"))


def _recognise(path: bytes, entry: sources.Entry, row: File | None, store: Store, model: str) -> File | None:
    """The file's row when its content is known: unchanged since, or moved here. None: it must be read."""
    stat = (entry.size, entry.mtime_ns, entry.device, entry.inode)
    if row is not None and (row.size, row.mtime_ns, row.device, row.inode) == stat:
        known = not _worth_another_look(row) if row.digest is None else store.has_picture(model, row.digest)
        return row if known else None
    digest = store.moved(entry.device, entry.inode, entry.size, entry.mtime_ns)
    if digest is None or not store.has_picture(model, digest):
        return None
    return File(path, *stat, digest)


def _worth_another_look(row: File) -> bool:
    """Whether a file that was skipped may be usable now."""
    return row.skip in _PASSING or (row.skip is Reason.UNSUPPORTED and sources.installed_since(row.detail))


def _tell(file: File, result: Index) -> None:
    result.files.append(file)
    if file.skip is not None:
        result.skips.append(Skip(file.path, file.skip, file.detail))


@dataclass(slots=True)
class _Run:
    """Reading and encoding in a pool; all writing in the calling thread."""

    store: Store
    model: str
    side: int
    encoder: Callable[[], Encode]
    result: Index
    tell_progress: Callable[[], None]
    waiting: list[_Read] = field(default_factory=list)
    claimed: set[Digest] = field(default_factory=set)  # contents that were given to the encoder
    kept: set[Digest] = field(default_factory=set)  # those whose picture is in the store
    twins: list[File] = field(default_factory=list)  # further files of contents that are still on their way

    def all(self, pending: Iterable[tuple[bytes, sources.Entry]], pool: ThreadPoolExecutor, threads: int) -> None:
        """Keep the pool busy with a bounded number of chunks, in a fixed order."""
        left = iter(pending)
        reading: deque[Future[list[_Read]]] = deque()
        encoding: deque[Future[tuple[list[_Read], NDArray[np.void]]]] = deque()
        while True:
            while len(reading) < 2 * threads and (chunk := list(islice(left, CHUNK))):
                reading.append(pool.submit(self._read_all, chunk))
            if not reading:
                break
            for batch in self._batches(reading.popleft().result()):
                encoding.append(pool.submit(self._encode, batch))
            while len(encoding) > threads:
                self._keep(*encoding.popleft().result())
        if self.waiting:
            encoding.append(pool.submit(self._encode, self.waiting))
        while encoding:
            self._keep(*encoding.popleft().result())

    def _read_all(self, chunk: list[tuple[bytes, sources.Entry]]) -> list[_Read]:
        return [self._read(path, entry) for path, entry in chunk]

    def _read(self, path: bytes, entry: sources.Entry) -> _Read:
        file = File(path, entry.size, entry.mtime_ns, entry.device, entry.inode, None)
        try:
            data = sources.read(path, entry)
            file = replace(file, digest=sources.digest(data))
            assert file.digest is not None
            if self.store.has_picture(self.model, file.digest) or file.digest in self.claimed:
                return _Read(file)
            if file.digest in self.store.suspects:
                sources.decode_apart(data, self.side)
                self.store.suspects.clear(file.digest)
            with self.store.suspects.watch(file.digest):
                picture = sources.decode(data, self.side)
                pixels = sources.square(picture, self.side)
        except sources.Unusable as error:
            return _Read(replace(file, digest=None, skip=error.reason, detail=error.detail))
        return _Read(file, pixels, picture.width, picture.height, picture.format)

    def _batches(self, done: list[_Read]) -> Iterator[list[_Read]]:
        """Put aside what needs no encoding; give out full batches of what does."""
        for item in done:
            self.result.read += 1
            digest = item.file.digest
            if item.pixels is not None and digest is not None:
                self.result.decoded += 1
                if digest not in self.claimed:
                    self.claimed.add(digest)
                    self.waiting.append(item)
                    if len(self.waiting) == BATCH:
                        yield self.waiting
                        self.waiting = []
                    continue
            # A second file of a content that is still on its way: its row must not come before the picture's.
            if digest in self.claimed and digest not in self.kept:
                self.twins.append(item.file)
            else:
                self._keep_files([item.file])

    def _encode(self, batch: list[_Read]) -> tuple[list[_Read], NDArray[np.void]]:
        pixels = np.stack([item.pixels for item in batch if item.pixels is not None])
        codes, latents = self.encoder().encode(pixels)
        rows = np.zeros(len(batch), PICTURE)
        rows["digest"] = [np.frombuffer(item.file.digest or b"", np.uint8) for item in batch]
        rows["width"] = [item.width for item in batch]
        rows["height"] = [item.height for item in batch]
        rows["format"] = [sources.FORMATS.index(item.format) for item in batch]
        rows["detail"] = [sources.detail(item) for item in pixels]
        rows["code"], rows["latent"] = codes, latents
        return batch, rows

    def _keep(self, batch: list[_Read], rows: NDArray[np.void]) -> None:
        """Pictures first, then the files that show them."""
        self.store.put_pictures(self.model, rows)
        self.result.encoded += len(batch)
        self.kept.update(item.file.digest for item in batch if item.file.digest is not None)
        twins = [file for file in self.twins if file.digest in self.kept]
        self.twins = [file for file in self.twins if file.digest not in self.kept]
        self._keep_files([*(item.file for item in batch), *twins])

    def _keep_files(self, files: list[File]) -> None:
        self.store.put_files(files)
        for file in files:
            _tell(file, self.result)
        self.tell_progress()
