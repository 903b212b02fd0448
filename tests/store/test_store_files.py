from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import a_file, files, folders, names, past_the_store

from tbhdup.errors import StoreError
from tbhdup.store import Store, store
from tbhdup.store.records import folder_id
from tbhdup.values import File, Reason

few = settings(max_examples=25, deadline=None)


def by_path(rows: list[File]) -> dict[bytes, File]:
    return {file.path: file for file in rows}


@few
@given(rows=st.lists(files(), max_size=12))
def test_any_files_come_back_by_folder_and_as_a_whole(
    tmp_path_factory: pytest.TempPathFactory, rows: list[File]
) -> None:
    place = tmp_path_factory.mktemp("store")
    expected = by_path(rows)
    with Store.open(place) as opened:
        opened.put_files(rows)
        pending = {folder: opened.folder(folder) for folder in map(os.path.dirname, expected)}
    with Store.open(place, write=False) as opened:
        for folder, found in pending.items():
            inside = {os.path.basename(p): file for p, file in expected.items() if os.path.dirname(p) == folder}
            assert found == inside
            assert opened.folder(folder) == inside
        assert by_path(list(opened.files())) == expected
        assert opened.info().files == len(expected)
        assert opened.info().skipped == sum(file.skip is not None for file in expected.values())


@few
@given(
    parts=st.lists(st.lists(st.sampled_from([b"a", b"b", b"a.b", b"a-", b"ab"]), min_size=1, max_size=4), max_size=25),
    tops=st.lists(st.lists(st.sampled_from([b"a", b"b", b"a.b"]), max_size=3), max_size=3),
    slash=st.booleans(),
)
def test_files_are_sorted_by_path_and_chosen_as_by_brute_force(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[bytes]], tops: list[list[bytes]], slash: bool
) -> None:
    paths = {b"/" + b"/".join(part) + b".jpg" for part in parts}
    under = [b"/" + b"/".join(top) + b"/" * (slash and bool(top)) for top in tops] + sorted(paths)[:1]
    with Store.open(tmp_path_factory.mktemp("store")) as opened:
        opened.put_files(a_file(path) for path in paths)
        assert [file.path for file in opened.files()] == sorted(paths)
        roots = [top.rstrip(b"/") for top in under]
        chosen = [p for p in sorted(paths) if any(p == root or p.startswith(root + b"/") for root in roots)]
        assert [file.path for file in opened.files(under)] == chosen
        assert list(opened.files([])) == []


def test_a_long_folder_is_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CHUNK", 7)
    paths = sorted(b"/photos/%03d.jpg" % number for number in range(50)) + sorted(b"/q/%d" % n for n in range(7))
    with Store.open(tmp_path) as opened:
        opened.put_files(map(a_file, paths))
        assert [file.path for file in opened.files()] == paths
        seen = []
        for file in opened.files():  # the caller may write meanwhile
            opened.forget_files([file.path])
            opened.commit()
            seen.append(file.path)
        assert seen == paths
        assert list(opened.files()) == []


def test_the_last_row_of_a_path_counts(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        opened.put_files([a_file(size=1), a_file(size=2)])
        opened.commit()
        opened.put_files([a_file(size=3)])
        assert opened.folder(b"/photos") == {b"a.jpg": a_file(size=3)}
        assert [file.size for file in opened.files()] == [3]


def test_a_skipped_file_keeps_its_reason(tmp_path: Path) -> None:
    skipped = [a_file(b"/p/" + reason.encode(), digest=None, skip=reason, detail="why\nso") for reason in Reason]
    with Store.open(tmp_path) as opened:
        opened.put_files(skipped)
        assert opened.info().skipped == len(Reason)
        assert sorted(opened.folder(b"/p").values(), key=str) == sorted(skipped, key=str)
        assert opened.check() == []


@few
@given(folder=folders, kept=names, gone=names)
def test_forgotten_files_are_gone_before_and_after_the_commit(
    tmp_path_factory: pytest.TempPathFactory, folder: bytes, kept: bytes, gone: bytes
) -> None:
    prefix = os.path.join(folder, b"")
    with Store.open(tmp_path_factory.mktemp("store")) as opened:
        opened.put_files([a_file(prefix + kept, inode=1, digest=None, skip=Reason.EMPTY)])
        opened.put_files([a_file(prefix + gone, inode=2, digest=None, skip=Reason.EMPTY)])
        for _ in range(2):
            opened.commit()
            opened.forget_files([prefix + gone, b"/never/known"])
            assert set(opened.folder(folder)) == {kept} - {gone}
            opened.commit()
            assert set(opened.folder(folder)) == {kept} - {gone}
        assert opened.moved(1, 2, 10, 20) is None
        assert opened.check() == []
        opened.forget_files([prefix + kept])
        assert opened.info().folders == 0


def test_a_moved_file_is_known_by_its_inode(tmp_path: Path) -> None:
    file = a_file()
    with Store.open(tmp_path) as opened:
        opened.put_files([file])
        for _ in range(2):
            assert opened.moved(1, 7, 10, 20) == file.digest
            assert opened.moved(1, 7, 11, 20) is None, "another size"
            assert opened.moved(1, 7, 10, 21) is None, "another time"
            assert opened.moved(2, 7, 10, 20) is None, "another device"
            assert opened.moved(1, 8, 10, 20) is None, "another inode"
            opened.commit()
        moved = a_file(b"/elsewhere/b.jpg")
        opened.put_files([moved])
        opened.forget_files([file.path])
        assert opened.moved(1, 7, 10, 20) == file.digest
        opened.commit()
        assert opened.moved(1, 7, 10, 20) == file.digest
        assert [row.path for row in opened.files()] == [moved.path]


def test_a_moved_file_is_not_taken_for_what_has_its_inode_now(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        opened.put_files([a_file(inode=7)])
        opened.commit()
        opened.put_files([a_file(inode=8)])  # replaced by another file
        assert opened.moved(1, 7, 10, 20) is None
        opened.commit()
        assert opened.moved(1, 7, 10, 20) is None
        opened.forget_files([b"/photos/a.jpg"])
        assert opened.moved(1, 8, 10, 20) is None


def test_files_without_inodes_or_digests_are_not_found_by_them(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        opened.put_files([a_file(inode=0), a_file(b"/photos/b.jpg", inode=9, digest=None, skip=Reason.TRUNCATED)])
        opened.commit()
        assert opened.moved(1, 0, 10, 20) is None
        assert opened.moved(1, 9, 10, 20) is None


def test_hard_links_share_an_inode(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        opened.put_files([a_file(b"/x/one"), a_file(b"/y/two")])
        opened.commit()
        assert opened.moved(1, 7, 10, 20) == b"d" * 16
        assert len(list(opened.files())) == 2
        opened.forget_files([b"/x/one", b"/y/two"])
        assert opened.moved(1, 7, 10, 20) is None


@pytest.mark.parametrize("path", [b"relative.jpg", b"", b"/", b"/folder/"])
def test_paths_must_be_those_of_files(tmp_path: Path, path: bytes) -> None:
    with Store.open(tmp_path) as opened:
        with pytest.raises(ValueError, match="absolute"):
            opened.put_files([a_file(path)])
        with pytest.raises(ValueError, match="absolute"):
            opened.forget_files([path])


def test_folders_with_the_same_id_are_never_mixed_up(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        opened.put_files([a_file()])
    with past_the_store(tmp_path) as (env, txn):
        txn.put(folder_id(b"/photos"), b"/other", db=env.open_db(b"folders", txn, create=False))
    with pytest.raises(StoreError, match="same id"), Store.open(tmp_path) as opened:
        assert opened.folder(b"/photos") == {}
        opened.put_files([a_file()])
