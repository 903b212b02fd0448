from __future__ import annotations

import os
from pathlib import Path

import corpus
import pytest
from corpus import FORMATS, encode, quarters
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tbhdup.sources import taken
from tbhdup.values import Taken

GPS = {1: "N", 2: (51.0, 3.0, 0.0), 3: "E", 4: (3.0, 43.0, 0.0)}


def exif(date: str | None = "2024:05:06 07:08:09", gps: dict[int, object] | None = None) -> Image.Exif:
    made = Image.Exif()
    made[0x0132] = "2024:05:06 07:08:09"  # of the last change, which is no time of a shot
    if date is not None:
        made[0x8769] = {0x9003: date}
    if gps is not None:
        made[0x8825] = gps
    return made


def told(path: Path, data: bytes) -> Taken:
    path.write_bytes(data)
    return taken(os.fsencode(path))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_date_and_place_by_format(tmp_path: Path, name: str) -> None:
    def of(made: Image.Exif) -> Taken:
        return told(tmp_path / "photo", encode(quarters(), name, exif=made.tobytes()))

    assert of(exif(gps=GPS)) == Taken(True, True)
    assert of(exif()) == Taken(dated=True)
    assert of(exif(None, GPS)) == Taken(located=True)
    assert of(exif(None)) == Taken()


def test_blank_values_tell_nothing(tmp_path: Path) -> None:
    for date in ("0000:00:00 00:00:00", "    :  :     :  :  ", ""):
        assert told(tmp_path / "photo", encode(quarters(), "JPEG", exif=exif(date, {1: "N"}))) == Taken()


def test_heif_and_raw_files_are_asked_and_others_tell_nothing(tmp_path: Path) -> None:
    assert taken(os.fsencode(FORMATS / "dated.heic")) == Taken(True, True)
    assert taken(os.fsencode(FORMATS / "photo.heic")) == Taken()
    assert told(tmp_path / "raw", corpus.dng(None)) == Taken()
    assert told(tmp_path / "gif", corpus.encoded("GIF")) == Taken()
    assert told(tmp_path / "jxl", corpus.encoded("JPEG XL")) == Taken()


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "nowhere", "."):
        assert taken(os.fsencode(tmp_path / name)) == Taken()
    assert told(tmp_path / "bomb.png", corpus.bomb(60000, 60000)) == Taken()


@given(
    st.sampled_from([b"", b"II*\0\x08\0\0\0", b"\xff\xd8\xff\xe1\0\xf0Exif\0\0II*\0\x08\0\0\0", b"\0\0\0\x18ftypheic"]),
    st.binary(max_size=300),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, magic: bytes, data: bytes) -> None:
    assert isinstance(told(tmp_path_factory.getbasetemp() / "any", magic + data), Taken)
