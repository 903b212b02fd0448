"""Edited views of a photograph, drawn at random: which edits come together, and how often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tbhdup.training.edits import (
    Edit,
    Picture,
    Rng,
    any_filter,
    banner,
    beside,
    caption,
    chance,
    colour,
    crop,
    curve,
    detail,
    equal,
    frame,
    grain,
    harden,
    hue,
    letterbox,
    light,
    mirror,
    negative,
    save,
    screen,
    shade,
    shift,
    shrink,
    slant,
    soften,
    spin,
    stickers,
    stretch,
    tilt,
    tint,
    trim,
    turn,
    watermark,
    write,
)

WORK_SIDE = 176  # long side on which edits are made: a little above the encoder's, so that resampling is part of it


def _one_of(rng: Rng, options: Sequence[Edit]) -> Edit:
    return options[int(rng.integers(len(options)))]


SHAPES: tuple[Edit, ...] = (
    crop,
    crop,
    detail,
    detail,
    detail,
    trim,
    mirror,
    turn,
    turn,
    turn,
    turn,
    tilt,
    slant,
    stretch,
)
CANVASES: tuple[Edit, ...] = (letterbox, frame, frame, caption, screen, screen)
OVERLAYS: tuple[Edit, ...] = (write, watermark, banner, stickers)
TONES: tuple[Edit, ...] = (light, light, curve, colour, hue, tint, tint, equal, shade)
FILES: tuple[Edit, ...] = (soften, harden, grain, shrink, shrink, save, save)

COLLAGE = 0.3  # share of strong views that are one part of a collage
NEGATIVE = 0.02


def mild(image: Picture, rng: Rng) -> Picture:
    """What sharing and saving does: nothing, or one small edit, then a file."""
    if chance(rng, 0.4):
        image = _one_of(rng, (trim, light, curve, colour, soften, harden, shift, stretch))(image, rng)
    return save(image, rng) if chance(rng, 0.5) else image


def strong(image: Picture, rng: Rng, other: Picture, spun: float = 0.0) -> Picture:
    """One to four edits of different families, in the order in which people would make them.

    A share `spun` is turned by any angle first.
    """
    if spun and chance(rng, spun):
        image = spin(image, rng)
    chosen = rng.random(5) < (0.5, 0.4, 0.3, 0.45, 0.4)
    if not chosen.any():
        chosen[int(rng.integers(5))] = True
    shape, canvas, overlay, tone, file = chosen
    if shape:
        image = _one_of(rng, SHAPES)(image, rng)
        if chance(rng, 0.2):
            image = _one_of(rng, (mirror, turn, trim, tilt))(image, rng)
    if tone:
        image = _one_of(rng, TONES)(image, rng)
    if overlay:
        image = _one_of(rng, OVERLAYS)(image, rng)
    if canvas:
        image = _one_of(rng, CANVASES)(image, rng)
    elif chance(rng, COLLAGE):
        image = beside(image, other, rng)
    if chance(rng, NEGATIVE):
        image = negative(image, rng)
    return _one_of(rng, FILES)(image, rng) if file else image


def view(
    image: Picture, rng: Rng, other: Picture, side: int, share_strong: float, spun: float = 0.0
) -> NDArray[np.uint8]:
    """One training view, (side, side, 3) RGB. `other` is an unrelated photograph, for collages."""
    image = image.copy()
    image.thumbnail((WORK_SIDE, WORK_SIDE), any_filter(rng))
    image = strong(image, rng, other, spun) if chance(rng, share_strong) else mild(image, rng)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=None))
