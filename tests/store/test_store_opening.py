from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import platformdirs
import pytest
from store_samples import a_file, past_the_store, pictures

from tbhdup.errors import StoreError, StoreLocked, StoreTooNew
from tbhdup.store import SCHEMA, Store, default_place, place

READ = """
import sys
import time
from pathlib import Path
from tbhdup.store import Store

with Store.open(Path(sys.argv[1]), write=False) as store:
    print([file.path for file in store.files()])
"""


def set_meta(where: Path, key: bytes, value: bytes) -> None:
    with past_the_store(where) as (env, txn):
        txn.put(key, value, db=env.open_db(b"meta", txn))


def test_the_default_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TBHDUP_STORE", "/some/where")
    assert default_place() == Path("/some/where")
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("TBHDUP_STORE")
        else:
            monkeypatch.setenv("TBHDUP_STORE", unset)
        assert default_place() == platformdirs.user_data_path("tbhdup") / "store"


def test_a_missing_place_is_made_for_writing_only(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "store"
    with pytest.raises(StoreError, match="tbhdup scan"):
        Store.open(where, write=False)
    assert not where.exists()
    with Store.open(where) as store:
        assert store.notes == ()
        info = store.info()
    assert (info.place, info.schema, info.files, info.folders, info.skipped) == (where, SCHEMA, 0, 0, 0)
    assert info.creator
    assert 0 < info.bytes < 1 << 20
    with Store.open(where, write=False) as store:
        assert store.info() == info


def test_an_empty_file_is_no_store_yet(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").touch()
    with pytest.raises(StoreError, match="tbhdup scan"):
        Store.open(tmp_path, write=False)
    assert (tmp_path / "data.mdb").stat().st_size == 0
    with Store.open(tmp_path) as store:
        assert store.check() == []


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for write in (True, False):
        with pytest.raises(StoreError, match="--store"):
            Store.open(tmp_path / "file", write=write)


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    with Store.open(tmp_path):
        with pytest.raises(StoreLocked, match="--store"):
            Store.open(tmp_path)
        other = subprocess.run(
            [sys.executable, "-c", READ.replace(", write=False", ""), str(tmp_path)], capture_output=True, text=True
        )
        assert "StoreLocked" in other.stderr
    Store.open(tmp_path).close()


def test_a_lock_that_cannot_be_taken_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "writer.lock").mkdir()
    with pytest.raises(StoreError, match="cannot be used"):
        Store.open(tmp_path)


def test_a_reader_is_not_held_up_by_a_writer(tmp_path: Path) -> None:
    def seen() -> str:
        return subprocess.run(
            [sys.executable, "-c", READ, str(tmp_path)], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    with Store.open(tmp_path) as store:
        store.put_files([a_file(b"/p/1")])
        assert seen() == "[]"
        store.commit()
        store.put_files([a_file(b"/p/2")])
        assert seen() == "[b'/p/1']"
    assert seen() == "[b'/p/1', b'/p/2']"


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with Store.open(tmp_path, write=False) as store:
        for attempt in (
            lambda: store.put_files([a_file()]),
            lambda: store.forget_files([b"/p/1"]),
            lambda: store.put_pictures("m", pictures(1)),
        ):
            with pytest.raises(StoreError, match="reading only"):
                attempt()
        store.commit()


def test_the_same_store_twice_in_one_process_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path), pytest.raises(StoreError, match="already open"):
        Store.open(tmp_path, write=False)


@pytest.mark.parametrize("write", [True, False])
def test_schemas_of_other_versions_are_refused(tmp_path: Path, write: bool) -> None:
    Store.open(tmp_path).close()
    set_meta(tmp_path, b"schema", b"%d" % (SCHEMA + 1))
    with pytest.raises(StoreTooNew, match="upgrade"):
        Store.open(tmp_path, write=write)
    set_meta(tmp_path, b"schema", b"0")
    with pytest.raises(StoreError, match="tbhdup scan"):
        Store.open(tmp_path, write=write)
    set_meta(tmp_path, b"schema", b"one\n")
    with pytest.raises(StoreError, match="damaged") as caught:
        Store.open(tmp_path, write=write)
    assert "\n" not in str(caught.value)
    set_meta(tmp_path, b"schema", b"%d" % SCHEMA)
    Store.open(tmp_path, write=write).close()


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("content", [b"abc", b"\0" * 20000, b"a picture, perhaps" * 1000])
def test_garbage_is_refused_and_left_alone(tmp_path: Path, content: bytes, write: bool) -> None:
    data = tmp_path / "data.mdb"
    data.write_bytes(content)
    with pytest.raises(StoreError, match="tbhdup scan") as caught:
        Store.open(tmp_path, write=write)
    assert "\n" not in str(caught.value)
    assert data.read_bytes() == content


@pytest.mark.parametrize("write", [True, False])
def test_a_store_that_was_cut_short_is_refused(tmp_path: Path, write: bool) -> None:
    with Store.open(tmp_path) as store:
        store.put_pictures("m", pictures(500))
        store.commit()
        used = store.info().bytes
    os.truncate(tmp_path / "data.mdb", used - 4096)
    with pytest.raises(StoreError, match="cut short"):
        Store.open(tmp_path, write=write)


@pytest.mark.parametrize("write", [True, False])
def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path, write: bool) -> None:
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as txn:
        txn.put(b"theirs", b"value")
    before = (tmp_path / "data.mdb").read_bytes()
    with pytest.raises(StoreError, match="no store of tbhdup"):
        Store.open(tmp_path, write=write)
    assert (tmp_path / "data.mdb").read_bytes() == before


@pytest.mark.parametrize("write", [True, False])
def test_a_store_without_its_databases_is_damaged(tmp_path: Path, write: bool) -> None:
    Store.open(tmp_path).close()
    with past_the_store(tmp_path) as (env, txn):
        txn.drop(env.open_db(b"files", txn))
    with pytest.raises(StoreError, match="'files' is missing"):
        Store.open(tmp_path, write=write)


def use_in_child(store: Store, answers: multiprocessing.queues.Queue[str]) -> None:
    uses = [
        store.commit,
        lambda: store.folder(b"/p"),
        lambda: store.put_files([a_file()]),
        lambda: store.has_picture("m", b"d" * 16),
        lambda: store.pictures("m"),
        store.info,
        store.check,
    ]
    refused = 0
    for use in uses:
        try:
            use()
        except StoreError as error:
            refused += "forked" in str(error)
    with store:  # closing here must not disturb the parent
        pass
    answers.put(f"{refused} of {len(uses)}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_store_that_was_opened_before_a_fork_is_refused(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    with Store.open(tmp_path) as store:
        store.put_files([a_file()])
        child = context.Process(target=use_in_child, args=(store, answers))
        child.start()
        assert answers.get(timeout=20) == "7 of 7"
        child.join()
        assert child.exitcode == 0
        with pytest.raises(StoreLocked):
            Store.open(tmp_path)
        assert list(store.files()) == [a_file()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_the_lock_ends_with_its_owner_not_with_a_child(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    store.close()
    Store.open(tmp_path).close()
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.folder(b"/p")
    with pytest.raises(StoreError, match="closed"):
        store.put_files([a_file()])


MOUNTS = rb"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:40 / /home rw shared:2 master:1 - nfs4 server:/home rw,vers=4.2
41 40 8:2 / /home/local rw - btrfs /dev/sdb rw
42 22 0:42 / /mnt/two\040words rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("/home", "nfs4"),
        ("/home/me/store", "nfs4"),
        ("/home/local/store", None),
        ("/homely", None),
        ("/mnt/two words/store", "cifs"),
        ("/", None),
    ],
)
def test_network_file_systems_are_known_from_the_table_of_mounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, kind: str | None
) -> None:
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "mountinfo")
    assert place.network_file_system(Path(where)) is None, "without a table"
    (tmp_path / "mountinfo").write_bytes(MOUNTS)
    assert place.network_file_system(Path(where)) == kind


def test_a_store_on_a_network_file_system_carries_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "mountinfo")
    (tmp_path / "mountinfo").write_bytes(MOUNTS.replace(b"ext4", b"nfs"))
    with Store.open(tmp_path / "store") as store:
        (note,) = store.notes
    assert "(nfs)" in note
    assert "\n" not in note
