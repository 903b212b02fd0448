from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import digest, parts, pictures

from tbhdup.store import HIT, PICTURE, TABLES, Store, batch, records, store


def by_digest(rows: np.ndarray) -> np.ndarray:
    return rows[np.argsort([row.tobytes() for row in rows["digest"]])]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 60), seed=st.integers(0, 9), bits=st.sampled_from([1, 5, 20, 64]))
def test_pictures_and_buckets_are_those_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int, bits: int
) -> None:
    rows = pictures(count, seed, bits)
    place = tmp_path_factory.mktemp("store")
    with Store.open(place) as opened:
        opened.put_pictures("m", rows)
        assert all(opened.has_picture("m", digest(rows, at)) for at in range(count))
    with Store.open(place, write=False) as opened:
        assert opened.pictures("m").tobytes() == by_digest(rows).tobytes()
        assert all(opened.has_picture("m", digest(rows, at)) for at in range(count))
        for table in range(TABLES):
            substrings = (rows["code"] >> np.uint64(16 * table)) & np.uint64(0xFFFF)
            for substring in {0, 1, 77, 0xFFFF, *substrings.tolist()}:
                bucket = opened.bucket("m", table, substring)
                expected = rows[substrings == substring]
                assert bucket.dtype == HIT
                assert {hit.tobytes() for hit in bucket} == {
                    row["code"].tobytes() + row["digest"].tobytes() for row in expected
                }
                assert len(bucket) == len(expected)
        assert opened.check() == []


def test_pictures_by_digest_are_sorted_and_leave_out_the_unknown(tmp_path: Path) -> None:
    rows = pictures(20)
    with Store.open(tmp_path) as opened:
        opened.put_pictures("m", rows)
        wanted = [digest(rows, at) for at in (7, 3, 3, 11)] + [b"unknown-unknown-"]
        found = opened.pictures("m", wanted)
        assert found.tobytes() == by_digest(rows[[3, 7, 11]]).tobytes()
        assert found.flags.writeable
        with pytest.raises(ValueError, match="16 bytes"):
            opened.pictures("m", [b"short"])


def test_all_pictures_are_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHUNK", 8)
    rows = pictures(33)
    with Store.open(tmp_path) as opened:
        opened.put_pictures("m", rows)
        assert opened.pictures("m").tobytes() == by_digest(rows).tobytes()


def test_a_picture_that_is_put_again_leaves_no_trace_of_its_old_code(tmp_path: Path) -> None:
    rows = pictures(30, code_bits=20)
    other = pictures(30, seed=1, code_bits=20)
    other["digest"] = rows["digest"]
    other["code"][:10] = rows["code"][:10]
    with Store.open(tmp_path) as opened:
        opened.put_pictures("m", rows)
        opened.commit()
        opened.put_pictures("m", rows[::-1])
        opened.put_pictures("m", other)
        assert opened.pictures("m").tobytes() == by_digest(other).tobytes()
        assert opened.check() == []
        code = int(other["code"][20])
        assert digest(other, 20) in [hit["digest"].tobytes() for hit in opened.bucket("m", 0, code & 0xFFFF)]


def test_models_do_not_see_each_other(tmp_path: Path) -> None:
    one, two = pictures(5, 1), pictures(5, 2)
    with Store.open(tmp_path) as opened:
        opened.put_pictures("one", one)
        opened.put_pictures("two", two)
        assert opened.has_picture("one", digest(one, 0))
        assert not opened.has_picture("two", digest(one, 0))
        assert not opened.has_picture("three", digest(one, 0))
        assert opened.pictures("one").tobytes() == by_digest(one).tobytes()
        assert opened.info().pictures == {"one": 5, "two": 5}
        assert opened.pictures("three").shape == opened.bucket("three", 0, 0).shape == (0,)
        assert opened.pictures("three").dtype == PICTURE


def test_many_pictures_at_once_are_committed_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "COMMIT_ROWS", 100)
    monkeypatch.setattr(store, "COMMIT_ROWS", 100)
    rows = pictures(250)
    pieces = parts(rows)
    with Store.open(tmp_path) as opened:
        opened.put_pictures("m", rows, pieces)
        assert opened._batch.rows == 50
        assert opened.pictures("m").tobytes() == by_digest(rows).tobytes()
        assert opened.parts("m").tobytes() == parts_by_digest(pieces).tobytes()


def test_the_store_keeps_its_own_copy(tmp_path: Path) -> None:
    rows = pictures(3)
    with Store.open(tmp_path) as opened:
        opened.put_pictures("m", rows)
        expected = by_digest(rows).tobytes()
        rows["code"] = 0
        assert opened.pictures("m").tobytes() == expected


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        with pytest.raises(ValueError, match="PICTURE"):
            opened.put_pictures("m", np.zeros(3, HIT))
        with pytest.raises(ValueError, match="PICTURE"):
            opened.put_pictures("m", np.zeros((3, 1), PICTURE))
        for model in ("", "m" * 401):
            with pytest.raises(ValueError, match="400 bytes"):
                opened.put_pictures(model, pictures(1))
        opened.put_pictures("m" * 400, pictures(1))
        assert opened.info().pictures == {"m" * 400: 1}


def parts_by_digest(rows: np.ndarray) -> np.ndarray:
    return rows[np.argsort([row.tobytes() for row in rows["digest"]], kind="stable")]


def test_parts_come_back_with_their_pictures_in_their_order(tmp_path: Path) -> None:
    rows = pictures(40)
    pieces = parts(rows)
    assert len(pieces) > 40
    with Store.open(tmp_path) as opened:
        assert len(opened.parts("m")) == 0
        opened.put_pictures("m", rows, pieces)
        assert opened.parts("m").tobytes() == parts_by_digest(pieces).tobytes()
    with Store.open(tmp_path, write=False) as opened:
        assert opened.parts("m").tobytes() == parts_by_digest(pieces).tobytes()
        wanted = [digest(rows, at) for at in (7, 3, 11)] + [b"unknown-unknown-"]
        mine = pieces[[row.tobytes() in wanted for row in pieces["digest"]]]
        assert opened.parts("m", wanted).tobytes() == parts_by_digest(mine).tobytes()
        assert len(opened.parts("another", wanted)) == 0
        assert opened.check() == []


def test_a_picture_that_is_put_again_has_its_new_parts_only(tmp_path: Path) -> None:
    rows = pictures(10)
    pieces = parts(rows)
    has = {row.tobytes() for row in pieces["digest"]}
    with Store.open(tmp_path) as opened:
        opened.put_pictures("m", rows, pieces)
        opened.commit()
        opened.put_pictures("m", rows[:5])
        left = {digest(rows, at) for at in range(5, 10)} & has
        assert {row.tobytes() for row in opened.parts("m")["digest"]} == left
        opened.put_pictures("m", rows, pieces)
        assert opened.parts("m").tobytes() == parts_by_digest(pieces).tobytes()
        assert opened.check() == []


def test_parts_of_other_pictures_are_refused(tmp_path: Path) -> None:
    rows = pictures(4)
    with Store.open(tmp_path) as opened:
        with pytest.raises(ValueError, match="put with them"):
            opened.put_pictures("m", rows[:1], parts(rows))
        with pytest.raises(ValueError, match="PART"):
            opened.put_pictures("m", rows, rows)


def test_thumbnails_come_back_whatever_the_model(tmp_path: Path) -> None:
    rows = pictures(20)
    kept = {digest(rows, at): bytes([at]) * (at + 1) for at in range(0, 20, 2)}
    with Store.open(tmp_path) as opened:
        assert opened.thumbnails(kept) == {}
        opened.put_pictures("one", rows, thumbnails=kept)
        assert opened.thumbnails([digest(rows, 4), digest(rows, 5), b"unknown-unknown-"]) == {
            digest(rows, 4): kept[digest(rows, 4)]
        }
        opened.put_pictures("two", rows[:1], thumbnails={digest(rows, 0): b"new"})
        assert opened.thumbnails(kept) == {**kept, digest(rows, 0): b"new"}
        with pytest.raises(ValueError, match="put with them"):
            opened.put_pictures("two", rows[:1], thumbnails=kept)
        assert opened.check() == []
