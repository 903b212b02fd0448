"""Does the store hold together? Every row is read once, in one snapshot, and held against those it refers to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

import lmdb
import numpy as np

from tbhdup.errors import StoreError
from tbhdup.store.environment import BASE, OUTCOMES, THUMBNAILS, Environment, is_ours
from tbhdup.store.paths import inside
from tbhdup.store.records import (
    PART,
    PICTURE,
    TABLES,
    Damaged,
    digests_of,
    folder_id,
    folder_of,
    inode_key,
    outcome_key,
    pair_key,
    parts_from,
    stat_of,
    table_entries,
    unpack_file,
    unpack_outcome,
    unpack_verdict,
)
from tbhdup.values import Digest

PROBLEM_LIMIT = 1000
CHUNK = 4096  # pictures looked at together


def check(environment: Environment) -> list[str]:
    """The problems found, one line each, PROBLEM_LIMIT at most; a last line says when there are more."""
    found: list[str] = []
    try:
        for problem in problems(environment):
            if len(found) == PROBLEM_LIMIT:
                found.append("there are more problems than these")
                break
            found.append(problem)
    except StoreError as error:  # LMDB itself cannot read on
        found.append(str(error))
    return found


def problems(environment: Environment) -> Iterator[str]:
    """One line for each thing that is wrong."""
    names = environment.names()
    yield from (f"the database {name!r} is none of a store's" for name in names if not is_ours(name))
    databases = {name: environment.get(name) for name in filter(is_ours, names)}
    with environment.read() as txn:
        snapshot = Snapshot(txn, databases)
        yield from snapshot.folders()
        yield from snapshot.files()
        yield from snapshot.inodes()
        yield from snapshot.thumbnails()
        yield from snapshot.outcomes()
        keyed = [name.partition(":")[::2] for name in databases if name not in (*BASE, THUMBNAILS, OUTCOMES)]
        for model in sorted({key for kind, key in keyed if kind != "verdicts"}):
            yield from snapshot.pictures(model)
            yield from snapshot.parts(model)
        for verifier in sorted(key for kind, key in keyed if kind == "verdicts"):
            yield from snapshot.verdicts(verifier)


class Snapshot:
    """The databases of one transaction, each with the questions that are asked of it."""

    def __init__(self, txn: lmdb.Transaction[bytes], databases: dict[str, lmdb._Database]) -> None:
        self._txn = txn
        self._databases = databases
        self._all_pictures = [database for name, database in databases.items() if name.startswith("pictures:")]

    def folders(self) -> Iterator[str]:
        """Ids are those of the paths, and every folder holds a file."""
        files = self._cursor("files")
        for ident, path in self._cursor("folders"):
            if folder_id(path) != ident:
                yield f"the folder {_shown(path)} has the id of another path"
            if not (files.set_range(ident) and folder_of(files.key()) == ident):
                yield f"the folder {_shown(path)} holds no file"

    def files(self) -> Iterator[str]:
        """Rows decode, their folders are known, and so are the pictures of all that were not skipped."""
        ident, folder = b"", None
        for key, record in self._cursor("files"):
            if folder_of(key) != ident:
                ident = folder_of(key)
                folder = self._get("folders", ident)
                if folder is None:
                    yield f"files are in the folder with the id {ident.hex()}, whose path is missing"
            try:
                name, file = unpack_file(inside(folder or b"?"), key, record)
            except Damaged as error:
                yield str(error)
                continue
            is_archive = name == b"."  # the archive itself, whose members have rows of their own
            if file.digest is None and file.skip is None and not is_archive:
                yield f"the file {_shown(file.path)} has neither a digest nor a reason"
            elif file.digest is not None and file.skip is None and not self._has_picture(file.digest):
                yield f"the file {_shown(file.path)} has a digest of which there is no picture"

    def inodes(self) -> Iterator[str]:
        """Every inode leads to a file that has it."""
        for inode, key in self._cursor("inodes"):
            record = self._get("files", key)
            if record is None or inode_key(stat_of(record)) != inode:
                yield f"the inode {inode.hex()} leads to a file that does not have it"

    def pictures(self, model: str) -> Iterator[str]:
        """Records are whole and have the digest of their key, and the substring tables hold exactly their codes."""
        if f"substrings:{model}" not in self._databases or f"pictures:{model}" not in self._databases:
            yield f"the model {model!r} has pictures without substring tables, or the other way round"
            return
        hits = self._cursor(f"substrings:{model}")
        rows = iter(self._cursor(f"pictures:{model}"))
        found = 0
        while chunk := list(islice(rows, CHUNK)):
            whole = [(key, record) for key, record in chunk if len(record) == PICTURE.itemsize]
            if len(whole) < len(chunk):
                yield f"{len(chunk) - len(whole)} pictures of the model {model!r} have another size"
            pictures = np.frombuffer(b"".join(record for _, record in whole), PICTURE)
            for (key, _), digest in zip(whole, digests_of(pictures), strict=True):
                if key != digest:
                    yield f"the picture {key.hex()} of the model {model!r} has the digest {digest.hex()}"
            for table in range(TABLES):
                for key, hit in table_entries(pictures, table):
                    if hits.set_key_dup(key, hit):
                        found += 1
                    else:
                        yield f"substring table {table} of the model {model!r} lacks the picture {hit[8:].hex()}"
        if self._txn.stat(self._databases[f"substrings:{model}"])["entries"] > found:
            yield from self._strange_hits(model)

    def parts(self, model: str) -> Iterator[str]:
        """Records are whole, have the digest of their key, and belong to a picture."""
        if f"parts:{model}" not in self._databases or f"pictures:{model}" not in self._databases:
            return  # an older version has no parts; that the pictures are missing was said
        for key, record in self._cursor(f"parts:{model}"):
            if not record or len(record) % PART.itemsize:
                yield f"the parts of the picture {key.hex()} of the model {model!r} have another size"
            elif set(digests_of(parts_from(record))) != {key}:
                yield f"the parts of the picture {key.hex()} of the model {model!r} have the digest of another one"
            elif self._get(f"pictures:{model}", key) is None:
                yield f"the model {model!r} has parts of the picture {key.hex()}, but not the picture"

    def thumbnails(self) -> Iterator[str]:
        """Each belongs to a picture of some model."""
        if THUMBNAILS in self._databases:  # an older version has none
            for key, _ in self._cursor(THUMBNAILS):
                if not self._has_picture(key):
                    yield f"there is a thumbnail of {key.hex()}, but no picture"

    def outcomes(self) -> Iterator[str]:
        """Records decode, and each is in the place of its question."""
        if OUTCOMES in self._databases:  # an older version has none
            for key, record in self._cursor(OUTCOMES):
                try:
                    question, _ = unpack_outcome(record)
                except Damaged as error:
                    yield str(error)
                    continue
                if outcome_key(question) != key:
                    yield f"the outcome {key.hex()} is that of another question"

    def _strange_hits(self, model: str) -> Iterator[str]:
        """Entries of the substring tables that no picture accounts for."""
        for key, hit in self._cursor(f"substrings:{model}"):
            record = self._get(f"pictures:{model}", hit[8:])
            pictures = np.frombuffer(record if record and len(record) == PICTURE.itemsize else b"", PICTURE)
            if not any((key, hit) in table_entries(pictures, table) for table in range(TABLES)):
                yield f"the substring tables of the model {model!r} hold {hit[8:].hex()} under a code it does not have"

    def verdicts(self, verifier: str) -> Iterator[str]:
        """Keys are ordered pairs, and records decode."""
        for key, record in self._cursor(f"verdicts:{verifier}"):
            try:
                pair_key(key[:16], key[16:])
                unpack_verdict(record)
            except (ValueError, Damaged) as error:
                yield f"the verdict {key.hex()} of the verifier {verifier!r}: {error}"

    def _has_picture(self, digest: Digest) -> bool:
        return any(self._txn.get(digest, db=database) is not None for database in self._all_pictures)

    def _cursor(self, name: str) -> lmdb.Cursor[bytes]:
        return self._txn.cursor(self._databases[name])

    def _get(self, name: str, key: bytes) -> bytes | None:
        return self._txn.get(key, db=self._databases[name])


def _shown(path: bytes) -> str:
    return repr(os.fsdecode(path))
