"""What a file's EXIF metadata tell of when and where it was taken. No pixels are decoded."""

from __future__ import annotations

import os
import stat
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from tbhdup.sources.decoding import OPENERS, silence
from tbhdup.sources.kinds import HEADER, kind
from tbhdup.sources.reading import SIZE_LIMIT, opener
from tbhdup.values import Taken

_IN_TIFF = ("TIFF", "camera raw")  # the file itself is what other formats hold as EXIF
_DATES = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized)  # not of the last change by an editor
_ANGLES = (ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLongitude)
_WITH_EXIF = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")


def taken(path: bytes) -> Taken:
    """Whether a picture's EXIF has the time of the shot, and a place from GPS. Reads as little of the file as it can.

    JPEG, PNG, WebP, TIFF, AVIF, HEIF (with its extra) and raw files that are TIFF inside are asked; a file of another
    kind, or one that cannot be read, tells neither.
    """
    try:
        with open(path, "rb", opener=opener) as file, silence:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > SIZE_LIMIT:
                return Taken()
            return _told(_exif(file))
    except Exception:  # decoders fed with foreign bytes raise anything, and what cannot be read tells nothing
        return Taken()


def _exif(file: BinaryIO) -> Image.Exif:
    exif = Image.Exif()
    name = kind(file.read(HEADER))
    file.seek(0)
    if name in _IN_TIFF:
        exif.load_from_fp(file)
    elif name in _WITH_EXIF:
        exif.load(OPENERS[name](file).info.get("exif") or b"")
    return exif


def _told(exif: Image.Exif) -> Taken:
    shot, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    return Taken(
        dated=any(_is_date(shot.get(tag)) for tag in _DATES),
        located=all(_is_angle(place.get(tag)) for tag in _ANGLES),
    )


def _is_date(value: Any) -> bool:
    """Whether it has a year: cameras without a clock write blanks or zeros."""
    return str(value or "")[:4].strip("0: ").isdigit()


def _is_angle(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 3
