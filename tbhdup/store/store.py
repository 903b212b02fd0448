"""The store: what is known of files, pictures and pairs of pictures, kept between runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from types import MappingProxyType, TracebackType

import lmdb
import numpy as np
from numpy.typing import NDArray

from tbhdup.errors import StoreError
from tbhdup.store.batch import COMMIT_ROWS, Batch, rows_from
from tbhdup.store.check import check
from tbhdup.store.environment import OUTCOMES, SCHEMA, THUMBNAILS, Databases, Environment, is_ours
from tbhdup.store.paths import Tops, inside
from tbhdup.store.place import network_file_system
from tbhdup.store.records import (
    HIT,
    PART,
    PICTURE,
    as_digest,
    digest_of,
    digests_of,
    folder_id,
    folder_of,
    inode_key,
    is_skipped,
    outcome_key,
    pack_outcome,
    pack_stat,
    pack_verdict,
    pair_key,
    parts_from,
    pictures_from,
    stat_of,
    table_key,
    unpack_file,
    unpack_outcome,
    unpack_verdict,
)
from tbhdup.store.suspects import Suspects
from tbhdup.values import Digest, File, Outcome, Verdict

Pair = tuple[Digest, Digest]
_Head = tuple[bytes, bytes, File, Iterator[File]]  # path and folder id of the next file, that file, the ones after it

NO_PARTS = np.empty(0, PART)
NO_THUMBNAILS: Mapping[Digest, bytes] = MappingProxyType({})

CHUNK = 4096  # rows read in one transaction while a caller iterates
NAME_LIMIT = 400  # bytes of a model id or verifier version


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store holds. Counts are rows."""

    place: Path
    schema: int
    creator: str  # the version of tbhdup that made it
    bytes: int  # in use in the data file
    folders: int
    files: int  # skipped ones included
    skipped: int
    pictures: dict[str, int]  # by model id
    verdicts: dict[str, int]  # by verifier version


class Store:
    """An open store; a context manager that commits and closes at its end, also after an error or an interruption.

    One process writes, any number read. A writer sees what it put at once; other processes see it after a commit, which
    happens by itself within `put_*` and `forget_files` every few seconds. A commit is one transaction with everything
    that was put since the last one, so a process that is killed leaves a sound store that lacks at most those rows; for
    a power failure see `Environment`. When a commit fails, as on a full disk, its rows stay pending and StoreError is
    raised.

    All methods may be called from several threads. A store must be opened in the process that uses it, not before a
    fork. Every method raises StoreError when the store is closed, forked, damaged or out of reach; methods that write
    do so on a store that was opened for reading, too.
    """

    notes: tuple[str, ...]
    """What a user should be told about the place, one line each."""

    suspects: Suspects
    """Contents under whose decoding an earlier process died."""

    def __init__(self, environment: Environment, notes: tuple[str, ...]) -> None:
        self.notes = notes
        self._environment = environment
        self._batch = Batch()
        self.suspects = Suspects(environment)

    @property
    def place(self) -> Path:
        """The folder that it lies in."""
        return self._environment.place

    @classmethod
    def open(cls, place: Path, *, write: bool = True) -> Store:
        """Open the store in a folder, which is made when it is to be written and is missing.

        Raises StoreLocked when another process writes to it, StoreTooNew when a newer version made it, and StoreError
        when it is missing (reading), damaged, of an older schema, or something else than a store.
        """
        kind = network_file_system(place)
        note = f"the store {place} is on a network file system ({kind}), where its locks may fail: name a local folder"
        return cls(Environment(place, write), (note,) if kind else ())

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit and close. Closing twice, or a store that was opened before a fork, does nothing."""
        try:
            if self._batch.rows and self._environment.is_open():
                self.commit()
        finally:
            self.suspects.close()
            self._environment.close()

    def commit(self) -> None:
        """Make everything that was put durable and visible to other processes."""
        with self._environment.hold():
            if self._batch.rows:
                self._batch.write(self._environment)
                self._batch = Batch()

    # Files

    def folder(self, folder: bytes) -> dict[bytes, File]:
        """The files known in one folder (an absolute path), by name; not those of the folders inside it."""
        ident = folder_id(folder)
        files, folders = self._environment.get("files"), self._environment.get("folders")
        rows: dict[bytes, bytes | None] = {}
        with self._environment.read() as txn:
            if txn.get(ident, db=folders) == folder:
                rows.update(rows_from(txn.cursor(files), ident, ident))
            if self._batch.folders.get(ident) == folder:
                rows.update(self._batch.files[ident])
            prefix = inside(folder)
            return dict(unpack_file(prefix, key, record) for key, record in rows.items() if record is not None)

    def moved(self, device: int, inode: int, size: int, mtime_ns: int) -> Digest | None:
        """The digest of a file that is known with this inode, size and time, whatever its path was then.

        None: there is no such file, or the file system gives no inodes (inode 0).
        """
        stat = pack_stat(size, mtime_ns, device, inode)
        ident = inode_key(stat)
        if ident is None:
            return None
        files, inodes = self._environment.get("files"), self._environment.get("inodes")
        with self._environment.read() as txn:
            for key in (self._batch.inodes.get(ident), txn.get(ident, db=inodes)):
                if key is not None:
                    pending = self._batch.files.get(folder_of(key), {})
                    record = pending[key] if key in pending else txn.get(key, db=files)
                    if record is not None and stat_of(record) == stat:
                        return digest_of(record)
        return None

    def files(self, under: Sequence[bytes] | None = None) -> Iterator[File]:
        """All files, or those that are, or lie below, the given absolute paths, sorted by path.

        Rows that change while the caller iterates may come in their old or their new form.
        """
        self.commit()
        tops = Tops(under)
        folders = self._environment.get("folders")
        with self._environment.read() as txn:
            known = sorted((inside(path), ident, path) for ident, path in txn.cursor(folders) if tops.touch(path))
        # A folder's files and those of the folders inside it alternate in the order of paths. So each folder joins a
        # merge as soon as its files can be next; only a chain of nested folders is ever in it.
        heads: list[_Head] = []
        for prefix, ident, path in known:
            while heads and heads[0][0] < prefix:
                yield _pop(heads)
            rows = self._rows(prefix, ident)
            _push(heads, ident, rows if tops.cover(path) else (file for file in rows if tops.cover(file.path)))
        while heads:
            yield _pop(heads)

    def put_files(self, files: Iterable[File]) -> None:
        """Add or replace files. Pictures of their digests must have been put before, so that no crash parts the two."""
        for file in files:
            with self._writing() as batch:
                batch.put_file(file)

    def forget_files(self, paths: Iterable[bytes]) -> None:
        """Remove files, given by their absolute paths; unknown ones are passed over. Their pictures stay."""
        for path in paths:
            with self._writing() as batch:
                batch.forget_file(path)

    # Pictures of one model

    def has_picture(self, model: str, digest: Digest) -> bool:
        """Whether the model's picture of this content is known."""
        with self._environment.hold():
            if digest in self._batch.digests.get(model, ()):
                return True
            pictures = self._environment.find(f"pictures:{model}")
            if pictures is None:
                return False
            with self._environment.read() as txn:
                return txn.get(digest, db=pictures) is not None

    def pictures(self, model: str, digests: Iterable[Digest] | None = None) -> NDArray[np.void]:
        """All pictures of a model, or those of the given contents that are known: PICTURE rows, sorted by digest."""
        self.commit()
        database = self._environment.find(f"pictures:{model}")
        if database is None:
            return np.empty(0, PICTURE)
        with self._environment.read() as txn:
            cursor = txn.cursor(database)
            if digests is None:
                return pictures_from(cursor.iternext(keys=False), txn.stat(database)["entries"])
            records = [record for _, record in cursor.getmulti(sorted(set(map(as_digest, digests))))]
            return pictures_from(iter(records), len(records))

    def parts(self, model: str, digests: Iterable[Digest] | None = None) -> NDArray[np.void]:
        """The parts of all pictures of a model, or of those of the given contents: PART rows, sorted by digest."""
        self.commit()
        database = self._environment.find(f"parts:{model}")
        if database is None:
            return np.empty(0, PART)
        with self._environment.read() as txn:
            cursor = txn.cursor(database)
            if digests is None:
                records = b"".join(cursor.iternext(keys=False))
            else:
                records = b"".join(record for _, record in cursor.getmulti(sorted(set(map(as_digest, digests)))))
        return parts_from(records)

    def thumbnails(self, digests: Iterable[Digest]) -> dict[Digest, bytes]:
        """The thumbnails, as they were put, of those of the given contents that have one."""
        with self._environment.hold():
            return self._records(THUMBNAILS, set(map(as_digest, digests)), self._batch.thumbnails)

    def put_pictures(
        self,
        model: str,
        rows: NDArray[np.void],
        parts: NDArray[np.void] = NO_PARTS,
        thumbnails: Mapping[Digest, bytes] = NO_THUMBNAILS,
    ) -> None:
        """Add or replace pictures of a model, and their codes in its substring tables.

        rows: (N,) PICTURE; parts: (M,) PART, all of these pictures, each picture's in their order; thumbnails: some of
        these pictures' (bytes that mean nothing to the store), which do not hang on the model.
        """
        if rows.dtype != PICTURE or rows.ndim != 1:
            raise ValueError(f"pictures are rows of the dtype PICTURE, not {rows.dtype} {rows.shape}")
        if parts.dtype != PART or parts.ndim != 1 or not set(digests_of(parts)) <= set(digests_of(rows)):
            raise ValueError("parts are rows of the dtype PART, of the pictures that are put with them")
        if not thumbnails.keys() <= set(digests_of(rows)):
            raise ValueError("thumbnails are those of the pictures that are put with them")
        _check_name(model)
        whole = digests_of(parts)
        for start in range(0, len(rows), COMMIT_ROWS):
            some = rows[start : start + COMMIT_ROWS]
            here = set(digests_of(some)) if len(parts) or thumbnails else set()
            with self._writing() as batch:
                batch.put_pictures(model, some, parts[[digest in here for digest in whole]])
                batch.put_thumbnails({digest: thumbnails[digest] for digest in here & thumbnails.keys()})

    def bucket(self, model: str, table: int, substring: int) -> NDArray[np.void]:
        """The pictures whose code has the substring at bits 16t .. 16t+15, t = table: HIT rows, in no special order."""
        key = table_key(table, substring)
        self.commit()
        database = self._environment.find(f"substrings:{model}")
        if database is None:
            return np.empty(0, HIT)
        with self._environment.read() as txn:
            found = txn.cursor(database).getmulti([key], dupdata=True, dupfixed_bytes=HIT.itemsize)
        return np.frombuffer(bytearray().join(hit for _, hit in found), HIT)

    # Verdicts

    def verdicts(self, verifier: str, pairs: Iterable[Pair]) -> dict[Pair, Verdict]:
        """The known verdicts of one verifier version among the given pairs, each with the smaller digest first.

        Raises ValueError for a pair in another order, as a verdict's relation leads from the first to the second.
        """
        wanted = {pair_key(*pair): pair for pair in pairs}
        with self._environment.hold():
            found = self._records(f"verdicts:{verifier}", wanted.keys(), self._batch.verdicts.get(verifier, {}))
            return {wanted[key]: unpack_verdict(record) for key, record in found.items()}

    def put_verdicts(self, verifier: str, verdicts: Mapping[Pair, Verdict]) -> None:
        """Add or replace verdicts of one verifier version; pairs as in `verdicts`."""
        _check_name(verifier)
        for pair, verdict in verdicts.items():
            key, record = pair_key(*pair), pack_verdict(verdict)
            with self._writing() as batch:
                batch.put_verdict(verifier, key, record)

    # Outcomes

    def outcome(self, question: Digest) -> Outcome | None:
        """What was put as the outcome of a question that is known by its digest; None: nothing, or no longer kept."""
        with self._environment.hold():
            record = self._records(OUTCOMES, {outcome_key(question)}, {}).get(outcome_key(question))
            asked, outcome = unpack_outcome(record) if record is not None else (None, None)
        return outcome if asked == question else None

    def put_outcome(self, question: Digest, outcome: Outcome) -> None:
        """Keep the outcome of a question, and commit it with all that was put before it; a few at most are kept."""

        def put(txn: lmdb.Transaction[bytes], databases: Databases) -> None:
            txn.put(outcome_key(question), pack_outcome(question, outcome), db=databases[OUTCOMES])

        self.commit()
        self._environment.update([OUTCOMES], put)

    # The whole

    def info(self) -> StoreInfo:
        """Counts and sizes, what is pending included."""
        self.commit()
        env = self._environment
        databases = {name: env.get(name) for name in filter(is_ours, env.names())}
        with env.read() as txn:
            rows = {name: txn.stat(database)["entries"] for name, database in databases.items()}
            skipped = sum(map(is_skipped, txn.cursor(databases["files"]).iternext(keys=False)))
        return StoreInfo(
            place=env.place,
            schema=SCHEMA,
            creator=env.creator(),
            bytes=env.used(),
            folders=rows["folders"],
            files=rows["files"],
            skipped=skipped,
            pictures=_below("pictures:", rows),
            verdicts=_below("verdicts:", rows),
        )

    def check(self) -> list[str]:
        """What is wrong with the store, one line each; empty: nothing.

        Every row is read and must fit the rows that it refers to. Memory does not grow with the store; after
        PROBLEM_LIMIT problems it says so and stops.
        """
        self.commit()
        return check(self._environment)

    @contextmanager
    def _writing(self) -> Iterator[Batch]:
        """The batch to put into, which is committed afterwards when it is time."""
        with self._environment.hold():
            if not self._environment.write:
                raise StoreError(f"the store {self._environment.place} was opened for reading only")
            yield self._batch
            if self._batch.due():
                self.commit()

    def _records(self, name: str, keys: Set[bytes], pending: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Those of some keys that a database has, with what is pending for it; the environment is held meanwhile."""
        found: dict[bytes, bytes] = {}
        database = self._environment.find(name)
        if database is not None:
            with self._environment.read() as txn:
                found.update(txn.cursor(database).getmulti(sorted(keys)))
        found.update((key, pending[key]) for key in keys & pending.keys())
        return found

    def _rows(self, prefix: bytes, ident: bytes) -> Iterator[File]:
        """The committed files of one folder, in order of their keys."""
        files = self._environment.get("files")
        start = ident
        while start:
            with self._environment.read() as txn:
                chunk = list(islice(rows_from(txn.cursor(files), ident, start), CHUNK))
                found = [unpack_file(prefix, key, record)[1] for key, record in chunk]
            yield from found
            start = chunk[-1][0] + b"\0" if len(chunk) == CHUNK else b""


def _below(prefix: str, counts: dict[str, int]) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}


def _push(heads: list[_Head], ident: bytes, rows: Iterator[File]) -> None:
    file = next(rows, None)
    if file is not None:
        heappush(heads, (file.path, ident, file, rows))


def _pop(heads: list[_Head]) -> File:
    _, ident, file, rows = heappop(heads)
    _push(heads, ident, rows)
    return file


def _check_name(name: str) -> None:
    if not 0 < len(name.encode()) <= NAME_LIMIT:
        raise ValueError(f"a model id or verifier version has 1 to {NAME_LIMIT} bytes, not {len(name.encode())}")
