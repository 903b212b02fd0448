"""Lists and manifests: the paths they name, and what is wrong with some."""

from __future__ import annotations

import csv as csv_module
import os
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tbhdup.errors import Exit, MissingExtra, UsageError
from tbhdup.reports import csv as writing
from tbhdup.sources import Row, read_manifest, split_list

ODD = b'not utf-8 \xff, "quoted"\nline.jpg'


@given(st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name)))
def test_names_ended_by_nul_come_back(names: list[bytes]) -> None:
    assert split_list(b"".join(name + b"\0" for name in names)) == [os.path.abspath(name) for name in names]


def test_without_a_nul_it_is_one_a_line() -> None:
    here = os.fsencode(os.getcwd())
    assert split_list(b"/a\n\nb c\xff\n") == [b"/a", here + b"/b c\xff"]
    assert split_list(b"/last") == [b"/last"]
    assert split_list(b"") == []


def test_csv_keeps_bytes_and_starts_from_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [(writing.text(ODD), "train", "cat"), ("/abs/b.jpg", "", ""), ("../c.jpg", "test", "")]
    path.write_bytes(b"\xef\xbb\xbf" + b"".join(map(writing.line, [("path", "set", "label"), *rows])))
    folder = os.fsencode(tmp_path)
    assert read_manifest(os.fsencode(path)) == {
        os.path.join(folder, ODD): Row("train", "cat"),
        b"/abs/b.jpg": Row(),
        os.path.join(os.path.dirname(folder), b"c.jpg"): Row("test"),
    }


def test_parquet_says_the_same_with_text_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {"label": [1, None], "path": pa.array([ODD, b"x.jpg"], pa.binary()), "split": ["a", None], "more": [0, 0]}
    )
    parquet.write_table(table, path, row_group_size=1)
    folder = os.fsencode(tmp_path)
    expected = {os.path.join(folder, ODD): Row("a", "1"), os.path.join(folder, b"x.jpg"): Row()}
    assert read_manifest(os.fsencode(path)) == expected
    parquet.write_table(pa.table({"path": ["é.jpg"]}), path)
    assert read_manifest(os.fsencode(path)) == {os.path.join(folder, "é.jpg".encode()): Row()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "column called path"), (b"file\na.jpg\n", "column called path"), (b"path,split\n,train\n", "row 1"),
        (b"path,split\na,x\na,y\n", "something else"), (b'path\n"a\nb', "a.csv"), (b"path\na\0b\n", "a.csv"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_costs_one_line(tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "a.csv").write_bytes(text)
    with pytest.raises(UsageError, match=words) as caught:
        read_manifest(os.fsencode(tmp_path / "a.csv"))
    assert "\n" not in str(caught.value)


def test_no_parquet_no_file_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(UsageError, match="No such file"):
        read_manifest(os.fsencode(path))
    path.write_bytes(b"PAR1 no parquet")
    with pytest.raises(UsageError):
        read_manifest(os.fsencode(path))
    parquet.write_table(pa.table({"name": ["a"]}), path)
    with pytest.raises(UsageError, match="column called path"):
        read_manifest(os.fsencode(path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"tbhdup\[datasets\]") as caught:
        read_manifest(os.fsencode(path))
    assert caught.value.exit_code is Exit.FAILED


def test_the_same_row_twice_is_one(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv_module.writer(file).writerows([("path",), ("a.jpg",), ("./a.jpg",)])
    assert list(read_manifest(os.fsencode(tmp_path / "a.csv"))) == [os.fsencode(tmp_path / "a.jpg")]
