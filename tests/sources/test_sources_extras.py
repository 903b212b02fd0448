"""HEIF, JPEG XL and raw files: decoded with their packages, a skip that names the extra without them."""

from __future__ import annotations

import struct
import subprocess
import sys

import corpus
import imagecodecs
import numpy as np
import pytest
from corpus import FORMATS, dng, encode, encoded, quarters
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tbhdup.sources import PIXEL_LIMIT, Unusable, decode, installed_since
from tbhdup.sources.decoding import PREVIEW_LEAST
from tbhdup.sources.extras import jpeg_xl_size
from tbhdup.sources.kinds import kind
from tbhdup.values import Reason

PACKAGES = {"HEIF": ("heic", "pi_heif"), "JPEG XL": ("jxl", "imagecodecs"), "camera raw": ("raw", "rawpy")}


def refusal(data: bytes) -> Unusable:
    with pytest.raises(Unusable) as caught:
        decode(data)
    return caught.value


@pytest.mark.parametrize("name", PACKAGES)
def test_without_its_package_a_format_is_a_skip_that_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra, module = PACKAGES[name]
    data = encoded(name)
    monkeypatch.setitem(sys.modules, module, None)
    error = refusal(data)
    assert (error.reason, error.detail) == (Reason.UNSUPPORTED, f"{name}: pip install 'tbhdup[{extra}]'")
    assert not installed_since(error.detail)
    monkeypatch.undo()
    assert installed_since(error.detail)
    assert installed_since(name)  # as version 0.1.0 has said it
    assert not installed_since("PSD")


def test_an_imagecodecs_without_jpeg_xl_is_no_damage_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def stub(*arguments: object, **options: object) -> None:  # what stands in for a codec that was not built
        raise imagecodecs.DelayedImportError("jpegxl_decode")

    data = encoded("JPEG XL")
    monkeypatch.setattr(imagecodecs, "jpegxl_decode", stub)
    assert refusal(data).reason is Reason.UNSUPPORTED


def test_decoding_imports_no_package_that_it_does_not_need() -> None:
    code = (
        "import sys; from tbhdup.sources import decode; decode(sys.stdin.buffer.read())\n"
        "assert not {'pi_heif', 'imagecodecs', 'rawpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], input=encoded("JPEG"), check=True)


@pytest.mark.parametrize("name", ["photo", "dated", "turned", "ten_bits"])
def test_heif_of_every_kind_comes_out_upright(name: str) -> None:
    decoded = decode((FORMATS / f"{name}.heic").read_bytes())
    assert (decoded.format, decoded.width, decoded.height, decoded.image.size) == ("HEIF", 96, 64, (96, 64))
    assert corpus.corners(decoded.image) == (0, 1, 2, 3)


def test_transparency_of_heif_and_jpeg_xl_is_shown_on_white() -> None:
    clear = quarters()
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    jxl = imagecodecs.jpegxl_encode(np.asarray(clear))
    for data in ((FORMATS / "clear.heic").read_bytes(), jxl):
        pixels = np.asarray(decode(data).image)
        assert pixels[1].min() > 240
        assert corpus.corners(pixels)[2:] in ((2, 3), (3, 3))


def test_heif_in_another_code_is_not_supported() -> None:
    error = refusal(encoded("AVIF").replace(b"avif", b"heic"))
    assert error.reason is Reason.UNSUPPORTED
    assert "\n" not in error.detail


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"hevx"])
def test_a_heif_by_its_brands(brand: bytes) -> None:
    assert kind(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic") == "HEIF"


def test_jpeg_xl_of_every_kind() -> None:
    photo = np.asarray(quarters())
    encode_jxl = imagecodecs.jpegxl_encode
    turned = encode(corpus.stored_as(6), "JPEG", exif=corpus.orientation(6))
    for data in (
        encode_jxl(photo),
        encode_jxl(photo.astype(np.uint16) * 257),
        encode_jxl((photo / 255).astype(np.float32)),
        encode_jxl(np.stack([photo, photo[::-1]]), photometric="rgb"),  # two frames
        encode_jxl(photo, usecontainer=True),
        imagecodecs.jpegxl_encode_jpeg(encode(quarters(), "JPEG")),
        imagecodecs.jpegxl_encode_jpeg(turned),
    ):
        decoded = decode(data)
        assert (decoded.format, decoded.width, decoded.height) == ("JPEG XL", 96, 64)
        assert corpus.corners(decoded.image) == (0, 1, 2, 3)
    grey = decode(encode_jxl(photo[..., 1].astype(np.uint16) * 257))
    assert np.abs(np.asarray(grey.image)[..., 0].astype(int) - photo[..., 1]).max() <= 3


@given(st.integers(1, 700), st.integers(1, 700), st.booleans())
@settings(deadline=None, max_examples=40)
def test_the_size_of_a_jpeg_xl_is_read_from_its_header(width: int, height: int, container: bool) -> None:
    data = imagecodecs.jpegxl_encode(np.zeros((height, width), np.uint8), effort=1, usecontainer=container)
    assert jpeg_xl_size(data) == (width, height)


def test_a_jpeg_xl_that_is_too_large_is_not_decoded() -> None:
    bits, at = 0, 0
    for value, count in ((0, 1), (3, 2), (39_999, 30), (0, 3), (3, 2), (39_999, 30)):
        bits |= value << at
        at += count
    header = b"\xff\x0a" + bits.to_bytes(10, "little") + bytes(50)
    assert jpeg_xl_size(header) == (40_000, 40_000)
    assert refusal(header).reason is Reason.TOO_LARGE
    assert refusal(header[:8]).reason is Reason.TRUNCATED
    assert PIXEL_LIMIT < 40_000**2


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
@pytest.mark.parametrize("jpeg", [True, False])
def test_a_raw_file_is_seen_by_its_preview(turn: int, jpeg: bool) -> None:
    grey = corpus.stored_as(turn).convert("L").convert("RGB")  # to tell it from what the sensor saw
    decoded = decode(dng(grey, turn, jpeg))
    assert (decoded.format, decoded.width, decoded.height, decoded.image.size) == ("camera raw", 96, 64, (96, 64))
    pixels = np.asarray(decoded.image, np.int16)
    assert np.ptp(pixels, axis=2).max() < 12
    assert np.abs(pixels - np.asarray(quarters().convert("L"), np.int16)[..., None]).mean() < 4


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_raw_file_without_a_fit_preview_is_developed(turn: int) -> None:
    stored = corpus.stored_as(turn).convert("L").convert("RGB")
    broken = bytearray(dng(stored, turn))
    at = broken.index(b"\xff\xd8\xff")
    broken[at : at + 300] = bytes(300)
    for data in (
        dng(None, turn),
        dng(stored.resize((20, 16)), turn),  # too small
        dng(stored.crop((0, 0, 60, 60)), turn),  # cut
        bytes(broken),
    ):
        decoded = decode(data)
        assert (decoded.width, decoded.height, decoded.image.size) == (96, 64, (48, 32))
        assert corpus.corners(decoded.image) == (0, 1, 2, 3)


def test_a_large_preview_is_reduced_as_other_jpegs_are() -> None:
    large = quarters().resize((PREVIEW_LEAST * 2, PREVIEW_LEAST * 4 // 3))
    decoded = decode(dng(large), least=128)
    assert (decoded.width, decoded.height) == (96, 64)
    assert decoded.image.width == PREVIEW_LEAST // 4


def test_raw_files_by_content() -> None:
    assert kind(b"\0\0\0\x18ftypcrx \0\0\1crx isom") == "camera raw"
    assert kind(b"II*\0\x10\0\0\0CR\2\0" + bytes(20)) == "camera raw"
    assert kind(b"IIRO" + bytes(20)) == "camera raw"
    big_endian = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 262, 3, 1, 32803, 0, 0)
    assert kind(big_endian) == "camera raw"
    assert kind(big_endian.replace(struct.pack(">H", 32803), struct.pack(">H", 2))) == "TIFF"
    endless = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 262, 3, 1, 2, 0, 8)  # its directory leads to itself
    assert kind(endless) == "TIFF"


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_directories(data: bytes) -> None:
    assert kind(b"II*\0\x08\0\0\0" + data) in ("TIFF", "camera raw")
    assert kind(b"MM\0*\0\0\0\x08" + data) in ("TIFF", "camera raw")
