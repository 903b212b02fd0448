"""What the proof needs of one picture, each part computed once, when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from tbhdup.verify.features import Features, find_features

SIDE = 384
"""Long side of a view and of the frame in which two pictures are compared, pixels."""

GLANCE = 128
"""Side of the square to which the whole picture is squeezed for a first look, pixels."""

COARSE, FINE = 128, 192
"""Long sides at which features are found, pixels. They are most of the cost: coarse ones cost a third of fine ones, and
decide most pairs; smooth pictures have next to none of them."""

COLOURS = 64
"""Side of the square in which colours are compared, pixels: so small that noise and edges do not move them."""

THUMB = 64
"""Side of the squares that the aligned test compares, pixels."""

TEXTURE = 4.0
"""Grey levels of deviation that make a tile textured."""

SQUARE = 16
"""Side of the squares whose texture is counted, pixels of the view enlarged to SIDE."""

SMOOTHEST = 10
"""Percentile of the squares' noise that is the picture's: detail may rule most squares, noise spares none."""

LEAST_SQUARES = 8
"""Squares that a picture must have for its noise to be measured."""

BLOCKS = (3.0, 48.0)
"""Sides of the blocks of a pixelated picture that are looked for, pixels."""

FLAT = 0.5
"""Share of the commonest grey that makes a picture a page, or a thing on plain ground."""

SHADED = 0.4
"""Share that does beside a page, or where lettering may be on a part of the picture: paper that was lit unevenly."""

LIT = 0.25
"""Share of the commonest grey from which a picture may be a page that was lit unevenly, up to FLAT."""

STROKE = 0.08
"""Of the longer side: wider than the strokes of letters are, so that the brightest nearby is paper."""

WHITE = 235.0
"""Grey that evenly lit paper is given."""

LETTERED, LETTERED_AT_A_GLANCE, LETTERED_EVENLY = 0.4, 0.42, 0.47
"""Share of the textured squares that is of that grey which makes it a page, as there is paper between strokes. Of
receipts and printed pages 98 in 100 have more than 0.51 (at a glance: 0.44 and 0.35), of things on plain ground 90 in
100 less than 0.43 (0.39)."""

THING_AT_A_GLANCE = 0.35
"""The same share up to which a picture is a thing on plain ground for sure: of 550 receipts and pages none has less
than 0.4."""

ON_GRID = 0.5
"""Share of a pixelated picture's edges that lie on its grid; other pictures have next to none on any grid."""

Floats = NDArray[np.float32]
T = TypeVar("T")


class View:
    """One picture, small, with what is derived from it. May be shared by threads.

    square   (n, n, 3) uint8, RGB: the whole picture squeezed to a square, about GLANCE pixels a side
    size     (width, height) of the whole picture, pixels
    drafted  the JPEG decoder had a hand in the square: it may differ a little from that of equal pixels
    load     gives the (h, w) uint8 luminance of the picture, long side <= SIDE; asked only when the square does not
             decide. What it raises goes through the proof to the caller.
    pixels   gives a digest of the whole picture's pixels; asked only when the two could be equal. It may raise: then
             the pixels are not confirmed to be equal.
    joined   tells of a square whether it shows pictures side by side or a picture in a frame, with straight seams
    """

    def __init__(
        self,
        square: NDArray[np.uint8],
        size: tuple[int, int],
        drafted: bool,
        load: Callable[[], NDArray[np.uint8]],
        pixels: Callable[[], bytes],
        joined: Callable[[NDArray[np.uint8]], bool] = lambda _: False,
    ) -> None:
        self.square = square
        self.size = size
        self.drafted = drafted
        self._pixels = pixels
        self._load = load
        self._joined = joined
        self._lock = threading.RLock()
        self._known: dict[Callable[[View], object], object] = {}

    def once(self, make: Callable[[View], T]) -> T:
        """What `make` derives from this view, derived when first asked for."""
        with self._lock:
            if make not in self._known:
                self._known[make] = make(self)
            return self._known[make]  # type: ignore[return-value]  # the key made the value

    def pixels(self) -> bytes:
        """A digest of the whole picture's pixels."""
        return self.once(_digest)

    @property
    def image(self) -> NDArray[np.uint8]:
        """(h, w) uint8 luminance, long side <= SIDE."""
        return self.once(_image)

    @property
    def glance(self) -> Floats:
        """(GLANCE, GLANCE) float32 luminance of the whole picture squeezed to a square, 0..255."""
        return self.once(_glance)

    @property
    def colours(self) -> NDArray[np.uint8]:
        """(COLOURS, COLOURS, 3) uint8, RGB: the whole picture squeezed to a square."""
        return self.once(_colours)

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height) of the view, pixels."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def area(self) -> float:
        """Of the view, in its pixels, without loading it; a rounding off."""
        return self.size[0] * self.size[1] * min(1.0, SIDE / max(self.size)) ** 2

    @property
    def grey(self) -> Floats:
        """The image as float32, 0..255; not kept, as it would be most of a view."""
        return self.image.astype(np.float32)

    @property
    def thumb(self) -> Floats:
        """(THUMB, THUMB) float32 luminance with mean 0 and norm 1; all 0 for a picture of one grey."""
        return self.once(_thumb)

    @property
    def textured(self) -> NDArray[np.bool_]:
        """(rows, columns) whether each SQUARE of the picture has texture."""
        return self.once(_textured)

    @property
    def ground(self) -> tuple[float, float]:
        """The commonest grey (+-4 levels) and the share of the picture that it takes."""
        return self.once(_ground)

    @property
    def is_page(self) -> bool:
        """Whether one grey takes most of the picture, also of what is textured, as between the strokes of letters.

        Or would, were it lit evenly.
        """
        return self.once(_is_page)

    @property
    def is_joined(self) -> bool:
        """Whether it shows pictures side by side, or a picture in a frame."""
        return self.once(_is_joined)

    @property
    def block(self) -> float:
        """Side of the blocks of a pixelated picture, pixels of the view; 0: it is not pixelated."""
        return self.once(_block)

    @property
    def noise(self) -> float:
        """Deviation of the noise, grey levels, where the picture is smoothest."""
        return self.once(_noise)

    @property
    def small(self) -> NDArray[np.uint8]:
        """(h, w) uint8 luminance, long side <= COARSE: the square, given its aspect back. Nothing is loaded for it."""
        return self.once(_small)

    @property
    def coarse(self) -> Features:
        """Local features of the picture at COARSE pixels."""
        return self.once(_coarse)

    @property
    def fine(self) -> Features:
        """Local features of the picture at FINE pixels."""
        return self.once(_fine)


def _digest(view: View) -> bytes:
    return view._pixels()


def _image(view: View) -> NDArray[np.uint8]:
    return view._load()


def _glance(view: View) -> Floats:
    grey = cv2.cvtColor(view.square, cv2.COLOR_RGB2GRAY)
    if len(grey) != GLANCE:
        grey = cv2.resize(grey, (GLANCE, GLANCE), interpolation=cv2.INTER_AREA)
    return grey.astype(np.float32)


def _colours(view: View) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(view.square, (COLOURS, COLOURS), interpolation=cv2.INTER_AREA))


def _thumb(view: View) -> Floats:
    small = cv2.resize(view.glance, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    small = small - small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1.0), np.float32)


def _textured(view: View) -> NDArray[np.bool_]:
    factor = SIDE / max(view.shape)
    columns, rows = (max(1, round(n * factor / SQUARE)) for n in view.shape)
    grey = cv2.resize(view.grey, (SQUARE * columns, SQUARE * rows), interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(grey, (0, 0), 1.0)
    mean, power = (cv2.resize(x, (columns, rows), interpolation=cv2.INTER_AREA) for x in (soft, soft * soft))
    return np.asarray(power - mean * mean > TEXTURE**2)


def commonest(grey: Floats) -> tuple[float, float]:
    """The commonest grey (+-4 levels) of some pixels, and the share of them that it takes."""
    counts = np.bincount(np.round(grey).astype(np.uint8).ravel(), minlength=256)
    near = np.convolve(counts, np.ones(9, np.intp), mode="same")
    level = int(near.argmax())
    return float(level), float(near[level] / grey.size)


def _ground(view: View) -> tuple[float, float]:
    return commonest(view.grey)


def _is_page(view: View) -> bool:
    level, share = view.ground
    if share > FLAT or share < LIT:
        return share > FLAT and paper(view.grey, view.textured, level) > LETTERED
    return paper_evenly_lit(view.grey, view.textured) > LETTERED_EVENLY


def paper_evenly_lit(grey: Floats, textured: NDArray[np.bool_]) -> float:
    """What `paper` would say, were the picture lit evenly; 0 where the commonest grey then takes less than SHADED."""
    even = _evenly_lit(grey)
    level, share = commonest(even)
    return paper(even, textured, level) if share > SHADED else 0.0


def _evenly_lit(grey: Floats) -> Floats:
    """The picture divided by what is brightest around each place."""
    small = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    side = max(3, round(STROKE * max(small.shape)))
    bright = cv2.GaussianBlur(cv2.dilate(small, np.ones((side, side), np.uint8)), (0, 0), side / 2)
    light = cv2.resize(bright, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(grey / np.maximum(light, 1) * WHITE, 0, 255), np.float32)


def paper(grey: Floats, textured: NDArray[np.bool_], level: float) -> float:
    """Share of the textured squares that is within 6 levels of a grey; 1 without any. They divide a picture evenly."""
    near = (np.abs(grey - np.float32(level)) <= 6).astype(np.float32)
    shares = cv2.resize(near, textured.shape[::-1], interpolation=cv2.INTER_AREA)
    return float(shares[textured].mean()) if textured.any() else 1.0


def _is_joined(view: View) -> bool:
    return view._joined(view.square)


def _block(view: View) -> float:
    """The longest period on which edges across and edges down both lie, by the Fourier transform of their strengths."""
    sides = []
    for axis in (0, 1):
        edges = np.abs(np.diff(view.grey, axis=1 - axis)).mean(axis=axis)
        if len(edges) < 2 * BLOCKS[0] or edges.sum() == 0:
            return 0.0
        spectrum = np.abs(np.fft.rfft(edges, 16 * SIDE)) / edges.sum()
        frequencies = np.arange(len(spectrum)) / (16 * SIDE)
        fits = (
            (frequencies >= 1 / min(BLOCKS[1], len(edges) / 4)) & (frequencies <= 1 / BLOCKS[0]) & (spectrum > ON_GRID)
        )
        if not fits.any():
            return 0.0
        first = int(fits.argmax())
        peak = first + int(spectrum[first : first + 64].argmax())
        sides.append(1 / frequencies[peak])
    return float(max(sides)) if max(sides) < 1.5 * min(sides) else 0.0


def _noise(view: View) -> float:
    """J. Immerkaer, Fast noise variance estimation, 1996: a difference of Laplacians, which slopes hardly move."""
    rows, columns = (n // SQUARE for n in view.grey.shape)
    if rows * columns < LEAST_SQUARES:
        return 0.0
    rough = cv2.filter2D(view.grey, -1, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6)
    power = (rough * rough)[: rows * SQUARE, : columns * SQUARE]
    return float(np.sqrt(np.percentile(cv2.resize(power, (columns, rows), interpolation=cv2.INTER_AREA), SMOOTHEST)))


def _small(view: View) -> NDArray[np.uint8]:
    return _resized(view.glance, view.size, COARSE)


def _coarse(view: View) -> Features:
    return find_features(view.small, quick=True)


def _fine(view: View) -> Features:
    return find_features(_resized(view.grey, view.shape, FINE))


def _resized(grey: Floats, size: tuple[int, int], side: int) -> NDArray[np.uint8]:
    """In the aspect of a picture of that size, its long side at most `side`."""
    factor = min(1.0, side / max(size))
    shape = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    return np.round(cv2.resize(grey, shape, interpolation=cv2.INTER_AREA)).astype(np.uint8)
