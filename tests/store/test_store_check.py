"""Damage is planted past the store; `check` must find each kind and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from store_samples import a_file, digest, parts, past_the_store, pictures

from tbhdup.errors import StoreError
from tbhdup.store import PICTURE, TABLES, Store, check
from tbhdup.store.records import file_key, folder_id, inode_key, pack_stat, table_entries
from tbhdup.values import Outcome, Reason, Relation, Verdict

ROWS = pictures(30, code_bits=40)
PARTS = parts(ROWS)
PARTS = PARTS[[row.tobytes() != digest(ROWS, 5) for row in PARTS["digest"]]]  # its row goes missing below
FOLDER = folder_id(b"/photos")
KEY = file_key(FOLDER, b"3.jpg")
INODE = inode_key(pack_stat(10, 20, 1, 4)) or b""
PICTURE_KEY = digest(ROWS, 5)
RECORD = ROWS[5].tobytes()
ENTRY = table_entries(ROWS[5:6], 2)[0]
OTHER = pictures(1, seed=9)
VERDICT = Verdict(accepted=True, confidence=0.5, relation=Relation(("cropped",)))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    with Store.open(tmp_path) as store:
        store.put_pictures("m", ROWS, PARTS, {digest(ROWS, 3): b"thumbnail"})
        store.put_files(a_file(b"/photos/%d.jpg" % at, digest(ROWS, at), inode=at + 1) for at in range(30))
        store.put_files([a_file(b"/photos/bad.jpg", digest=None, skip=Reason.CORRUPT, inode=99)])
        store.put_verdicts("v", {(b"a" * 16, b"b" * 16): VERDICT})
        store.put_outcome(b"\1" * 16, Outcome(3, 2, ((b"a" * 16, b"b" * 16),)))
        assert store.check() == []
    return tmp_path


def put(name: bytes, key: bytes, value: bytes) -> Callable[[lmdb.Environment, lmdb.Transaction[bytes]], None]:
    return lambda env, txn: txn.put(key, value, db=env.open_db(name, txn, create=False)) and None


def delete(name: bytes, key: bytes, value: bytes = b"") -> Callable[[lmdb.Environment, lmdb.Transaction[bytes]], None]:
    return lambda env, txn: txn.delete(key, value, db=env.open_db(name, txn, create=False)) and None


def drop(name: bytes) -> Callable[[lmdb.Environment, lmdb.Transaction[bytes]], None]:
    return lambda env, txn: txn.drop(env.open_db(name, txn, create=False))


DAMAGE = {
    "a file's row is cut off": (put(b"files", KEY, b"\1short"), 2, "3.jpg"),  # and so is what its inode leads to
    "a file's row is empty": (put(b"files", KEY, b""), 2, "/photos/"),
    "a file's reason is unknown": (put(b"files", file_key(FOLDER, b"bad.jpg"), b"\2" + b"\0" * 50 + b"x\0"), 2, "/photos"),
    "a file has neither digest nor reason": (put(b"files", KEY, b"\0" + b"\0" * 50), 2, "neither"),
    "a file's picture is missing": (delete(b"pictures:m", PICTURE_KEY), 5, "no picture"),
    "parts of a picture are cut off": (put(b"parts:m", PICTURE_KEY, PARTS[:1].tobytes()[1:]), 1, "another size"),
    "parts are those of another picture": (put(b"parts:m", PICTURE_KEY, PARTS[:1].tobytes()), 1, "another one"),
    "parts have no picture": (put(b"parts:m", PARTS[0]["digest"].tobytes()[::-1], PARTS[:1].tobytes()), 1, "another one"),
    "a thumbnail has no picture": (put(b"thumbnails", b"t" * 16, b"thumbnail"), 1, "thumbnail"),
    "a key is too short": (put(b"files", FOLDER, b"\0" * 60), 1, "does not fit"),
    "a folder's path is missing": (delete(b"folders", FOLDER), 1, "path is missing"),
    "a folder has another id": (put(b"folders", FOLDER, b"/elsewhere"), 1, "another path"),
    "a folder is empty": (put(b"folders", folder_id(b"/empty"), b"/empty"), 1, "no file"),
    "an inode leads nowhere": (put(b"inodes", b"i" * 24, KEY[:-1]), 1, "inode"),
    "an inode leads to another file": (put(b"inodes", INODE, file_key(FOLDER, b"4.jpg")), 1, "inode"),
    "a picture has another size": (put(b"pictures:m", PICTURE_KEY, RECORD[:-1]), 5, "another size"),
    "a picture has another digest": (put(b"pictures:m", PICTURE_KEY, OTHER.tobytes()), 9, "has the digest"),
    "a picture has another code": (put(b"pictures:m", PICTURE_KEY, RECORD[:27] + b"changed!" + RECORD[35:]), 8, "lacks"),
    "a table lacks a picture": (delete(b"substrings:m", *ENTRY), 1, "table 2"),
    "a table has one too many": (put(b"substrings:m", *table_entries(OTHER, 1)[0]), 1, "does not have"),
    "a table has one in the wrong place": (put(b"substrings:m", b"\1\2\3", ENTRY[1]), 1, "does not have"),
    "the tables are gone": (drop(b"substrings:m"), 1, "without substring tables"),
    "the pictures are gone": (drop(b"pictures:m"), 32, "no picture"),
    "a verdict is cut off": (put(b"verdicts:v", b"a" * 16 + b"b" * 16, b"\3\0"), 1, "verdict"),
    "a verdict has a pair in the wrong order": (put(b"verdicts:v", b"b" * 16 + b"a" * 16, b"\0" * 13), 1, "smaller first"),
    "an outcome is cut off": (put(b"outcomes", b"\1", b"short"), 1, "outcome"),
    "an outcome lacks a byte": (put(b"outcomes", b"\1", b"\1" * 63), 1, "cut off"),
    "an outcome is in another's place": (put(b"outcomes", b"\2", b"\1" * 32), 1, "another question"),
    "a database is foreign": (lambda env, txn: env.open_db(b"theirs", txn) and None, 1, "'theirs'"),
    "a key stands beside the databases": (lambda env, txn: txn.put(b"note", b"value") and None, 1, "'note'"),
    "a database is no database": (lambda env, txn: txn.put(b"verdicts:w", b"value") and None, 1, "--store"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_planted_damage_is_found(sound: Path, damage: str) -> None:
    plant, count, words = DAMAGE[damage]
    with past_the_store(sound) as (env, txn):
        plant(env, txn)
    for write in (True, False):
        with Store.open(sound, write=write) as store:
            found = store.check()
        assert len(found) == count, found
        assert any(words in line for line in found)
        assert not any("\n" in line for line in found)


def test_reading_damaged_rows_is_an_error_with_a_next_step(sound: Path) -> None:
    for name, key in ((b"files", KEY), (b"pictures:m", PICTURE_KEY), (b"verdicts:v", b"a" * 16 + b"b" * 16)):
        with past_the_store(sound) as (env, txn):
            txn.put(key, b"\3", db=env.open_db(name, txn))
    with Store.open(sound) as store:
        for read in (
            lambda: store.folder(b"/photos"),
            lambda: list(store.files()),
            lambda: store.pictures("m"),
            lambda: store.verdicts("v", [(b"a" * 16, b"b" * 16)]),
        ):
            with pytest.raises(StoreError, match="tbhdup scan"):
                read()


def test_the_list_of_problems_has_an_end(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PROBLEM_LIMIT", 7)
    monkeypatch.setattr(check, "CHUNK", 4)
    with past_the_store(sound) as (env, txn):
        txn.drop(env.open_db(b"pictures:m", txn), delete=False)
    with Store.open(sound) as store:
        found = store.check()
        assert len(found) == 8
        assert "more" in found[-1]
        store.put_pictures("m", ROWS)
        assert store.check() == []


def test_all_models_are_checked(sound: Path) -> None:
    with Store.open(sound) as store:
        store.put_pictures("n", OTHER)
        store.put_files([a_file(b"/photos/other.jpg", digest(OTHER, 0), inode=77)])
        assert store.check() == []
    with past_the_store(sound) as (env, txn):
        txn.drop(env.open_db(b"substrings:n", txn), delete=False)
    with Store.open(sound) as store:
        assert len(store.check()) == TABLES
    assert PICTURE.itemsize == len(RECORD)
