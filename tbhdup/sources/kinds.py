"""Tell a picture's format by its first bytes."""

from __future__ import annotations

import struct

_HEADER = 1024  # bytes that are looked at

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
)

_FOREIGN_MAGIC = (
    (b"8BPS", "PSD"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
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
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIU\x00", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"MMOR", "camera raw"),
)


def kind(data: bytes) -> str | None:
    """The allowed format that the bytes begin like, by Pillow's name; None: none of them. MPO counts as JPEG."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and len(data) >= 18 and struct.unpack_from("<I", data, 14)[0] in _BITMAP_HEADERS:
        return "BMP"
    if _brands(data) & {b"avif", b"avis"}:
        return "AVIF"
    if _is_canon_raw(data):
        return None
    return _match(data, _MAGIC)


def foreign_kind(data: bytes) -> str | None:
    """The name of a picture format that is known and not allowed; None: no picture at all."""
    brands = _brands(data)
    if brands & _HEIF_BRANDS:
        return "HEIF"
    if b"crx " in brands or _is_canon_raw(data):
        return "camera raw"
    header = data[:_HEADER]
    if header[:1] == b"P" and header[1:2] in b"1234567" and header[2:3].isspace():
        return "PNM"
    if header.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and b"<svg" in header:
        return "SVG"
    return _match(data, _FOREIGN_MAGIC)


def _match(data: bytes, table: tuple[tuple[bytes, str], ...]) -> str | None:
    return next((name for magic, name in table if data.startswith(magic)), None)


def _is_canon_raw(data: bytes) -> bool:
    return data[:4] == b"II*\x00" and data[8:10] == b"CR"  # CR2: a TIFF in which the picture is not the first one


def _brands(data: bytes) -> set[bytes]:
    """The brands in the file type box of an ISO base media file."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), _HEADER)
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
        case "AVIF":
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
