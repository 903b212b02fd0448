from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import digests, files, names, pictures, verdicts

from tbhdup.store import HIT, PICTURE, TABLES
from tbhdup.store.records import (
    KEY_LIMIT,
    Damaged,
    file_key,
    folder_id,
    is_skipped,
    pack_file,
    pack_verdict,
    pair_key,
    table_entries,
    table_key,
    unpack_file,
    unpack_verdict,
)
from tbhdup.values import File, Verdict


@given(file=files())
def test_a_file_comes_back_as_it_was(file: File) -> None:
    folder, name = os.path.split(file.path)
    key = file_key(folder_id(folder), name)
    record = pack_file(key, name, file)
    assert len(key) <= KEY_LIMIT
    assert unpack_file(os.path.join(folder, b""), key, record) == (name, file)
    assert is_skipped(record) == (file.skip is not None)


@given(one=names, other=names, folder=st.binary(min_size=8, max_size=8))
def test_names_have_keys_of_their_own(one: bytes, other: bytes, folder: bytes) -> None:
    assert (file_key(folder, one) == file_key(folder, other)) == (one == other)


@given(file=files(), cut=st.integers(0, 60))
def test_a_file_that_is_cut_off_is_damaged(file: File, cut: int) -> None:
    folder, name = os.path.split(file.path)
    key = file_key(folder_id(folder), name)
    record = pack_file(key, name, file)
    with pytest.raises(Damaged):
        unpack_file(folder + b"/", key, record[: min(cut, 50)])


@given(verdict=verdicts)
def test_a_verdict_comes_back_as_it_was(verdict: Verdict) -> None:
    assert unpack_verdict(pack_verdict(verdict)) == verdict


@given(verdict=verdicts, data=st.data())
def test_a_verdict_of_another_length_is_damaged(verdict: Verdict, data: st.DataObject) -> None:
    record = pack_verdict(verdict)
    with pytest.raises(Damaged):
        unpack_verdict(record[: data.draw(st.integers(0, len(record) - 1))])
    with pytest.raises(Damaged):
        unpack_verdict(record + b"\0")


@given(garbage=st.binary(max_size=200))
def test_garbage_is_read_or_damaged_but_never_an_accident(garbage: bytes) -> None:
    for unpack in (unpack_verdict, lambda raw: unpack_file(b"/a/", b"12345678name", raw)):
        try:
            unpack(garbage)
        except Damaged as error:
            assert "\n" not in str(error)


@given(a=digests, b=digests)
def test_a_pair_has_one_key_and_one_order(a: bytes, b: bytes) -> None:
    if a < b:
        assert pair_key(a, b) == a + b
    else:
        with pytest.raises(ValueError, match="smaller first"):
            pair_key(a, b)


def test_values_of_the_wrong_size_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        pair_key(b"short", b"z" * 16)
    for table, substring in ((-1, 0), (TABLES, 0), (0, -1), (0, 1 << 16)):
        with pytest.raises(ValueError, match="no substring"):
            table_key(table, substring)


def test_records_have_the_promised_layout() -> None:
    assert PICTURE.itemsize == 163
    assert HIT.itemsize == 24
    row = pictures(1)
    assert row.tobytes()[:16] == row["digest"].tobytes()


@pytest.mark.parametrize("count", [0, 1, 50])
def test_entries_spread_the_code_over_the_tables_lowest_bits_first(count: int) -> None:
    rows = pictures(count)
    for table in range(TABLES):
        entries = table_entries(rows, table)
        assert [key for key, _ in entries] == sorted(key for key, _ in entries)
        expected = {
            (table_key(table, int(code) >> 16 * table & 0xFFFF), int(code).to_bytes(8, "little") + raw.tobytes())
            for code, raw in zip(rows["code"], rows["digest"], strict=True)
        }
        assert set(entries) == expected
        assert len(entries) == count
    assert np.frombuffer(b"".join(hit for _, hit in table_entries(rows, 0)), HIT).shape == (count,)
