"""The LMDB environment below the store: opening, the schema, transactions, room, and words for what goes wrong.

At most one transaction is open in the process at any time, and each is short, so the map can be replaced by a larger
one whenever no transaction is under way.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import lmdb

from tbhdup.errors import StoreError, StoreTooNew
from tbhdup.store.lock import WriterLock
from tbhdup.store.records import Damaged
from tbhdup.version import VERSION

SCHEMA = 1
MAP_SIZE = 16 << 20  # bytes, of a new store; doubled whenever it is full
MAX_DATABASES = 256

BASE = ("meta", "folders", "files", "inodes")
THUMBNAILS = "thumbnails"  # of contents, whatever the model
OUTCOMES = "outcomes"  # what matchings came to
KEYED = ("pictures", "parts", "substrings", "verdicts")  # "pictures:<model id>", ..., "verdicts:<verifier version>"

Databases: TypeAlias = "Mapping[str, lmdb._Database]"
Work: TypeAlias = "Callable[[lmdb.Transaction[bytes], Databases], object]"


class Environment:
    """An open LMDB environment that holds a store of this schema.

    Commits sync the data but leave the sync of the last header page to the system (metasync=False). A process that is
    killed loses nothing that was committed. When the power fails, the last commits may be undone, whole ones each; the
    store itself stays sound, as far as the disk does what it is told.
    """

    def __init__(self, place: Path, write: bool) -> None:
        self.place = place
        self.write = write
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._databases: dict[str, lmdb._Database] = {}
        self._writer_lock: WriterLock | None = None
        self._env: lmdb.Environment | None = None
        try:
            with self.told():
                self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it for good. In a process that was forked off, this does nothing: the parent's store stays open."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            env, self._env = self._env, None
            if env is not None:
                env.close()
            lock, self._writer_lock = self._writer_lock, None
            if lock is not None:
                lock.release()

    def is_open(self) -> bool:
        """Whether it can be used: not closed, and not in a forked process."""
        return self._env is not None and os.getpid() == self._pid

    @contextmanager
    def hold(self) -> Iterator[lmdb.Environment]:
        """Keep the other threads out. Raises StoreError in a forked process and after `close`."""
        if os.getpid() != self._pid:  # before the lock, which another thread may have held at the fork
            raise StoreError(f"the store {self.place} was opened before this process was forked: open it anew here")
        with self._lock:
            if self._env is None:
                raise StoreError(f"the store {self.place} is closed: open it again")
            with self.told():
                yield self._env

    @contextmanager
    def read(self) -> Iterator[lmdb.Transaction[bytes]]:
        """One snapshot. Keep it short: while it is open, other threads wait and the writer cannot reuse pages."""
        with self.hold() as env, self._begin(env) as txn:
            yield txn

    def update(self, names: Iterable[str], work: Work) -> None:
        """Do the work in one transaction on the named databases, which are made where they are missing; commit it.

        The work is done again from its beginning, in a larger map, when the map is full. It must not ask for other
        databases: opening one waits for the transaction to end.
        """
        with self.hold() as env:
            databases: dict[str, lmdb._Database] = {}
            for name in names:
                self._with_room(env, partial(self._database, env, name, create=True))
                databases[name] = self._databases[name]

            def transaction() -> None:
                with env.begin(write=True) as txn:
                    work(txn, databases)

            self._with_room(env, transaction)

    def find(self, name: str) -> lmdb._Database | None:
        """A database; None: there is none of that name."""
        with self.hold() as env:
            try:
                return self._database(env, name, create=False)
            except lmdb.NotFoundError:
                return None

    def get(self, name: str) -> lmdb._Database:
        """A database that must be there. Raises StoreError when it is missing."""
        database = self.find(name)
        if database is None:
            raise StoreError(_damaged(self.place, f"its database {name!r} is missing"))
        return database

    def names(self) -> list[str]:
        """The names of all databases, sorted."""
        with self.read() as txn:
            return [key.decode("utf-8", "replace") for key, _ in txn.cursor()]

    def used(self) -> int:
        """Bytes in use in the data file, free pages between them included."""
        with self.hold() as env:
            return _used(env)

    def creator(self) -> str:
        """The version of tbhdup that made the store."""
        meta = self.get("meta")
        with self.read() as txn:
            return txn.get(b"creator", b"", db=meta).decode("utf-8", "replace")

    # Opening

    def _open(self) -> None:
        data = self.place / "data.mdb"
        if self.write:
            self.place.mkdir(parents=True, exist_ok=True)
            self._writer_lock = WriterLock(self.place)
        elif not (data.exists() and data.stat().st_size):
            raise StoreError(_missing(self.place))
        size = max(MAP_SIZE, data.stat().st_size if data.exists() else 0)
        self._env = lmdb.open(
            str(self.place),
            map_size=size,
            readonly=not self.write,
            create=self.write,
            metasync=False,
            max_dbs=MAX_DATABASES,
            max_spare_txns=1,
        )
        if data.stat().st_size < _used(self._env):  # touching a page beyond the end would kill the process
            raise StoreError(_damaged(self.place, "data.mdb is cut short"))
        found = self._schema()
        if found is None and not self.write:
            raise StoreError(_missing(self.place))
        if found is not None and found > SCHEMA:
            raise StoreTooNew(found, SCHEMA)
        if found is not None and found < SCHEMA:
            raise StoreError(
                f"the store {self.place} has schema {found}, this version writes {SCHEMA}: "
                "remove that folder and run `tbhdup scan` again, or name another store with --store"
            )
        if self.write:
            self._env.reader_check()
            self._extend(self._env.info()["map_size"])
            if found is None:
                self._create()
        for name in BASE:
            self.get(name)

    def _schema(self) -> int | None:
        """The schema's version. None: nothing is here, or the making of a store was cut off."""
        meta = self.find("meta")
        if meta is not None:
            with self.read() as txn:
                schema = txn.get(b"schema", db=meta)
            if schema is not None:
                if not schema.isdigit():
                    raise StoreError(_damaged(self.place, f"its schema is {schema!r}"))
                return int(schema)
        if not set(self.names()) <= set(BASE):
            raise StoreError(
                f"{self.place} holds an LMDB database that is no store of tbhdup: name another place with --store"
            )
        return None

    def _create(self) -> None:
        """Make the base. The schema comes last: a store that has one is whole."""

        def describe(txn: lmdb.Transaction[bytes], databases: Databases) -> None:
            txn.put(b"creator", VERSION.encode(), db=databases["meta"])
            txn.put(b"schema", b"%d" % SCHEMA, db=databases["meta"])

        self.update(BASE, describe)

    # Transactions

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what LMDB and the system say into one line with a next step."""
        try:
            yield
        except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.VersionMismatchError) as error:
            raise StoreError(_damaged(self.place, str(error))) from error
        except Damaged as error:
            raise StoreError(_damaged(self.place, str(error))) from error
        except (lmdb.Error, OSError) as error:
            raise StoreError(
                f"the store {self.place} cannot be used: {error}: "
                "see to its disk's space and permissions, or name another store with --store"
            ) from error

    def _begin(self, env: lmdb.Environment) -> lmdb.Transaction[bytes]:
        try:
            return env.begin()
        except lmdb.MapResizedError:  # the writer, another process, needed more room
            env.set_mapsize(0)
            return env.begin()

    def _database(self, env: lmdb.Environment, name: str, create: bool) -> lmdb._Database:
        known = self._databases.get(name)
        if known is None:
            with self._begin(env):  # follows a map that has grown
                pass
            many = name.startswith("substrings:")
            known = env.open_db(name.encode(), create=create, dupsort=many, dupfixed=many)
            self._databases[name] = known
        return known

    def _with_room(self, env: lmdb.Environment, step: Callable[[], object]) -> None:
        """Do a step that is one transaction, as often as it takes until the map is large enough."""
        while True:
            try:
                step()
            except lmdb.MapFullError:
                size = 2 * env.info()["map_size"]
                self._extend(size)
                env.set_mapsize(size)
            else:
                return

    def _extend(self, size: int) -> None:
        """Make the file as long as the map is or will be, without using disk for it.

        Free pages at the end of the map need never have been written. With this, a file that is shorter than its
        pages is known to be cut off.
        """
        data = self.place / "data.mdb"
        if data.stat().st_size < size:
            os.truncate(data, size)


def is_ours(name: str) -> bool:
    """Whether a database of this name belongs to a store."""
    return name in (*BASE, THUMBNAILS, OUTCOMES) or name.partition(":")[0] in KEYED


def _used(env: lmdb.Environment) -> int:
    return (env.info()["last_pgno"] + 1) * env.stat()["psize"]


def _missing(place: Path) -> str:
    return f"there is no store in {place}: `tbhdup scan` makes one, or name another with --store"


def _damaged(place: Path, what: str) -> str:
    return (
        f"the store {place} is damaged: {what}: "
        "remove that folder and run `tbhdup scan` again, or name another store with --store"
    )
