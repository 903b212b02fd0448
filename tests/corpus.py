"""A folder of good, odd and bad pictures and of awkward names, made by code, with what each file should give."""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

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
    heif = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    files = {
        "empty.jpg": (b"", Reason.EMPTY),
        "text.jpg": (b"These are only words.\n" * 20, Reason.NOT_AN_IMAGE),
        "zeros.jpg": (bytes(5000), Reason.NOT_AN_IMAGE),
        "words that begin like a bitmap": (b"BM is short for a great many things.\n", Reason.NOT_AN_IMAGE),
        "phone.heic": (heif, Reason.UNSUPPORTED),
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
    """`quarters` in a format, by Pillow's name; as MPO with a second picture."""
    return animated(format) if format == "MPO" else encode(quarters(), format)


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
