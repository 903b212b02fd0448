"""The formats that need a package of their own: HEIF, JPEG XL, and the raw files of cameras."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from tbhdup.sources.reading import Unusable
from tbhdup.values import Reason

_PACKAGES: Final = {"HEIF": ("heic", "pi_heif"), "JPEG XL": ("jxl", "imagecodecs"), "camera raw": ("raw", "rawpy")}
"""Of each format the extra, and the module that comes with it."""

_TURNS = {0: 1, 3: 3, 5: 8, 6: 6}  # LibRaw's word for how the camera was held, as an EXIF orientation


def _missing(name: str) -> str:
    return f"{name}: pip install 'tbhdup[{_PACKAGES[name][0]}]'"


_WAITING: Final = {detail: name for name in _PACKAGES for detail in (_missing(name), name)}
"""What a skip says of a format that needs a package; the bare names are those of version 0.1.0."""


def _package(name: str) -> Any:
    try:
        return import_module(_PACKAGES[name][1])
    except ImportError:
        raise Unusable(Reason.UNSUPPORTED, _missing(name)) from None


def installed_since(detail: str) -> bool:
    """Whether a skip's detail says that a package was missing, and it is there now."""
    try:
        return detail in _WAITING and bool(_package(_WAITING[detail]))
    except Unusable:
        return False


def heif(file: IO[bytes]) -> ImageFile.ImageFile:
    """A HEIF file as Pillow has files, turned as it says by itself. Raises Unusable without the extra."""
    picture: ImageFile.ImageFile = _package("HEIF").HeifImageFile(file)
    return picture


def jpeg_xl(data: bytes) -> Image.Image:
    """The first frame of a JPEG XL, upright, in mode L, LA, RGB or RGBA. Raises Unusable without the extra."""
    package = _package("JPEG XL")
    try:
        values = package.jpegxl_decode(data, index=0)
    except ImportError as error:
        raise Unusable(Reason.UNSUPPORTED, "JPEG XL: this imagecodecs was built without it") from error
    if values.dtype == np.uint16:
        values = np.rint(values / 257).astype(np.uint8)
    elif values.dtype != np.uint8:  # floats, nominally from 0 to 1
        values = np.rint(np.nan_to_num(values.astype(np.float32)).clip(0, 1) * 255).astype(np.uint8)
    return Image.fromarray(values)


_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_BITS = (9, 13, 18, 30)


def jpeg_xl_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG XL, from its header: ISO/IEC 18181-1, SizeHeader. Raises Unusable (TRUNCATED)."""
    start = data.find(b"\xff\x0a")  # of the codestream; in a container it follows boxes that hold none of these bytes
    if start < 0 or len(data) < start + 12:
        raise Unusable(Reason.TRUNCATED, "JPEG XL: it ends within its header")
    bits = int.from_bytes(data[start + 2 : start + 12], "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take(_JXL_BITS[take(2)]) + 1

    height = side()
    ratio = take(3)
    if ratio == 0:
        return side(), height
    wide, high = _JXL_RATIOS[ratio - 1]
    return height * wide // high, height


@dataclass(frozen=True, slots=True)
class Raw:
    """A camera's raw file that is open."""

    width: int  # pixels of the picture as shown
    height: int
    turn: int  # how the sensor's picture becomes upright, as an EXIF orientation, 1..8
    _file: Any
    _package: Any

    def preview(self) -> bytes | NDArray[np.uint8] | None:
        """The preview in it: a JPEG file's bytes, which say how it is turned, or (h, w, 3) RGB, as the sensor lies.

        None: there is none that can be read.
        """
        try:
            found = self._file.extract_thumb()
        except self._package.LibRawError:
            return None
        if found.format is self._package.ThumbFormat.JPEG:
            return bytes(found.data)
        pixels: NDArray[np.uint8] = found.data
        return pixels if pixels.ndim == 3 and pixels.shape[2] == 3 else None

    def developed(self) -> NDArray[np.uint8]:
        """The picture from the sensor's values, at half their size, upright: (h, w, 3) RGB."""
        pixels: NDArray[np.uint8] = self._file.postprocess(half_size=True, use_camera_wb=True)
        return pixels


@contextmanager
def raw(data: bytes) -> Iterator[Raw]:
    """Open a camera's raw file. Raises Unusable without the extra, or where LibRaw does not know the camera."""
    package = _package("camera raw")
    try:
        file = package.imread(BytesIO(data))
    except package.LibRawFileUnsupportedError as error:
        raise Unusable(Reason.UNSUPPORTED, "camera raw of a kind that LibRaw does not know") from error
    try:
        sizes = file.sizes
        turn = _TURNS.get(sizes.flip, 1)
        width, height = (sizes.height, sizes.width) if turn >= 5 else (sizes.width, sizes.height)
        yield Raw(width, height, turn, file, package)
    finally:
        file.close()
