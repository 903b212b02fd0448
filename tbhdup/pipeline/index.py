"""From paths to codes in the store, doing no work twice.

stat (known? done) -> bytes -> digest (known? done) -> pixels -> code and latent -> store
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tbhdup import sources
from tbhdup.model.record import BATCH
from tbhdup.pipeline.lookers import Look, Lookers, Square
from tbhdup.store import PART, PICTURE, Store
from tbhdup.values import Digest, File, OnProgress, Progress, Reason, Skip

CHUNK = 16  # files a reading task, and
AHEAD = 2  # chunks being read or looked at for each thread
CHUNK_BYTES = 8 << 20  # how large they are together, but for the last of them
WAITING = 64  # batches of squares, 0.8 MB each, that may wait for the network to be loaded

_PASSING = (Reason.UNREADABLE, Reason.VANISHED, Reason.CHANGED)  # of the moment, not of the content: looked at again


Heads = tuple[NDArray[np.uint64], NDArray[np.int8]]


class Encode(Protocol):
    """What indexing asks of the encoder."""

    def encode(self, pixels: NDArray[np.uint8]) -> Heads:
        """(n <= 16, side, side, 3) uint8 -> codes (n,), latents (n, 128) int8."""


@dataclass(slots=True)
class Index:
    """What indexing saw: every file of the source, and how much work it was."""

    files: list[File] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    known: int = 0
    read: int = 0
    decoded: int = 0
    encoded: int = 0

    def add(self, file: File) -> None:
        """Take up a file; of an archive itself, only why it could not be read to its end."""
        if not sources.is_own(file.path):
            self.files.append(file)
        if file.skip is not None:
            self.skips.append(sources.skip_of(file))


@dataclass(frozen=True, slots=True)
class _Read:
    """One file after reading; it was looked at only when its content was new."""

    file: File
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class _New:
    """A picture on its way through the encoder."""

    digest: Digest
    file: File
    look: Look
    heads: list[tuple[np.uint64, NDArray[np.int8]]] = field(default_factory=list)
    """Code and latent (128,) of each square, as far as they have come from the encoder."""


Batch = Sequence[tuple[_New, Square]]
"""At most BATCH squares, each with what it is of."""


def index(
    source: sources.Source,
    store: Store,
    model: str,
    side: int,
    encoder: Callable[[], Encode],
    threads: int,
    on_progress: OnProgress,
) -> Index:
    """Bring the store up to date with what a source has. `encoder` is called only if there is work for it."""
    result = Index()
    archives: list[File] = []
    pending = list(_unknown(source, store, model, result, archives, on_progress))
    total = len(result.files) + len(pending)
    with Lookers(side, len(pending), threads, store.suspects.watch) as lookers:
        run = _Run(
            source,
            store,
            model,
            side,
            lookers,
            encoder,
            result,
            lambda: on_progress(Progress("encode", len(result.files), total)),
        )
        run.tell_progress()
        with ThreadPoolExecutor(threads) as encoding, ThreadPoolExecutor(AHEAD * threads) as reading:
            try:
                run.all(pending, reading, encoding, threads)
            except BaseException:
                reading.shutdown(wait=False, cancel_futures=True)
                encoding.shutdown(wait=False, cancel_futures=True)
                raise
    store.put_files(archives)  # after all their members: what an archive's row says is whole
    store.commit()
    result.files.sort(key=lambda file: file.path)
    result.skips.sort(key=lambda skip: (skip.path, skip.reason, skip.detail))
    return result


def _unknown(
    source: sources.Source,
    store: Store,
    model: str,
    result: Index,
    archives: list[File],
    on_progress: OnProgress,
) -> Iterator[File]:
    """The files that must be read; what is known already goes into `result`.

    archives: takes the rows of archives that were looked through anew, to be put when their members are in the store.
    """
    found: dict[bytes, sources.Entry] = {}
    for listing in source.listings():
        rows = store.folder(listing.folder) if source.lasting else {}
        result.skips.extend(listing.skips)
        files = [_file(listing.folder, entry) for entry in listing.entries]
        yield from _sorted_out(files, {row.path: row for row in rows.values()}, store, model, result)
        if listing.complete and listing.entries:  # an empty folder may be an unplugged disk's mount point
            gone = rows.keys() - {entry.name for entry in listing.entries}
            store.forget_files(os.path.join(listing.folder, name) for name in sorted(gone))
        found.update((os.path.join(listing.folder, entry.name), entry) for entry in listing.archives)
        on_progress(Progress("list", len(result.files), None, "files"))
    known: dict[bytes, dict[bytes, File]] = {archive: {} for archive in found}
    for row in store.files(list(found)) if found else ():
        known[_home(row.path, known)][row.path] = row
    for archive, entry in sorted(found.items()):
        own, files = _members(archive, entry, known[archive], store)
        result.add(own)
        if own != known[archive].get(own.path):
            archives.append(own)
        yield from _sorted_out(files, known[archive], store, model, result)
        on_progress(Progress("list", len(result.files), None, "files"))


def _members(archive: bytes, entry: sources.Entry, rows: Mapping[bytes, File], store: Store) -> tuple[File, list[File]]:
    """An archive's own row, and what is in it: from the store where that is whole, else it is looked through."""
    own = rows.get(sources.own(archive))
    whole = own is not None and own.skip not in _PASSING and _stat(own) == _stat(entry)
    if own is not None and whole and all(row.mtime_ns == entry.mtime_ns for row in rows.values()):
        return own, [row for row in rows.values() if row is not own]
    if own is not None:  # nothing may take the rows for whole until they are
        store.forget_files([own.path])
    *files, own = sources.members(archive, entry)
    store.forget_files(sorted(rows.keys() - {file.path for file in files}))
    return own, files


def _sorted_out(
    files: Iterable[File], rows: Mapping[bytes, File], store: Store, model: str, result: Index
) -> Iterator[File]:
    """Those of the files that must be read; the others go into `result`, and to the store where that is new.

    rows: what the store has of them, by path.
    """
    changed: list[File] = []
    for file in files:
        row = rows.get(file.path)
        known = _recognise(file, row, store, model)
        if known is None:
            yield replace(file, digest=None, skip=None, detail="")
            continue
        if known != row:
            changed.append(known)
        result.known += known.digest is not None or known == row
        result.add(known)
    store.put_files(changed)


def _file(folder: bytes, entry: sources.Entry) -> File:
    return File(os.path.join(folder, entry.name), *_stat(entry), None)


def _stat(of: sources.Entry | File) -> tuple[int, int, int, int]:
    return of.size, of.mtime_ns, of.device, of.inode


def _home(path: bytes, archives: Container[bytes]) -> bytes:
    """The archive that a member is in."""
    while path not in archives:
        path = os.path.dirname(path)
    return path


def _recognise(file: File, row: File | None, store: Store, model: str) -> File | None:
    """The file's row when its content is known: unchanged since, or moved here. None: it must be read."""
    if row is not None and _stat(row) == _stat(file):
        known = not _worth_another_look(row) if row.digest is None else store.has_picture(model, row.digest)
        return row if known else None
    if file.skip is not None:
        return file
    digest = store.moved(file.device, file.inode, file.size, file.mtime_ns)
    if digest is None or not store.has_picture(model, digest):
        return None
    return replace(file, digest=digest)


def _worth_another_look(row: File) -> bool:
    """Whether a file that was skipped may be usable now."""
    return row.skip in _PASSING or (row.skip is Reason.UNSUPPORTED and sources.installed_since(row.detail))


@dataclass(slots=True)
class _Run:
    """Reading and encoding in a pool; all writing in the calling thread."""

    source: sources.Source
    store: Store
    model: str
    side: int
    lookers: Lookers
    encoder: Callable[[], Encode]
    result: Index
    tell_progress: Callable[[], None]
    loads: bool = False  # the network was asked for
    waiting: list[tuple[_New, Square]] = field(default_factory=list)  # for enough to fill a batch
    claimed: set[Digest] = field(default_factory=set)  # contents that were given to the encoder
    kept: set[Digest] = field(default_factory=set)  # those whose picture is in the store
    twins: list[File] = field(default_factory=list)  # further files of contents that are still on their way

    def all(
        self, pending: Iterable[File], reading: ThreadPoolExecutor, encoding: ThreadPoolExecutor, threads: int
    ) -> None:
        """Keep the pools busy with a bounded number of chunks, in a fixed order."""
        left = _chunks(pending)
        chunks: deque[Future[list[_Read]]] = deque()
        batches: deque[tuple[Batch, Future[Heads]]] = deque()
        while True:
            chunks.extend(
                reading.submit(self._read_all, chunk, encoding) for chunk in islice(left, AHEAD * threads - len(chunks))
            )
            if not chunks:
                break
            for batch in self._batches(chunks.popleft().result()):
                batches.append((batch, encoding.submit(self._encode, batch)))
            while batches and (len(batches) > WAITING or batches[0][1].done()):
                self._take(*batches.popleft())
        if self.waiting:
            batches.append((self.waiting, encoding.submit(self._encode, self.waiting)))
        while batches:
            self._take(*batches.popleft())

    def _read_all(self, chunk: Sequence[File], encoding: ThreadPoolExecutor) -> list[_Read]:
        """The files of a chunk, read, and looked at together where they are new; meanwhile the network is loaded."""
        new: dict[Digest, bytes] = {}
        read = [self._read(file, new) for file in chunk]
        if new and not self.loads:
            self.loads = True
            encoding.submit(self.encoder)
        looks = self.lookers.look(new)
        return [_seen(file, looks.get(file.digest) if file.digest else None) for file in read]

    def _read(self, file: File, new: dict[Digest, bytes]) -> File:
        """The file with its digest, or why it is skipped. What must be looked at goes into `new`."""
        try:
            data = self.source.read(file)
            digest = sources.digest(data)
            if not self.store.has_picture(self.model, digest) and digest not in self.claimed:
                if digest in self.store.suspects:
                    sources.decode_apart(data, self.side)
                    self.store.suspects.clear(digest)
                new[digest] = data
        except sources.Unusable as error:
            return _skipped(file, error)
        return replace(file, digest=digest)

    def _batches(self, done: list[_Read]) -> Iterator[Batch]:
        """Put aside what needs no encoding; give out what does in full batches: any costs as much."""
        for item in done:
            self.result.read += 1
            digest = item.file.digest
            if item.look is not None and digest is not None and digest not in self.claimed:
                self.result.decoded += 1
                self.claimed.add(digest)
                new = _New(digest, item.file, item.look)
                self.waiting.extend((new, square) for square in item.look.squares)
                while len(self.waiting) >= BATCH:
                    yield self.waiting[:BATCH]
                    self.waiting = self.waiting[BATCH:]
                continue
            # A second file of a content that is still on its way: its row must not come before the picture's.
            if digest in self.claimed and digest not in self.kept:
                self.twins.append(item.file)
            else:
                self._keep_files([item.file])

    def _encode(self, batch: Batch) -> Heads:
        return self.encoder().encode(np.stack([square for _, square in batch]))

    def _take(self, batch: Batch, heads: Future[Heads]) -> None:
        """What the encoder made of a batch: pictures that are whole now are kept, with their parts."""
        whole: list[_New] = []
        for (item, _), head in zip(batch, zip(*heads.result(), strict=True), strict=True):
            item.heads.append(head)
            if len(item.heads) == len(item.look.squares):
                whole.append(item)
        self._keep(whole)

    def _keep(self, items: list[_New]) -> None:
        """Pictures first, then the files that show them."""
        self.store.put_pictures(self.model, *_rows(items), {item.digest: item.look.thumbnail for item in items})
        self.result.encoded += len(items)
        self.kept.update(item.digest for item in items)
        twins = [file for file in self.twins if file.digest in self.kept]
        self.twins = [file for file in self.twins if file.digest not in self.kept]
        self._keep_files([*(item.file for item in items), *twins])

    def _keep_files(self, files: list[File]) -> None:
        if self.source.lasting:
            self.store.put_files(files)
        for file in files:
            self.result.add(file)
        self.tell_progress()


def _chunks(files: Iterable[File]) -> Iterator[list[File]]:
    """The files a few at a time, fewer where they are large: their bytes are in memory together."""
    chunk: list[File] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += file.size
        if len(chunk) == CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _seen(file: File, look: Look | sources.Unusable | None) -> _Read:
    return _Read(_skipped(file, look)) if isinstance(look, sources.Unusable) else _Read(file, look)


def _skipped(file: File, why: sources.Unusable) -> File:
    return replace(file, digest=None, skip=why.reason, detail=why.detail)


def _rows(items: Sequence[_New]) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """(n,) PICTURE and (m,) PART rows of pictures that are encoded."""
    pictures = np.zeros(len(items), PICTURE)
    pictures["digest"] = _digests(items)
    pictures["width"] = [item.look.width for item in items]
    pictures["height"] = [item.look.height for item in items]
    pictures["format"] = [sources.FORMATS.index(item.look.format) for item in items]
    pictures["detail"] = [item.look.detail for item in items]
    _put_heads(pictures, [item.heads[0] for item in items])
    parts = np.zeros(sum(len(item.heads) - 1 for item in items), PART)
    parts["digest"] = _digests([item for item in items for _ in item.heads[1:]])
    _put_heads(parts, [head for item in items for head in item.heads[1:]])
    return pictures, parts


def _put_heads(rows: NDArray[np.void], heads: Sequence[tuple[np.uint64, NDArray[np.int8]]]) -> None:
    for row, (code, latent) in zip(rows, heads, strict=True):
        row["code"], row["latent"] = code, latent


def _digests(items: Sequence[_New]) -> NDArray[np.uint8]:
    """(n, 16)"""
    return np.frombuffer(b"".join(item.digest for item in items), np.uint8).reshape(-1, 16)
