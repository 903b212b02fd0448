"""Views of pictures drawn by code."""

from __future__ import annotations

import hashlib
import io
from functools import cache

import drawing
import numpy as np
from PIL import Image

from tbhdup.verify import SIDE, View
from tbhdup.verify.view import GLANCE


def view_of(image: Image.Image) -> View:
    """The view that a caller would make of a picture."""
    image = image.convert("RGB")
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    square = image.resize((GLANCE, GLANCE), Image.Resampling.BILINEAR, reducing_gap=2.0)

    def pixels() -> bytes:
        return hashlib.sha256(image.tobytes()).digest()

    return View(np.asarray(square), image.size, False, lambda: np.asarray(small.convert("L")), pixels)


def saved(image: Image.Image, quality: int = 80) -> Image.Image:
    """The picture after a lossy save."""
    data = io.BytesIO()
    image.convert("RGB").save(data, "JPEG", quality=quality)
    return Image.open(data).convert("RGB")


@cache
def photos() -> tuple[Image.Image, ...]:
    """One picture of each kind that stands for a photograph."""
    return tuple(drawing.picture(kind, 3) for kind in drawing.PHOTOS)
