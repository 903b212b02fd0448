"""A picture of a comparison: both side by side, the part that they have in common, where they differ, and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont

from tbhdup.errors import UsageError
from tbhdup.pipeline.review import write_whole

if TYPE_CHECKING:
    from tbhdup.verify import Shown

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
HEIGHT = 600  # pixels, of both pictures; wide ones get less
WIDEST = 1200  # pixels
LEAST = 24  # pixels, of a side
MARGIN = 16  # pixels, around the pictures and between them
FINER = 2  # lines are drawn so many times as large, then reduced, which smooths them

EDGE = (200, 200, 200)  # of the pictures: white ones would not show
GREEN, RED, DARK, INK, FAINT = (60, 255, 120), (255, 40, 40), (0, 0, 0), (20, 20, 20), (110, 110, 110)
LINE, RIM = 2, 5  # pixels, the widths of a line and of the dark one below it
VEIL = 0.4  # opacity of the areas that differ
RIM_VEIL = 0.75  # of the dark lines
FONT, SMALL_FONT = 18, 14  # pixels
LEAST_TEXT = 480  # pixels, the width that words get at least
LEAST_LABEL = 160  # pixels, the width that what stands below a picture gets
LEGENDS = "green: what the map lays on each other", "green: the part that both show"  # of refused and accepted pairs
LEGEND_OF_RED = "; red: where they differ"

Point = tuple[float, float]
Draw = Callable[[ImageDraw.ImageDraw, float], None]


@dataclass(frozen=True, slots=True)
class Picture:
    """One of the two."""

    image: Image.Image  # RGB, upright; of any size
    size: tuple[int, int]  # width and height of the whole picture, pixels


def check_name(path: Path) -> None:
    """UsageError where the name does not tell a format that can be written."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: the name of the picture must end in {', '.join(FORMATS)}")


def write(path: Path, image: Image.Image) -> None:
    """Write a picture in the format of its name. Raises TbhdupError."""
    buffer = BytesIO()
    image.save(buffer, FORMATS[path.suffix.lower()], quality=92)
    write_whole(path, [buffer.getvalue()])


def draw(a: Picture, b: Picture, shown: Shown, words: Sequence[str]) -> Image.Image:
    """Both pictures at one height, marked, on a white sheet with the words below."""
    height = _height(a.image, b.image)
    left = _marked(_at_height(a.image, height), shown.outline_a, shown.differing_a)
    right = _marked(_at_height(b.image, height), shown.outline_b, shown.differing_b)
    second = max(left.width, LEAST_LABEL) + 2 * MARGIN
    width = max(second + max(right.width, LEAST_LABEL) + MARGIN, LEAST_TEXT + 2 * MARGIN)
    text = _text(shown, words, width - 2 * MARGIN)
    below = MARGIN + height + _line_height(SMALL_FONT) + MARGIN // 2
    sheet = Image.new("RGB", (width, below + sum(_line_height(size) for _, size, _ in text) + MARGIN // 2), "white")
    _put(sheet, left, MARGIN, f"A, {a.size[0]} x {a.size[1]} pixels")
    _put(sheet, right, second, f"B, {b.size[0]} x {b.size[1]} pixels")
    for line, size, colour in text:
        ImageDraw.Draw(sheet).text((MARGIN, below), line, colour, ImageFont.load_default(size))
        below += _line_height(size)
    return sheet


def _text(shown: Shown, words: Sequence[str], width: int) -> list[tuple[str, int, tuple[int, int, int]]]:
    """The lines below the pictures, each with its font's size and its colour."""
    text = [(line, FONT, INK) for part in words for line in _wrapped(part, FONT, width)]
    if shown.map is not None:
        legend = LEGENDS[shown.verdict.accepted] + (LEGEND_OF_RED if shown.differing_a else "")
        text += [(line, SMALL_FONT, FAINT) for line in _wrapped(legend, SMALL_FONT, width)]
    return text


def _put(sheet: Image.Image, picture: Image.Image, x: int, label: str) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((x - 1, MARGIN - 1, x + picture.width, MARGIN + picture.height), EDGE)
    sheet.paste(picture, (x, MARGIN))
    pen.text((x, MARGIN + picture.height + 4), label, FAINT, ImageFont.load_default(SMALL_FONT))


def _height(a: Image.Image, b: Image.Image) -> int:
    """The common height: so that neither picture is wider than WIDEST."""
    return max(LEAST, min(HEIGHT, *(WIDEST * image.height // image.width for image in (a, b))))


def _at_height(image: Image.Image, height: int) -> Image.Image:
    width = min(WIDEST, max(LEAST, round(image.width * height / image.height)))
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _marked(image: Image.Image, outline: Sequence[Point], differing: Sequence[Sequence[Point]]) -> Image.Image:
    """The picture with marks; corners in units of its width and height."""
    places = [_places(area, image.size) for area in differing]
    if places:
        filled = _mask(image.size, lambda pen, factor: _areas(pen, places, factor, 0))
        wider = _mask(image.size, lambda pen, factor: _areas(pen, places, factor, LINE))
        widest = _mask(image.size, lambda pen, factor: _areas(pen, places, factor, (LINE + RIM) / 2))
        _lay(image, DARK, ImageChops.subtract(widest, filled), RIM_VEIL)
        _lay(image, RED, ImageChops.subtract(wider, filled), 1.0)
        _lay(image, RED, filled, VEIL)
    if outline:
        inset = _places(outline, image.size, RIM / 2)
        for colour, width, opacity in ((DARK, RIM, RIM_VEIL), (GREEN, LINE, 1.0)):
            _lay(image, colour, _mask(image.size, _closed(inset, width)), opacity)
    return image


def _places(corners: Sequence[Point], size: tuple[int, int], inset: float = 0.0) -> NDArray[np.float64]:
    """(N, 2) pixels, at least `inset` from the picture's sides."""
    scaled = np.array(corners) * size
    return np.clip(scaled, inset, np.array(size) - inset)


def _areas(pen: ImageDraw.ImageDraw, places: Sequence[NDArray[np.float64]], factor: float, wider: float) -> None:
    """Polygons, each wider by so many pixels on all sides; where they touch they become one."""
    for place in places:
        corners = [tuple(corner) for corner in (place * factor).tolist()]
        pen.polygon(corners, fill=255)
        if wider:
            _stroke(pen, corners, 2 * wider * factor)


def _closed(places: NDArray[np.float64], width: float) -> Draw:
    corners = [tuple(corner) for corner in places.tolist()]

    def drawn(pen: ImageDraw.ImageDraw, factor: float) -> None:
        _stroke(pen, [(x * factor, y * factor) for x, y in corners], width * factor)

    return drawn


def _stroke(pen: ImageDraw.ImageDraw, corners: Sequence[tuple[float, ...]], width: float) -> None:
    """A closed line with round corners."""
    for k, (x, y) in enumerate(corners):
        pen.line((*corners[k - 1], x, y), fill=255, width=round(width))
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)


def _mask(size: tuple[int, int], drawn: Draw) -> Image.Image:
    mask = Image.new("L", (size[0] * FINER, size[1] * FINER), 0)
    drawn(ImageDraw.Draw(mask), FINER)
    return mask.reduce(FINER)


def _lay(image: Image.Image, colour: tuple[int, int, int], mask: Image.Image, opacity: float) -> None:
    image.paste(colour, (0, 0), mask.point(lambda value: round(value * opacity)))


def _line_height(size: int) -> int:
    return round(1.4 * size)


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """The text in lines of at most `width` pixels, as far as its words allow."""
    font = ImageFont.load_default(size)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
