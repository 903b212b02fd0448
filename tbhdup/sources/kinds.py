"""Tell a picture's format by its first bytes, and of a TIFF by what is in it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

HEADER = 1024  # bytes that are looked at

_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # the sizes that a BMP's second header can have
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIU\x00", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"MMOR", "camera raw"),
    (b"\x00MRM", "camera raw"),
    (b"FOVb", "camera raw"),
)

_FOREIGN_MAGIC = (
    (b"8BPS", "PSD"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"gimp xcf ", "XCF"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"icns", "ICNS"),
    (b"AT&TFORM", "DjVu"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
)


# What makes a TIFF a camera's raw file, in whatever of its directories: see the DNG specification 1.7 and TIFF/EP.
_PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 262, 330, 50706  # tags
_SENSOR = {32803, 34892}  # photometric interpretations: colour filter array, linear raw
_DIRECTORIES = 32  # looked at, at most


def kind(data: bytes) -> str | None:
    """The format that the bytes are in, one of `decoding.FORMATS`; None: none of them. MPO counts as JPEG."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and len(data) >= 18 and struct.unpack_from("<I", data, 14)[0] in _BITMAP_HEADERS:
        return "BMP"
    brands = _brands(data)
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    if b"crx " in brands:
        return "camera raw"
    name = _match(data, _MAGIC)
    return "camera raw" if name == "TIFF" and _is_raw_tiff(data) else name


def foreign_kind(data: bytes) -> str | None:
    """The name of a picture format that is known and not allowed; None: no picture at all."""
    header = data[:HEADER]
    if header[:1] == b"P" and header[1:2] in b"1234567" and header[2:3].isspace():
        return "PNM"
    if header.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and b"<svg" in header:
        return "SVG"
    return _match(data, _FOREIGN_MAGIC)


def _match(data: bytes, table: tuple[tuple[bytes, str], ...]) -> str | None:
    return next((name for magic, name in table if data.startswith(magic)), None)


def _is_raw_tiff(data: bytes) -> bool:
    """Whether a TIFF holds a sensor's values: then its first picture is a thumbnail, or no picture at all."""
    if data[8:10] == b"CR":  # CR2, which does not say so in its tags
        return True
    order = "<" if data[:2] == b"II" else ">"
    try:
        return any(
            tag == _DNG_VERSION or (tag == _PHOTOMETRIC and value in _SENSOR) for tag, value in _tags(data, order)
        )
    except struct.error:  # an offset that leads out of the file
        return False


def _tags(data: bytes, order: str) -> Iterator[tuple[int, int]]:
    """Tag and (first) value of all whole numbers in a TIFF's directories and those below them."""
    pending, seen = [struct.unpack_from(order + "I", data, 4)[0]], set[int]()
    while pending and len(seen) < _DIRECTORIES:
        at = pending.pop()
        if at == 0 or at in seen:
            continue
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, form, number = struct.unpack_from(order + "HHI", data, entry)
            (value,) = struct.unpack_from(order + ("H" if form == 3 else "I"), data, entry + 8)
            if tag == _SUB_IFDS:
                pending += [value] if number == 1 else struct.unpack_from(f"{order}{min(number, 16)}I", data, value)
            yield tag, value
        pending.append(struct.unpack_from(order + "I", data, at + 2 + 12 * count)[0])


def _brands(data: bytes) -> set[bytes]:
    """The brands in the file type box of an ISO base media file."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), HEADER)
    return {data[8:12]} | {data[at : at + 4] for at in range(16, end - 3, 4)}


def ends_early(data: bytes, name: str) -> bool:
    """Whether the bytes stop before the end that the format itself announces. name: as `kind` says."""
    match name:
        case "JPEG":
            return b"\xff\xd9" not in data
        case "WEBP":
            return int.from_bytes(data[4:8], "little") + 8 > len(data)
        case "TIFF":
            return int.from_bytes(data[4:8], "little" if data[:2] == b"II" else "big") + 2 > len(data)
        case "GIF":
            return not data.endswith(b";")
        case "AVIF" | "HEIF":
            return _boxes_end(data) > len(data)
        case "JPEG2000":
            return b"\xff\xd9" not in data[-16:]
        case _:
            return False  # PNG and BMP: the decoder says so


def _boxes_end(data: bytes) -> int:
    """Where the last top-level box of an ISO base media file ends, by its own word."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        elif size == 0:  # to the end of the file
            size = len(data) - at
        at += max(size, 8)
    return at
