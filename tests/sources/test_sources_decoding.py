from __future__ import annotations

import struct
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import corpus
import numpy as np
import pytest
from corpus import encode, encoded, quarters
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, TiffImagePlugin

from tbhdup.sources import FORMATS, PIXEL_LIMIT, Unusable, decode
from tbhdup.values import Reason


def refusal(data: bytes) -> Unusable:
    with pytest.raises(Unusable) as caught:
        decode(data)
    return caught.value


def pixel(image: Image.Image) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(decode(encode(image, "PNG")).image)[0, 0])


def test_the_order_of_formats_is_what_stores_hold() -> None:
    assert FORMATS == (
        "JPEG",
        "PNG",
        "WEBP",
        "GIF",
        "BMP",
        "TIFF",
        "AVIF",
        "JPEG2000",
        "MPO",
        "HEIF",
        "JPEG XL",
        "camera raw",
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_by_content(name: str) -> None:
    decoded = decode(encoded(name))
    assert (decoded.format, decoded.width, decoded.height) == (name, 96, 64)
    assert decoded.image.mode == "RGB"
    assert corpus.corners(decoded.image) == (0, 1, 2, 3)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_comes_out_upright(name: str, turn: int) -> None:
    decoded = decode(encode(corpus.stored_as(turn), name, exif=corpus.orientation(turn)))
    assert (decoded.width, decoded.height) == decoded.image.size == (96, 64)
    assert corpus.corners(decoded.image) == (0, 1, 2, 3)


def test_orientation_of_a_compressed_tiff_counts_once() -> None:
    data = encode(corpus.stored_as(6), "TIFF", exif=corpus.orientation(6), compression="tiff_lzw")
    assert decode(data).image.size == (96, 64)
    assert corpus.corners(decode(data).image) == (0, 1, 2, 3)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@given(
    st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda tail: b"II*\0\x08\0\0\0\x01\0\x12\x01" + tail))
)
@settings(deadline=None, max_examples=60)
def test_broken_exif_does_not_matter(name: str, exif: bytes) -> None:
    decoded = decode(encode(quarters(), name, exif=b"Exif\0\0" + exif))
    assert sorted(decoded.image.size) == [64, 96]


def test_a_tiff_whose_exif_pointer_leads_nowhere() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[ExifTags.Base.ExifOffset] = 4
    tags[ExifTags.Base.ExifOffset] = 999_999
    assert decode(encode(quarters(), "TIFF", tiffinfo=tags)).width == 96


def test_transparency_is_shown_on_white() -> None:
    clear, half = Image.new("RGBA", (8, 8), (10, 20, 30, 0)), Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert pixel(clear) == (255, 255, 255)
    assert pixel(half) == (127, 127, 127)
    assert pixel(Image.new("LA", (8, 8), (10, 0))) == (255, 255, 255)
    assert pixel(Image.new("RGBA", (8, 8), (10, 20, 30, 255))) == (10, 20, 30)


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_transparency_of_a_palette(transparency: int | bytes) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.putpixel((4, 4), 1)
    pixels = np.asarray(decode(encode(image, "PNG", transparency=transparency)).image)
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[4, 4]) == (0, 200, 0)


def test_the_first_frame_counts() -> None:
    for name in ("GIF", "WEBP", "TIFF", "AVIF"):
        assert corpus.corners(decode(corpus.animated(name)).image) == (0, 1, 2, 3), name


@pytest.mark.parametrize("value", [0, 128, 257, 32896, 65535])
def test_sixteen_bits_become_eight(value: int) -> None:
    for name in ("PNG", "TIFF"):
        data = encode(Image.fromarray(np.full((4, 4), value, np.uint16)), name)
        assert np.asarray(decode(data).image)[0, 0].tolist() == [round(value / 257)] * 3


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        (np.float32([[0, 0.5, 1]]), [0, 128, 255]),
        (np.float32([[0, 0.25, 0.5]]), [0, 64, 128]),  # dark stays dark
        (np.float32([[0, 100, 200]]), [0, 100, 200]),
        (np.float32([[0, 25700, 65535]]), [0, 100, 255]),
        (np.float32([[-1, 0, 1]]), [0, 128, 255]),
        (np.float32([[-3e38, 0, 3e38]]), [0, 128, 255]),
        (np.float32([[np.nan, np.inf, 1]]), [0, 0, 255]),
        (np.float32([[-1, -1, -1]]), [0, 0, 0]),
        (np.int32([[0, 25700, 65535]]), [0, 100, 255]),
        (np.int32([[0, 1 << 30, 1 << 31 - 1]]), [0, 255, 255]),
    ],
)
def test_floats_and_whole_numbers_by_their_range(values: np.ndarray, grey: list[int]) -> None:
    decoded = decode(encode(Image.fromarray(values), "TIFF"))
    assert np.abs(np.asarray(decoded.image)[0, :, 0].astype(int) - grey).max() <= 1


def test_cmyk_keeps_its_colours() -> None:
    for name in ("JPEG", "TIFF"):
        assert corpus.corners(decode(encode(quarters().convert("CMYK"), name)).image) == (0, 1, 2, 3)


@pytest.mark.parametrize("turn", [1, 6])
def test_least_reduces_a_jpeg_only_so_far(turn: int) -> None:
    large = corpus.stored_as(turn).resize((2000, 1400) if turn == 1 else (1400, 2000))
    data = encode(large, "JPEG", exif=corpus.orientation(turn))
    decoded = decode(data, least=128)
    assert (decoded.width, decoded.height) == (2000, 1400)
    assert decoded.image.size == (250, 175)
    assert corpus.corners(decoded.image) == (0, 1, 2, 3)
    assert decode(data, least=400).image.size == (1000, 700)
    assert decode(data, least=5000).image.size == decode(data).image.size == (2000, 1400)


def test_least_leaves_other_formats_and_small_pictures_alone() -> None:
    for name in FORMATS:
        assert decode(encoded(name), least=64).image.size == (96, 64)


def test_least_reduces_an_mpo_too() -> None:
    large = quarters().resize((960, 640))
    decoded = decode(encode(large, "MPO", save_all=True, append_images=[large]), least=100)
    assert (decoded.format, decoded.width, decoded.image.size) == ("MPO", 960, (240, 160))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"8BPS\0\1", "PSD"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0", "EPS"),
        (b"P6\n2 2\n255\n", "PNM"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg>', "SVG"),
    ],
)
def test_pictures_of_other_kinds_are_told_apart(data: bytes, kind: str) -> None:
    error = refusal(data + bytes(50))
    assert (error.reason, error.detail) == (Reason.UNSUPPORTED, kind)


def test_colours_that_cannot_be_converted_are_unsupported() -> None:
    assert refusal(encode(Image.merge("LAB", quarters().split()), "TIFF")).reason is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"BM",
        b"BMW is no bitmap, whatever one thinks",
        b"P",
        b"<html>",
        b"\0\0\0\x18ftypmp42\0\0\0\0isommp42",
    ],
)
def test_what_is_no_picture(data: bytes) -> None:
    assert refusal(data).reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "HEIF", "JPEG XL"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_data_that_end_early_are_truncated(name: str, share: float) -> None:
    data = encoded(name)
    assert refusal(data[: int(len(data) * share)]).reason is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (struct.pack(">I4sQ", 1, b"mdat", 5000), Reason.TRUNCATED),  # its length in 64 bits
        (struct.pack(">I4s", 0, b"mdat") + bytes(50), Reason.CORRUPT),  # to the end of the file, however long
        (struct.pack(">I4s", 5000, b"mdat"), Reason.TRUNCATED),
    ],
)
def test_an_avif_that_ends_inside_a_box_is_truncated(box: bytes, reason: Reason) -> None:
    data = encoded("AVIF")
    file_type = data[: int.from_bytes(data[:4], "big")]
    assert refusal(file_type + box).reason is reason


def test_nonsense_is_corrupt() -> None:
    png = bytearray(encoded("PNG"))
    png[60:90] = bytes(30)
    assert refusal(bytes(png)).reason is Reason.CORRUPT
    gif = bytearray(encoded("GIF"))
    gif[-60:-30] = b"\xff" * 30
    assert refusal(bytes(gif)).reason is Reason.CORRUPT


def test_bombs_are_found_on_the_header() -> None:
    gif = bytearray(encoded("GIF"))
    frame = gif.index(b"\x2c", 13 + 3 * 2 ** ((gif[10] & 7) + 1))
    gif[frame + 5 : frame + 9] = b"\xff" * 4
    webp = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6
    started = time.perf_counter()
    for data in (corpus.bomb(20000, 10001), corpus.bomb(2**31 - 1, 2**31 - 1), webp, bytes(gif)):
        assert refusal(data).reason is Reason.TOO_LARGE
    assert time.perf_counter() - started < 2
    assert PIXEL_LIMIT == 200_000_000


def test_no_warning_comes_through_even_as_an_error() -> None:
    """A child with -W error: large pictures, a malformed MPO and a TIFF with odd tags would warn."""
    code = """
import corpus, threading, warnings
from PIL import Image, TiffImagePlugin
from tbhdup.sources import decode
before = list(warnings.filters)
wide = corpus.encode(Image.new("1", (10000, 9500)), "PNG")
assert decode(wide).width == 10000
mpo = corpus.encoded("MPO")
at = mpo.index(b"MPF\\0") + 4
assert decode(mpo[:at] + b"II*\\0\\xff\\xff\\xff\\x7f" + mpo[at + 8:]).width == 96
tags = TiffImagePlugin.ImageFileDirectory_v2()
tags.tagtype[269] = 2
tags[269] = "name" * 50
tiff = corpus.encode(corpus.quarters(), "TIFF", tiffinfo=tags)
assert decode(tiff.replace(b"\\x0d\\x01\\x02\\x00\\xc9\\0\\0\\0", b"\\x0d\\x01\\x02\\x00\\xff\\xff\\xff\\x7f")).width == 96
assert warnings.filters == before
"""
    path = str(corpus.__file__).rsplit("/", 1)[0]
    subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {path!r})\n{code}"], check=True
    )


def test_threads_agree_and_leave_the_warning_filters_alone() -> None:
    files = [data for data, _ in (corpus.good() | corpus.odd() | corpus.bad()).values()] * 4

    def outcome(data: bytes) -> object:
        try:
            return decode(data).image.tobytes()
        except Unusable as error:
            return error.reason

    before = list(warnings.filters)
    alone = [outcome(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, files)) == alone
    assert warnings.filters == before
