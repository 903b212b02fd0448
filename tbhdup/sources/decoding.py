"""The one door for pixels: foreign bytes in, an upright RGB picture or a reason out."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile, jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from tbhdup.sources import extras
from tbhdup.sources.kinds import ends_early, foreign_kind, kind
from tbhdup.sources.reading import Unusable
from tbhdup.values import Reason

PIXEL_LIMIT = 200_000_000  # pixels of the whole picture, before any reduction
BACKGROUND = (255, 255, 255)  # what transparent pixels are shown on
PREVIEW_LEAST = 1000  # pixels, the longer side: a smaller preview in a raw file shows too little
SHAPE_DIFFERENCE = 0.04  # of the aspect: a preview that differs more is cut, or has black bars

# Opened by class, not by Image.open: a broken picture then keeps its own error, and only our pixel limit counts.
OPENERS: Final[dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]]] = {
    "JPEG": jpeg_factory,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
    "JPEG2000": Jpeg2KImageFile,
    "HEIF": extras.heif,
}

FORMATS: Final[tuple[str, ...]] = (
    "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "MPO", "HEIF", "JPEG XL", "camera raw"
)  # fmt: skip
"""The formats that are decoded. The order is stored: only ever append."""

_SHORT = ("truncated", "requires a buffer", "need_more_input")  # how decoders say that the data end early

_UPRIGHT = {  # by EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RIGHT_TO_LEFT, _BOTTOM_TO_TOP = (2, 3, 6, 7), (3, 4, 7, 8)  # where what was last in a line, or a column, comes first

Window = tuple[float, float, float, float]  # left, top, right, bottom, pixels


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as it is meant to be seen."""

    image: Image.Image  # RGB, or grey (L) where that is all that was asked for; upright, first frame; maybe reduced
    window: Window  # where the picture is in it: the outermost row and column of a reduced one may be filled in part
    width: int  # pixels of the whole picture as shown, before any reduction
    height: int
    format: str  # one of FORMATS
    drafted: bool = False  # the JPEG decoder has reduced it: equal pixels in another format look a little different


def decode(data: bytes, least: int | None = None, *, grey: bool = False) -> Decoded:
    """The picture in a file's bytes: first frame, upright by EXIF, on white, in 8-bit RGB.

    The format is told by content. Safe in several threads; Pillow's warnings never come through.
    least: both sides of `image` need only be so long: a picture that is much larger is reduced to a half, a quarter or
    an eighth of its size, a JPEG while it is decoded.
    grey: colours are not needed; a JPEG then gives its luminance as it is, in two thirds of the time.
    Of a camera's raw file, `image` is the preview in it, if that is large enough, and width and height are the raw's.
    Raises Unusable: NOT_AN_IMAGE, UNSUPPORTED (also where the package that decodes it is missing), TOO_LARGE (over
    PIXEL_LIMIT, found before decoding), TRUNCATED, CORRUPT.
    """
    name = kind(data)
    if name is None:
        found = foreign_kind(data)
        raise Unusable(Reason.UNSUPPORTED, found) if found else Unusable(Reason.NOT_AN_IMAGE)
    try:
        with silence:
            decoded = _decode(name, data, least, grey)
        return decoded if least is None or decoded.drafted else _reduced(decoded, least)
    except Unusable:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise Unusable(Reason.TOO_LARGE, str(error) or "not enough memory") from error
    except Exception as error:  # decoders fed with foreign bytes raise anything
        raise Unusable(_reason(error, data, name), f"{name}: {' '.join(str(error).split())}") from error


def _reduced(decoded: Decoded, least: int) -> Decoded:
    """By the factor that a JPEG decoder would take, to the means of blocks: the nearest to what that one does."""
    width, height = decoded.image.size
    factor = next((factor for factor in (8, 4, 2) if min(width, height) >= least * factor), None)
    if factor is None:
        return decoded
    return replace(decoded, image=decoded.image.reduce(factor), window=(0, 0, width / factor, height / factor))


def _reason(error: Exception, data: bytes, name: str) -> Reason:
    """What a decoder's complaint means."""
    said = str(error).lower()
    if name == "HEIF" and "not been built in" in said:  # its pixels are in another code than HEVC
        return Reason.UNSUPPORTED
    short = any(words in said for words in _SHORT) or ends_early(data, name)
    return Reason.TRUNCATED if short else Reason.CORRUPT


def _decode(name: str, data: bytes, least: int | None, grey: bool) -> Decoded:
    match name:
        case "JPEG XL":
            return _decode_jpeg_xl(data)
        case "camera raw":
            return _decode_raw(data, least)
        case _:
            return _decode_with_pillow(OPENERS[name](BytesIO(data)), least, grey)


def _decode_jpeg_xl(data: bytes) -> Decoded:
    _check_size(*extras.jpeg_xl_size(data))
    image = _rgb(extras.jpeg_xl(data))
    return _whole(image, "JPEG XL")


def _decode_raw(data: bytes, least: int | None) -> Decoded:
    with extras.raw(data) as file:
        _check_size(file.width, file.height)
        shown = _preview(file, least) or _whole(Image.fromarray(file.developed()), "camera raw")
        return replace(shown, width=file.width, height=file.height, format="camera raw")


def _whole(image: Image.Image, name: str) -> Decoded:
    """A picture that was decoded as it is."""
    return Decoded(image, (0, 0, *image.size), *image.size, name)


def _preview(file: extras.Raw, least: int | None) -> Decoded | None:
    """The picture that the camera has put into its raw file, upright; None: there is none that shows it as well."""
    found = file.preview()
    if isinstance(found, bytes):
        try:
            shown = _decode_with_pillow(jpeg_factory(BytesIO(found)), least)
        except Exception:  # a preview that is broken costs the preview, not the picture
            return None
    elif found is not None:
        image = Image.fromarray(found)
        if file.turn in _UPRIGHT:
            image = image.transpose(_UPRIGHT[file.turn])
        shown = _whole(image, "camera raw")
    else:
        return None
    alike = abs(shown.width / shown.height * file.height / file.width - 1) < SHAPE_DIFFERENCE
    large = max(shown.width, shown.height) >= min(PREVIEW_LEAST, max(file.width, file.height) // 2)
    return shown if alike and large else None


def _check_size(width: int, height: int) -> None:
    if width * height > PIXEL_LIMIT:
        raise Unusable(Reason.TOO_LARGE, f"{width} x {height} pixels, the limit is {PIXEL_LIMIT}")


def _decode_with_pillow(picture: ImageFile.ImageFile, least: int | None, grey: bool = False) -> Decoded:
    width, height = picture.size
    _check_size(width, height)
    draft = None
    if least is not None and isinstance(picture, JpegImageFile):
        draft = picture.draft("L" if grey and picture.mode == "RGB" else None, (least, least))
    picture.load()
    orientation = _orientation(picture)
    image = picture if grey and picture.mode == "L" and not picture.has_transparency_data else _rgb(picture)
    shown = draft[1][2:] if draft else image.size  # a half of 33 pixels is 16.5
    drafted = bool(draft) and image.size != (width, height)
    window = _window(image.size, shown, orientation)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    if orientation >= 5:  # width and height change places
        width, height = height, width
    return Decoded(image, window, width, height, str(picture.format), drafted)


def _window(size: tuple[int, int], shown: tuple[float, float], orientation: int) -> Window:
    """Where an image of that size, which shows so many pixels from its left top on, shows them once it is upright."""
    if orientation >= 5:
        size, shown = size[::-1], shown[::-1]
    left = size[0] - shown[0] if orientation in _RIGHT_TO_LEFT else 0.0
    top = size[1] - shown[1] if orientation in _BOTTOM_TO_TOP else 0.0
    return left, top, left + shown[0], top + shown[1]


def _orientation(picture: ImageFile.ImageFile) -> int:
    """The EXIF orientation, 1..8; broken EXIF must not cost the picture, so anything odd counts as upright."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # the parser raises anything on foreign bytes
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode in 8-bit RGB, transparency flattened on BACKGROUND."""
    if image.mode.startswith("I"):
        return _grey(np.asarray(image), (65535,))
    if image.mode == "F":
        values = np.asarray(image)
        return _grey(np.where(np.isfinite(values), values, np.float32(0)), (1, 255, 65535))
    if image.mode == "LAB":
        raise Unusable(Reason.UNSUPPORTED, "colours in LAB")
    if image.has_transparency_data:
        shown = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, BACKGROUND)
        canvas.paste(shown, mask=shown)
        return canvas
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey(values: NDArray[np.generic], tops: tuple[int, ...]) -> Image.Image:
    """Grey values of more than 8 bits, (h, w), in 8 bits: the smallest of 0..top that holds them all becomes 0..255.

    Where none does, lowest..highest becomes 0..255.
    """
    low, high = float(values.min()), float(values.max())
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is not None:
        low, high = 0.0, float(top)
    scale = 255 / max(high - low, 1e-30)
    scaled = np.multiply(values, scale, dtype=np.float32) - np.float32(low * scale)
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8)).convert("RGB")


class _Quiet:
    """Silences Pillow's warnings while any thread is inside.

    `warnings.catch_warnings` alone puts the filters back in the wrong order when threads overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


silence = _Quiet()
