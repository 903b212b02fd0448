"""What was put and is not committed yet, and how it is written in one transaction.

Everything here can be written a second time with the same outcome: after an interruption or in a larger map the whole
batch is simply written again.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping

import lmdb
import numpy as np
from numpy.typing import NDArray

from tbhdup.errors import StoreError
from tbhdup.store.environment import BASE, THUMBNAILS, Databases, Environment
from tbhdup.store.paths import parent
from tbhdup.store.records import (
    PICTURE,
    TABLES,
    column,
    digests_of,
    file_key,
    folder_id,
    folder_of,
    inode_key,
    pack_file,
    pictures_from,
    stat_of,
    table_entries,
)
from tbhdup.values import Digest, File

COMMIT_SECONDS = 3.0
COMMIT_ROWS = 1 << 16


class Batch:
    """Pending rows, ready to be written, and open to look-ups meanwhile."""

    def __init__(self) -> None:
        self.folders: dict[bytes, bytes] = {}  # id -> path
        self.files: defaultdict[bytes, dict[bytes, bytes | None]] = defaultdict(dict)  # folder id -> key -> record
        self.inodes: dict[bytes, bytes] = {}  # device and inode -> key of the file put last
        self.pictures: defaultdict[str, list[NDArray[np.void]]] = defaultdict(list)
        self.digests: defaultdict[str, set[Digest]] = defaultdict(set)
        self.parts: defaultdict[str, dict[Digest, bytes]] = defaultdict(dict)
        self.thumbnails: dict[Digest, bytes] = {}
        self.verdicts: defaultdict[str, dict[bytes, bytes]] = defaultdict(dict)
        self.rows = 0
        self._since = 0.0

    def put_file(self, file: File) -> None:
        """Add or replace a file's row."""
        key, name = self._key(file.path)
        record = pack_file(key, name, file)
        inode = inode_key(stat_of(record))
        self.files[folder_of(key)][key] = record
        if inode is not None:
            self.inodes[inode] = key
        self._count(1)

    def forget_file(self, path: bytes) -> None:
        """Remove a file's row, if there is one."""
        key, _ = self._key(path)
        self.files[folder_of(key)][key] = None
        self._count(1)

    def put_pictures(self, model: str, rows: NDArray[np.void], parts: NDArray[np.void]) -> None:
        """Add or replace pictures of one model, with their parts."""
        self.pictures[model].append(rows.copy())
        self.digests[model].update(digests_of(rows))
        # A picture that is put again may have no parts any more: its record is then empty.
        packed = dict.fromkeys(digests_of(rows), b"")
        for digest, part in zip(digests_of(parts), parts, strict=True):
            packed[digest] += part.tobytes()
        self.parts[model].update(packed)
        self._count(len(rows))

    def put_thumbnails(self, thumbnails: Mapping[Digest, bytes]) -> None:
        """Add or replace thumbnails, which are committed with their pictures."""
        self.thumbnails.update(thumbnails)

    def put_verdict(self, verifier: str, key: bytes, record: bytes) -> None:
        """Add or replace a verdict."""
        self.verdicts[verifier][key] = record
        self._count(1)

    def due(self) -> bool:
        """Whether it is time to commit."""
        return self.rows >= COMMIT_ROWS or (self.rows > 0 and time.monotonic() - self._since >= COMMIT_SECONDS)

    def write(self, environment: Environment) -> None:
        """Commit everything: all of it or, on an error, nothing."""
        models = [f"{kind}:{model}" for model in self.pictures for kind in ("pictures", "parts", "substrings")]
        verifiers = [f"verdicts:{verifier}" for verifier in self.verdicts]
        environment.update([*BASE, THUMBNAILS, *models, *verifiers], self._write)

    def _write(self, txn: lmdb.Transaction[bytes], databases: Databases) -> None:
        for model, arrays in self.pictures.items():
            cursor, hits = txn.cursor(databases[f"pictures:{model}"]), txn.cursor(databases[f"substrings:{model}"])
            _write_pictures(cursor, hits, _last_of_each(np.concatenate(arrays)))
            _write_parts(txn, databases[f"parts:{model}"], self.parts[model])
        txn.cursor(databases[THUMBNAILS]).putmulti(sorted(self.thumbnails.items()))
        for verifier, verdicts in self.verdicts.items():
            txn.cursor(databases[f"verdicts:{verifier}"]).putmulti(sorted(verdicts.items()))
        for ident, rows in sorted(self.files.items()):
            _write_folder(txn, databases, ident, self.folders[ident], rows)

    def _key(self, path: bytes) -> tuple[bytes, bytes]:
        folder, name = parent(path)
        ident = folder_id(folder)
        if self.folders.setdefault(ident, folder) != folder:
            raise _same_id(folder, self.folders[ident])
        return file_key(ident, name), name

    def _count(self, rows: int) -> None:
        if not self.rows:
            self._since = time.monotonic()
        self.rows += rows


def rows_from(cursor: lmdb.Cursor[bytes], prefix: bytes, start: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the keys with a prefix, in order, from the first that is not below `start`."""
    if cursor.set_range(start):
        for key, value in cursor:
            if not key.startswith(prefix):
                return
            yield key, value


def _last_of_each(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Sorted by digest; of pictures that were put more than once the last."""
    last = {digest: at for at, digest in enumerate(digests_of(rows))}
    picked: NDArray[np.void] = rows[[last[digest] for digest in sorted(last)]]
    return picked


def _write_pictures(pictures: lmdb.Cursor[bytes], substrings: lmdb.Cursor[bytes], rows: NDArray[np.void]) -> None:
    digests = digests_of(rows)
    codes = dict(zip(digests, rows["code"].tolist(), strict=True))
    before = pictures.getmulti(digests)
    kept = np.array([codes[digest] for digest, _ in before], np.uint64)
    known = pictures_from((record for _, record in before), len(before))
    _drop_hits(substrings, known[known["code"] != kept])
    pictures.putmulti(zip(digests, column(rows, PICTURE.itemsize), strict=True))
    for table in range(TABLES):
        substrings.putmulti(table_entries(rows, table))


def _write_parts(txn: lmdb.Transaction[bytes], database: lmdb._Database, parts: dict[Digest, bytes]) -> None:
    for digest, record in sorted(parts.items()):
        if record:
            txn.put(digest, record, db=database)
        else:
            txn.delete(digest, db=database)


def _drop_hits(cursor: lmdb.Cursor[bytes], stale: NDArray[np.void]) -> None:
    """Take the old codes of pictures that are put again out of the substring tables."""
    for table in range(TABLES):
        for key, hit in table_entries(stale, table):
            if cursor.set_key_dup(key, hit):
                cursor.delete()


def _write_folder(
    txn: lmdb.Transaction[bytes],
    databases: Databases,
    ident: bytes,
    folder: bytes,
    rows: dict[bytes, bytes | None],
) -> None:
    folders, inodes = databases["folders"], databases["inodes"]
    known = txn.get(ident, db=folders)
    if known not in (None, folder):
        raise _same_id(folder, known)
    files = txn.cursor(databases["files"])
    for key, record in files.getmulti(rows):
        inode = inode_key(stat_of(record))
        if inode is not None and txn.get(inode, db=inodes) == key:
            txn.delete(inode, db=inodes)
    for key, new in sorted(rows.items()):
        if new is not None:
            files.put(key, new)
            inode = inode_key(stat_of(new))
            if inode is not None:
                txn.put(inode, key, db=inodes)
        elif files.set_key(key):
            files.delete()
    if any(rows_from(files, ident, ident)):
        txn.put(ident, folder, db=folders)
    elif known is not None:
        txn.delete(ident, db=folders)


def _same_id(folder: bytes, other: bytes | None) -> StoreError:
    names = f"{os.fsdecode(folder)!r} and {os.fsdecode(other or b'')!r}"
    return StoreError(f"the folders {names} have the same id in the store: rename one of them")
