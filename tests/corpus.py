"""A folder of good, odd and bad pictures and of awkward names, made by code, with what each file should give."""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tbhdup.values import Reason

WIDTH, HEIGHT = 96, 64
CORNERS = (
    (220, 30, 30),
    (30, 200, 40),
    (40, 60, 220),
    (230, 220, 40),
)  # top left, top right, bottom left, bottom right
FORMATS = Path(__file__).parent / "data" / "formats"  # drawn by make_formats.py
DEPTH = 60  # folders inside each other


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one file of the corpus gives."""

    reason: Reason | None = None  # None: it decodes
    format: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    listed: bool = True  # whether a walk of the folder has it as an entry


def make(folder: Path) -> dict[bytes, Expectation]:
    """Fill a folder. Returns, by path relative to it, what each file should give."""
    expected: dict[bytes, Expectation] = {}

    def put(name: str | bytes, data: bytes, expectation: Expectation) -> None:
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        expected[os.fsencode(name)] = expectation

    for name, (data, expectation) in (good() | odd() | bad()).items():
        put(name, data, expectation)
    jpeg, shown = encoded("JPEG"), Expectation(format="JPEG")
    for name in awkward_names():
        put(b"names/" + name, jpeg, shown)
    put("deep/" + "d/" * DEPTH + "photo.jpg", jpeg, shown)
    for name in (".hidden.jpg", ".hidden/photo.jpg", "notes.txt", "clip.mp4"):
        put("unlisted/" + name, jpeg, Expectation(format="JPEG", listed=False))
    expected |= specials(folder)
    return expected


def specials(folder: Path) -> dict[bytes, Expectation]:
    """What is no regular file: none of it is listed, and none of it may hang or loop a walk."""
    special = folder / "special"
    special.mkdir()
    os.mkfifo(special / "pipe.jpg")
    (special / "loop.jpg").symlink_to("loop.jpg")
    (special / "broken.jpg").symlink_to("nowhere.jpg")
    (special / "link.jpg").symlink_to("../good/photo.jpg")
    (special / "up").symlink_to("..")
    return {
        b"special/pipe.jpg": Expectation(Reason.NOT_A_FILE, listed=False),
        b"special/loop.jpg": Expectation(Reason.LOOP, listed=False),
        b"special/broken.jpg": Expectation(Reason.VANISHED, listed=False),
        b"special/link.jpg": Expectation(format="JPEG", listed=False),
        b"special/up": Expectation(Reason.NOT_A_FILE, listed=False),
    }


def awkward_names() -> tuple[bytes, ...]:
    return (
        b"two\nlines.jpg",
        b"not utf-8 \xff\xfe.jpg",
        b"x" * 251 + b".jpg",
        b"-rf.jpg",
        b" 'quoted' \"twice\", comma;.jpg",
        "über Ω 写真.JPG".encode(),
        b"tab\tand \x1b[31mcolour.jpeg",
        b"no extension",
        b"dot at the end.",
    )


def good() -> dict[str, tuple[bytes, Expectation]]:
    """One plain picture in every format."""
    formats = {
        "jpg": "JPEG",
        "png": "PNG",
        "webp": "WEBP",
        "gif": "GIF",
        "bmp": "BMP",
        "tif": "TIFF",
        "avif": "AVIF",
        "jp2": "JPEG2000",
        "mpo": "MPO",
        "heic": "HEIF",
        "jxl": "JPEG XL",
        "dng": "camera raw",
    }
    return {f"good/photo.{ending}": (encoded(name), Expectation(format=name)) for ending, name in formats.items()}


def odd() -> dict[str, tuple[bytes, Expectation]]:
    """Pictures that decode, if one knows how."""
    photo, png, jpeg = quarters(), Expectation(format="PNG"), Expectation(format="JPEG")
    grey = photo.convert("L")
    deep = np.asarray(grey, np.uint16) * 257
    clear = photo.copy()
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    palette = photo.quantize(16)
    broken_exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x05\0\0\0\x28\x23\0\0"
    files = {
        "one_pixel.png": (encode(photo.resize((1, 1)), "PNG"), Expectation(format="PNG", width=1, height=1)),
        "thread.png": (encode(photo.resize((1, 20000)), "PNG"), Expectation(format="PNG", width=1, height=20000)),
        "cmyk.jpg": (encode(photo.convert("CMYK"), "JPEG"), jpeg),
        "grey.jpg": (encode(grey, "JPEG"), jpeg),
        "progressive.jpg": (encode(photo, "JPEG", progressive=True), jpeg),
        "grey_16.png": (encode(Image.fromarray(deep), "PNG"), png),
        "grey_16.tif": (encode(Image.fromarray(deep), "TIFF"), Expectation(format="TIFF")),
        "float.tif": (encode(Image.fromarray(deep / np.float32(65535)), "TIFF"), Expectation(format="TIFF")),
        "lzw.tif": (encode(photo, "TIFF", compression="tiff_lzw"), Expectation(format="TIFF")),
        "black_white.png": (encode(photo.convert("1"), "PNG"), png),
        "palette.png": (encode(palette, "PNG"), png),
        "palette_clear.png": (encode(palette, "PNG", transparency=bytes(range(0, 256, 16))), png),
        "clear.png": (encode(clear, "PNG"), png),
        "clear.webp": (encode(clear, "WEBP"), Expectation(format="WEBP")),
        "grey_clear.png": (encode(clear.convert("LA"), "PNG"), png),
        "animated.gif": (animated("GIF"), Expectation(format="GIF")),
        "animated.webp": (animated("WEBP"), Expectation(format="WEBP")),
        "jpeg_named.png": (encoded("JPEG"), jpeg),
        "broken_exif.jpg": (encode(photo, "JPEG", exif=broken_exif), jpeg),
        "unfinished.mpo": (encoded("MPO")[:-200], Expectation(format="MPO")),
    }
    turned = {f"turned_{n}.jpg": (encode(stored_as(n), "JPEG", exif=orientation(n)), jpeg) for n in range(1, 9)}
    return {f"odd/{name}": file for name, file in (files | turned).items()}


def bad() -> dict[str, tuple[bytes, Expectation]]:
    """Files that give no picture, each with its reason."""
    png = encoded("PNG")
    files = {
        "empty.jpg": (b"", Reason.EMPTY),
        "text.jpg": (b"These are only words.\n" * 20, Reason.NOT_AN_IMAGE),
        "zeros.jpg": (bytes(5000), Reason.NOT_AN_IMAGE),
        "words that begin like a bitmap": (b"BM is short for a great many things.\n", Reason.NOT_AN_IMAGE),
        "other_code.heic": (encoded("AVIF").replace(b"avif", b"heic"), Reason.UNSUPPORTED),
        "other_sensor.raf": (b"FUJIFILMCCD-RAW " + bytes(200), Reason.UNSUPPORTED),
        "layers.jpg": (b"8BPS\0\1" + bytes(100), Reason.UNSUPPORTED),
        "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n", Reason.UNSUPPORTED),
        "bomb.png": (bomb(60000, 60000), Reason.TOO_LARGE),
        "scrambled.png": (png[:200] + b"\0" * 8 + png[208:], Reason.CORRUPT),
        "headless.jpg": (b"\xff\xd8\xff\xdb\0\x04\0\0" + encoded("JPEG")[400:], Reason.CORRUPT),
    }
    for name, ending in (
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("GIF", "gif"),
        ("TIFF", "tif"),
        ("AVIF", "avif"),
        ("HEIF", "heic"),
        ("JPEG XL", "jxl"),
    ):
        data = encoded(name)
        files[f"truncated.{ending}"] = (data[: len(data) * 6 // 10], Reason.TRUNCATED)
    return {f"bad/{name}": (data, Expectation(reason)) for name, (data, reason) in files.items()}


def quarters(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Four quarters in CORNERS' colours under a light ripple, so that every turn and mirroring can be told."""
    pixels = np.empty((height, width, 3), np.float64)
    for index, colour in enumerate(CORNERS):
        rows = slice(height // 2) if index < 2 else slice(height // 2, None)
        columns = slice(width // 2) if index % 2 == 0 else slice(width // 2, None)
        pixels[rows, columns] = colour
    y, x = np.mgrid[:height, :width]
    return Image.fromarray((pixels + 8 * np.sin(x / 5 + y / 3)[..., None]).clip(0, 255).astype(np.uint8))


def corners(image: Image.Image | NDArray[np.uint8]) -> tuple[int, ...]:
    """Which of CORNERS is nearest to the colour of the picture's own four quarters; (0, 1, 2, 3): upright."""
    pixels = np.asarray(image, np.float64)
    h, w = pixels.shape[0] // 4, pixels.shape[1] // 4
    seen = [pixels[y, x] for y in (h, -1 - h) for x in (w, -1 - w)]
    return tuple(int(np.argmin(np.abs(np.array(CORNERS) - colour).sum(axis=1))) for colour in seen)


def dng(preview: Image.Image | None, turn: int = 1, jpeg: bool = True) -> bytes:
    """A camera's raw file, as the DNG specification has it: `quarters` behind a Bayer filter, and a preview.

    turn: the EXIF orientation that it says it has; the sensor's picture then is `stored_as` that, and so is the preview
    to be. jpeg: how the preview is stored, else as plain RGB.
    """
    sensor = np.asarray(stored_as(turn), np.uint16) * 64
    height, width = sensor.shape[:2]
    mosaic = sensor[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = sensor[::2, ::2, 0], sensor[1::2, 1::2, 2]
    values = mosaic.astype("<u2").tobytes()
    shown = b"" if preview is None else encode(preview, "JPEG", quality=90) if jpeg else preview.tobytes()
    matrix = [part for value in (6, 0, 0, 0, 6, 0, 0, 0, 6) for part in (value, 10)]
    common = {274: ("H", [turn]), 271: ("s", b"Drawn"), 272: ("s", b"By code"), 50706: ("B", [1, 4, 0, 0]),
              50708: ("s", b"Drawn by code"), 50721: ("r", matrix), 50778: ("H", [21])}  # fmt: skip
    raw = {254: ("I", [0]), 256: ("I", [width]), 257: ("I", [height]), 258: ("H", [16]), 259: ("H", [1]),
           262: ("H", [32803]), 277: ("H", [1]), 278: ("I", [height]), 279: ("I", [len(values)]),
           33421: ("H", [2, 2]), 33422: ("B", [0, 1, 1, 2]), 50717: ("I", [255 * 64])}  # fmt: skip
    head = b"II*\0\x08\0\0\0"
    if preview is None:
        only = common | raw | {273: ("I", [0])}
        return head + _directory(only | {273: ("I", [8 + len(_directory(only, 8))])}, 8) + values
    small = {254: ("I", [1]), 256: ("I", [preview.width]), 257: ("I", [preview.height]), 258: ("H", [8, 8, 8]),
             259: ("H", [7 if jpeg else 1]), 262: ("H", [6 if jpeg else 2]), 277: ("H", [3]), 278: ("I", [preview.height]),
             279: ("I", [len(shown)])}  # fmt: skip
    first, second = common | small | {273: ("I", [0]), 330: ("I", [0])}, raw | {273: ("I", [0])}
    at = 8 + len(_directory(first, 8))
    end = at + len(_directory(second, at))
    return (
        head
        + _directory(first | {273: ("I", [end]), 330: ("I", [at])}, 8)
        + _directory(second | {273: ("I", [end + len(shown)])}, at)
        + shown
        + values
    )


def _directory(tags: dict[int, tuple[str, bytes | list[int]]], start: int) -> bytes:
    """A TIFF directory at an offset, its long values behind it."""
    forms = {"B": 1, "s": 2, "H": 3, "I": 4, "r": 10}
    entries, behind = b"", b""
    for tag, (form, values) in sorted(tags.items()):
        code = {"s": "", "r": f"<{len(values)}i"}.get(form, f"<{len(values)}{form}")
        data = bytes(values) + b"\0" if form == "s" else struct.pack(code, *values)
        count = len(data) if form == "s" else len(values) // (2 if form == "r" else 1)
        if len(data) > 4:
            at = start + 6 + 12 * len(tags) + len(behind)
            behind += data + b"\0" * (len(data) % 2)
            data = struct.pack("<I", at)
        entries += struct.pack("<HHI", tag, forms[form], count) + data.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + behind


def stored_as(turn: int) -> Image.Image:
    """`quarters` as a camera stores it that then writes `turn` as the EXIF orientation, 1..8."""
    upright = np.asarray(quarters())
    across = upright.swapaxes(0, 1)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: across,
        6: across[::-1],
        7: across[::-1, ::-1],
        8: across[:, ::-1],
    }[turn]
    return Image.fromarray(np.ascontiguousarray(stored))


def orientation(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def encoded(format: str) -> bytes:
    """`quarters` in a format of `sources.FORMATS`; as MPO with a second picture."""
    match format:
        case "MPO":
            return animated(format)
        case "HEIF":
            return (FORMATS / "photo.heic").read_bytes()
        case "JPEG XL":
            return imagecodecs.jpegxl_encode(np.asarray(quarters()), level=90)
        case "camera raw":
            return dng(quarters())
        case _:
            return encode(quarters(), format)


def animated(format: str) -> bytes:
    """`quarters`, then the same upside down."""
    return encode(quarters(), format, save_all=True, append_images=[quarters().transpose(Image.Transpose.ROTATE_180)])


def bomb(width: int, height: int) -> bytes:
    """A small PNG that claims to be huge, and whose data inflate."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
