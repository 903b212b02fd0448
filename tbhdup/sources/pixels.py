"""A decoded picture at the sizes that the encoder and the proof look at."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tbhdup.sources.decoding import Decoded, Window, decode
from tbhdup.sources.seams import WHOLE, Box, parts

SMALL = 128
"""Side of the square that tells a picture's parts and its detail, and that is kept as its thumbnail, pixels."""

GRID = 16  # blocks along each side, for `detail`
LEAST_DEVIATION = 4  # grey levels; a block above it shows something

# Bilinear differs least between a picture and its half-size and re-encoded copies: 2.6 grey levels (bicubic 2.9,
# Lanczos 3.1, Hamming 3.3, box 5.1), and only box is faster. The gap bounds the cost for large pictures.
_FILTER, _GAP = Image.Resampling.BILINEAR, 2.0

_QUALITY = 90  # of a thumbnail: its losses are well below what the proof calls exact
_THUMBNAIL = struct.Struct("<II?")  # width, height, drafted; a JPEG follows
_JPEG_END = b"\xff\xd9"


def square(decoded: Decoded, side: int, part: Box = WHOLE) -> NDArray[np.uint8]:
    """The whole picture, or a part of it, squeezed to a square, its aspect not kept: (side, side, 3) RGB, 0..255.

    The encoder's input.
    """
    left, top, right, bottom = decoded.window
    width, height = right - left, bottom - top
    window = left + part.left * width, top + part.top * height, left + part.right * width, top + part.bottom * height
    return np.array(decoded.image.resize((side, side), _FILTER, window, _GAP))


class Sight(NamedTuple):
    """What is looked at when a file is indexed."""

    picture: Decoded
    small: NDArray[np.uint8]  # (SMALL, SMALL, 3): for the thumbnail and for `detail`, whatever the encoder's side
    squares: list[NDArray[np.uint8]]  # (side, side, 3) each, the encoder's input: the whole, then each of its parts


def see(data: bytes, side: int) -> Sight:
    """Decode a file's bytes for an encoder of that side. Raises what `decode` raises."""
    picture = decode(data, max(side, SMALL))
    small = square(picture, SMALL)
    whole = small if side == SMALL else square(picture, side)
    return Sight(picture, small, [whole, *(square(picture, side, part) for part in parts(small))])


class Thumbnail(NamedTuple):
    """What of a picture is kept to tell at a glance whether another one is a copy of it.

    pixels   (side, side, 3) uint8 RGB: the whole picture squeezed to a square, after a lossy save
    width    of the whole picture, pixels
    height   of the whole picture, pixels
    drafted  the JPEG decoder has reduced it: equal pixels in another format may look a little different
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    drafted: bool


def pack_thumbnail(decoded: Decoded, pixels: NDArray[np.uint8]) -> bytes:
    """A thumbnail, about 6 kB, of a decoded picture and its `square`."""
    data = BytesIO()
    data.write(_THUMBNAIL.pack(decoded.width, decoded.height, decoded.drafted))
    Image.fromarray(pixels).save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()


def unpack_thumbnail(data: bytes) -> Thumbnail:
    """The thumbnail that was packed. Raises ValueError for other bytes."""
    import cv2  # in half the time of Pillow; what only looks at files need not load it

    try:
        width, height, drafted = _THUMBNAIL.unpack_from(data)
        if not data.endswith(_JPEG_END):  # OpenCV would fill up what is missing
            raise ValueError("its end is missing")
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8, offset=_THUMBNAIL.size), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError("it holds no JPEG file")
    except (struct.error, cv2.error, ValueError) as error:
        raise ValueError(f"this is no thumbnail: {error}") from error
    return Thumbnail(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8), width, height, drafted)


def fit(decoded: Decoded, side: int) -> NDArray[np.uint8]:
    """The whole picture with its aspect, never enlarged: (h, w, 3) RGB, 0..255, max(h, w) <= side, min(h, w) >= 1."""
    return _fit(decoded.image, decoded.window, side)


def luminance(decoded: Decoded, side: int) -> NDArray[np.uint8]:
    """The same in grey (Rec. 601): (h, w), 0..255."""
    return _fit(decoded.image.convert("L"), decoded.window, side)


def detail(pixels: NDArray[np.uint8]) -> int:
    """How much there is to see in a square: of its 16 x 16 blocks, how many are not flat, 0..256.

    pixels: (side, side, 3) RGB uint8, side a multiple of 16. A block counts when the standard deviation of its
    luminance (Rec. 601) is above 4 grey levels.
    """
    side = pixels.shape[0]
    if pixels.shape != (side, side, 3) or side % GRID:
        raise ValueError(f"detail wants (side, side, 3) with side a multiple of {GRID}, got {pixels.shape}")
    block = side // GRID
    luminance = np.asarray(Image.fromarray(pixels).convert("L"), np.int64)
    area = block * block
    blocks = luminance.reshape(GRID, block, GRID, block).swapaxes(1, 2).reshape(GRID * GRID, area)
    # area² x variance, in whole numbers: the same on every machine
    spread = area * np.einsum("ij,ij->i", blocks, blocks) - blocks.sum(axis=1) ** 2
    return int(np.count_nonzero(spread > (LEAST_DEVIATION * area) ** 2))


def _fit(image: Image.Image, window: Window, side: int) -> NDArray[np.uint8]:
    width, height = window[2] - window[0], window[3] - window[1]
    scale = min(1.0, side / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.array(image.resize(size, _FILTER, window, _GAP))
