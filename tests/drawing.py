"""Pictures drawn by code, the same for the same seed: rich in detail, and pleasant enough for a sample gallery.

`picture` draws one of KINDS. `form`, `slide` and `chat` draw two things in one: a layout, which many pictures may have
in common, and a content of their own.
"""

from __future__ import annotations

import colorsys
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Rng = np.random.Generator

WORDS = [
    "amber",
    "basket",
    "candle",
    "drift",
    "ember",
    "fable",
    "gravel",
    "harbour",
    "island",
    "juniper",
    "kettle",
    "lantern",
    "marble",
    "nectar",
    "orchard",
    "pebble",
    "quarry",
    "ribbon",
    "saddle",
    "timber",
    "umbrella",
    "velvet",
    "willow",
    "yarn",
    "zephyr",
    "anchor",
    "bramble",
    "copper",
    "dune",
    "elm",
    "fern",
    "glacier",
    "heron",
    "ivory",
    "jetty",
    "kestrel",
    "loom",
    "meadow",
    "north",
    "otter",
    "pine",
    "quill",
    "reed",
    "slate",
    "thistle",
    "urn",
    "vale",
    "wren",
    "yew",
]


def picture(kind: str, seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """An RGB picture of one of KINDS, (width, height) pixels."""
    return KINDS[kind](_rng(kind, seed), *size)


def _rng(*parts: object) -> Rng:
    return np.random.default_rng(crc32(repr(parts).encode()))


def _colour(rng: Rng, hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    r, g, b = colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return round(255 * r), round(255 * g), round(255 * b)


def _shade(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(255, max(0, round(c * factor))) for c in colour)
    return r, g, b


def _noise(rng: Rng, width: int, height: int, coarse: tuple[float, float], octaves: int = 5) -> NDArray[np.float64]:
    """(height, width) cloud of values around 0; `coarse`: how many lumps across and down in the first octave."""
    total = np.zeros((height, width))
    for octave in range(octaves):
        columns, rows = (max(2, round(c * 2**octave)) for c in coarse)
        grid = Image.fromarray(rng.uniform(-1, 1, (rows, columns)).astype(np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) * 0.55**octave
    return total


def _to_image(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _gradient(top: Colour, bottom: Colour, width: int, height: int) -> NDArray[np.float64]:
    share = np.linspace(0, 1, height)[:, None, None]
    return np.array(top) * (1 - share) + np.array(bottom) * share + np.zeros((height, width, 3))


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8.0, size))


def _words(rng: Rng, count: int) -> str:
    return " ".join(rng.choice(WORDS, count)).capitalize()


def _landscape(rng: Rng, w: int, h: int) -> Image.Image:
    """Hills behind hills, with woods in front, under a clouded sky."""
    hour = rng.uniform(0, 1)  # from morning to dusk
    sky = _gradient(
        _colour(rng, (0.55, 0.68), (0.35, 0.7), (0.6, 0.95)),
        _colour(rng, (0.02, 0.12) if hour > 0.5 else (0.5, 0.58), (0.2, 0.5), (0.85, 1.0)),
        w,
        h,
    )
    clouds = np.clip(_noise(rng, w, h, (3, 5)), 0, 1)[..., None]
    canvas = sky * (1 - 0.6 * clouds) + 250 * 0.6 * clouds
    x, y = np.meshgrid(np.arange(w), np.arange(h))
    sun = (rng.uniform(0.1, 0.9) * w, rng.uniform(0.08, 0.3) * h, rng.uniform(0.03, 0.07) * h)
    canvas[np.hypot(x - sun[0], y - sun[1]) < sun[2]] = (255, 240, 200)
    hue = rng.uniform(0.2, 0.45)
    for layer in range(5):
        ridge = h * (0.34 + 0.13 * layer) + 0.11 * h * _noise(rng, w, 2, (rng.uniform(2, 5), 2), 6)[0]
        near = (layer + 1) / 5
        base = np.array(
            _colour(rng, (hue, hue + 0.08), (0.25 + 0.3 * near, 0.5 + 0.3 * near), (0.75 - 0.35 * near,) * 2)
        )
        ground = base * (1 + (0.12 + 0.3 * near) * _noise(rng, w, h, (8 + 6 * layer, 12), 5)[..., None])
        haze = np.array((190, 205, 220)) * (1 - near) * 0.6 + ground * (1 - (1 - near) * 0.6)
        canvas = np.where((y > ridge)[..., None], haze, canvas)
        if layer >= 2:
            canvas = _trees(rng, canvas, ridge, base, h * 0.03 * layer)
    return _to_image(canvas)


def _trees(
    rng: Rng, canvas: NDArray[np.float64], ridge: NDArray[np.float64], base: NDArray[np.float64], tall: float
) -> NDArray[np.float64]:
    image = _to_image(canvas)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(8, 30))):
        x = int(rng.integers(0, canvas.shape[1]))
        foot = ridge[x] + rng.uniform(0, 1.2) * tall
        size = tall * rng.uniform(0.7, 1.5)
        green = _shade(tuple(base), rng.uniform(0.4, 0.85))
        for step in range(3):  # three skirts of a fir
            top = foot - size * (0.45 + 0.25 * step)
            half = size * (0.3 - 0.07 * step)
            draw.polygon(
                [(x, top - size * 0.3), (x - half, top + size * 0.25), (x + half, top + size * 0.25)],
                _shade(green, 1 + 0.15 * step),
            )
    return np.asarray(image, np.float64)


def _city(rng: Rng, w: int, h: int) -> Image.Image:
    """Rows of houses with windows, some lit."""
    hue = rng.uniform(0.5, 1.05)
    image = _to_image(
        _gradient(
            _colour(rng, (hue, hue), (0.5, 0.7), (0.3, 0.6)), _colour(rng, (0.02, 0.12), (0.3, 0.6), (0.85, 1)), w, h
        )
        + 12 * _noise(rng, w, h, (3, 6))[..., None]
    )
    draw = ImageDraw.Draw(image)
    for row in range(3):
        x = -rng.uniform(0, 0.1) * w
        while x < w:
            width = rng.uniform(0.07, 0.17) * w
            top = h * (0.15 + 0.2 * row + rng.uniform(0, 0.28))
            wall = _colour(rng, (0, 1), (0.1, 0.45), (0.35 + 0.12 * row, 0.6 + 0.15 * row))
            draw.rectangle((x, top, x + width, h), wall, _shade(wall, 0.6))
            if rng.random() < 0.4:
                draw.polygon(
                    [(x, top), (x + width / 2, top - rng.uniform(0.04, 0.1) * h), (x + width, top)], _shade(wall, 0.55)
                )
            columns, storey = int(rng.integers(2, 6)), rng.uniform(0.035, 0.06) * h
            for c in range(columns):
                for r in range(int((h - top) / storey)):
                    left, up = x + width * (c + 0.25) / columns, top + storey * (r + 0.3)
                    pane = (
                        _colour(rng, (0.1, 0.15), (0.3, 0.7), (0.9, 1))
                        if rng.random() < 0.35
                        else _shade(wall, rng.uniform(0.3, 0.6))
                    )
                    draw.rectangle((left, up, left + width * 0.5 / columns, up + storey * 0.5), pane)
            x += width + rng.uniform(0, 0.02) * w
    return _to_image(np.asarray(image) * (1 + 0.05 * _noise(rng, w, h, (20, 20), 4)[..., None]))


def _fruit(rng: Rng, w: int, h: int) -> Image.Image:
    """Round fruit on a wooden table."""
    wood = np.array(_colour(rng, (0.05, 0.1), (0.35, 0.6), (0.5, 0.8)))
    grain = 0.16 * _noise(rng, w, h, (3, 30), 4) + 0.07 * _noise(rng, w, h, (4, 90), 3)
    canvas = wood * (1 + grain[..., None])
    yy, xx = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    light = np.array((-0.5, -0.6, 0.62))
    for _ in range(int(rng.integers(7, 14))):
        radius = rng.uniform(0.08, 0.19) * h
        cx, cy = rng.uniform(0.02, 0.98) * w, rng.uniform(0.05, 0.95) * h
        nx, ny = (xx - cx) / radius, (yy - cy) / radius
        shadow = np.exp(-2.5 * np.maximum(np.hypot(nx - 0.25, ny - 0.3) - 0.85, 0))
        canvas *= 1 - 0.45 * shadow[..., None]
        depth = np.sqrt(np.maximum(1 - nx**2 - ny**2, 0))
        lit = np.clip(nx * light[0] + ny * light[1] + depth * light[2], 0, 1)
        skin = np.array(_colour(rng, (-0.04, 0.32), (0.65, 0.95), (0.65, 0.95)))
        pores = 1 + 0.16 * _noise(rng, w, h, (18, 14), 4)
        fruit = skin * (0.3 + 0.8 * lit * pores)[..., None] + 200 * (lit**24)[..., None]
        canvas = np.where((nx**2 + ny**2 < 1)[..., None], fruit, canvas)
        stalk = (np.abs(nx + 0.2 * ny) < 0.05) & (ny > -1.1) & (ny < -0.55)
        canvas[stalk] = (70, 50, 25)
    return _to_image(canvas)


def _leaves(rng: Rng, w: int, h: int) -> Image.Image:
    """Fallen leaves, one over the other, with their veins."""
    image = _to_image(np.array((52, 40, 28)) * (1 + 0.4 * _noise(rng, w, h, (12, 9))[..., None]))
    draw = ImageDraw.Draw(image)
    season = rng.uniform(0, 0.3)
    for _ in range(70):
        length = rng.uniform(0.1, 0.26) * h
        turn = rng.uniform(0, 2 * np.pi)
        along, across = np.array((np.cos(turn), np.sin(turn))), np.array((-np.sin(turn), np.cos(turn)))
        foot = rng.uniform(-0.05, 1.05, 2) * (w, h)
        colour = _colour(rng, (season, season + 0.12), (0.5, 0.9), (0.45, 0.9))
        t = np.linspace(0, 1, 24)
        lobes = 0.25 * np.sin(np.pi * t) ** 0.8 * (1 + 0.18 * np.sin(rng.integers(3, 9) * np.pi * t))
        for side in (1, -1):  # the half in the light, the half in the shade
            edge = foot + np.outer(t * length, along) + side * np.outer(lobes * length, across)
            draw.polygon([tuple(p) for p in edge], _shade(colour, 1 if side > 0 else 0.8), _shade(colour, 0.5))
            for k in range(3, 21, 4):
                root = foot + along * length * (t[k] - 0.08)
                draw.line([tuple(root), tuple(edge[k])], _shade(colour, 0.6), 1)
        draw.line([tuple(foot - 0.15 * length * along), tuple(foot + length * along)], _shade(colour, 0.5), 2)
    return _to_image(np.asarray(image) * (1 + 0.1 * _noise(rng, w, h, (30, 24), 3)[..., None])).filter(
        ImageFilter.SMOOTH
    )


def _page(rng: Rng, w: int, h: int) -> Image.Image:
    """A page of text under a heading, with a small diagram."""
    image = Image.new("RGB", (w, h), _colour(rng, (0.1, 0.15), (0.0, 0.06), (0.96, 1)))
    draw = ImageDraw.Draw(image)
    ink, size, left = _colour(rng, (0.55, 0.7), (0.1, 0.5), (0.1, 0.25)), h / 30, w * 0.08
    draw.text((left, h * 0.05), _words(rng, 3), ink, _font(size * 1.9))
    figure = (rng.uniform(0.08, 0.5) * w, rng.uniform(0.3, 0.6) * h)
    y = h * 0.17
    while y < h * 0.92:
        narrow = figure[1] - 1.6 * size < y < figure[1] + 0.28 * h
        room = w * 0.84 * (0.5 if narrow else 1) if rng.random() < 0.85 else w * 0.3
        start = left + (w * 0.42 if narrow and figure[0] < w * 0.3 else 0)
        line = _words(rng, 1)
        while draw.textlength(line, _font(size)) < room - 4 * size:
            line += " " + str(rng.choice(WORDS))
        draw.text((start, y), line, ink, _font(size))
        y += size * 1.5
    x0 = left if figure[0] < w * 0.3 else left + w * 0.44
    draw.rectangle((x0, figure[1], x0 + w * 0.38, figure[1] + 0.26 * h), None, ink)
    steps = np.cumsum(rng.normal(0, 1, 14))
    heights = (steps - steps.min()) / max(float(np.ptp(steps)), 0.1)
    draw.line(
        [(x0 + w * 0.38 * k / 13, figure[1] + h * (0.24 - 0.21 * v)) for k, v in enumerate(heights)], (190, 60, 40), 3
    )
    return image


KINDS = {"landscape": _landscape, "city": _city, "fruit": _fruit, "leaves": _leaves, "page": _page}
PHOTOS = ("landscape", "city", "fruit", "leaves")


def form(layout: int, content: int, size: tuple[int, int] = (420, 560)) -> Image.Image:
    """An application form: two columns of labelled lines, filled in by hand. One layout, many applicants."""
    look, fill = _rng("form", layout), _rng("filled", content)
    w, h = size
    image = Image.new("RGB", size, (252, 252, 248))
    draw = ImageDraw.Draw(image)
    ink = _colour(look, (0, 1), (0.4, 0.8), (0.3, 0.5))
    draw.ellipse((w * 0.05, h * 0.03, w * 0.15, h * 0.03 + w * 0.1), ink)
    draw.text((w * 0.2, h * 0.045), _words(look, 3), ink, _font(h / 24))
    draw.line((w * 0.05, h * 0.14, w * 0.95, h * 0.14), ink, 2)
    for row in range(int(look.integers(7, 10))):
        for column in range(2):
            x, y = w * (0.05 + 0.47 * column), h * (0.18 + 0.085 * row)
            draw.text((x, y), _words(look, 1) + ":", (90, 90, 90), _font(h / 50))
            draw.line((x, y + h * 0.06, x + w * 0.4, y + h * 0.06), (150, 150, 150), 1)
            draw.text(
                (x + w * 0.03, y + h * 0.026),
                f"{_words(fill, 1)} {fill.integers(10, 999)}",
                (20, 30, 140),
                _font(h / 38),
            )
    draw.text((w * 0.6, h * 0.95), f"Ref {fill.integers(10**5, 10**6)}", ink, _font(h / 45))
    return image


def slide(layout: int, content: int, size: tuple[int, int] = (560, 315)) -> Image.Image:
    """A slide: a coloured column with a table of contents, a title, and a pie with its legend."""
    look, fill = _rng("slide", layout), _rng("told", content)
    w, h = size
    ink = _colour(look, (0, 1), (0.5, 0.8), (0.4, 0.6))
    image = Image.new("RGB", size, (250, 250, 252))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, w * 0.22, h), ink)
    for row in range(5):
        draw.text((w * 0.02, h * (0.2 + 0.13 * row)), _words(look, 2), (255, 255, 255), _font(h / 22))
    draw.text((w * 0.27, h * 0.08), _words(fill, 3), ink, _font(h / 10))
    shares = fill.dirichlet(np.ones(4)) * 360
    start = fill.uniform(0, 360)
    for k, share in enumerate(shares):
        part = _shade(ink, 0.6 + 0.35 * k)
        draw.pieslice((w * 0.28, h * 0.3, w * 0.28 + h * 0.55, h * 0.85), start, start + share, part, (255, 255, 255))
        start += share
        draw.rectangle((w * 0.65, h * (0.36 + 0.12 * k), w * 0.67, h * (0.4 + 0.12 * k)), part)
        draw.text((w * 0.69, h * (0.35 + 0.12 * k)), _words(fill, 2), (60, 60, 60), _font(h / 22))
    draw.text((w * 0.27, h * 0.92), _words(look, 4), (140, 140, 140), _font(h / 28))
    return image


def chat(layout: int, content: int, size: tuple[int, int] = (320, 640)) -> Image.Image:
    """A phone's messages: bars above and below as the layout says, bubbles and one photo as the content says."""
    look, fill = _rng("chat", layout), _rng("said", content)
    w, h = size
    ink = _colour(look, (0, 1), (0.4, 0.7), (0.4, 0.7))
    image = Image.new("RGB", size, _colour(look, (0, 1), (0.02, 0.1), (0.93, 0.98)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, w, h * 0.1), ink)
    draw.ellipse((w * 0.04, h * 0.025, w * 0.04 + h * 0.05, h * 0.075), _shade(ink, 1.6))
    draw.text((w * 0.22, h * 0.035), _words(look, 2), (255, 255, 255), _font(h / 32))
    y = h * 0.13
    photo_after = int(fill.integers(0, 3))
    for turn in range(9):
        mine = bool(fill.random() < 0.5)
        lines = [_words(fill, int(fill.integers(2, 4))) for _ in range(int(fill.integers(1, 3)))]
        deep = h * 0.03 * len(lines) + h * 0.02
        tall = h * 0.2 if turn == photo_after else deep
        if y + tall > h * 0.87:
            break
        x = w * (0.25 if mine else 0.05)
        if turn == photo_after:
            photo = picture(PHOTOS[int(fill.integers(0, 4))], content, (round(w * 0.7), round(tall)))
            image.paste(photo, (round(x), round(y)))
        else:
            draw.rounded_rectangle(
                (x, y, x + w * 0.7, y + deep), h * 0.015, _shade(ink, 1.5) if mine else (255, 255, 255)
            )
            for k, line in enumerate(lines):
                draw.text((x + w * 0.04, y + h * (0.01 + 0.03 * k)), line, (40, 40, 40), _font(h / 42))
        y += tall + h * 0.02
    draw.rounded_rectangle((w * 0.05, h * 0.91, w * 0.8, h * 0.97), h * 0.03, (255, 255, 255), ink)
    draw.ellipse((w * 0.85, h * 0.91, w * 0.85 + h * 0.06, h * 0.97), ink)
    return image
