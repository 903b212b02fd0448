"""What people and programs do to pictures, each edit a function (image, rng) -> image on small RGB pictures.

The network learns that what these functions change does not make another picture, so what is missing here will be
missed later.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Rng = np.random.Generator
Picture = Image.Image
Edit = Callable[[Picture, Rng], Picture]


# ---------------------------------------------------------------- chance


def chance(rng: Rng, share: float) -> bool:
    """True for a share of the draws."""
    return bool(rng.random() < share)


def _ink(rng: Rng) -> tuple[int, int, int]:
    """A colour; often plain white, black or grey, as in real frames and captions."""
    dice = rng.random()
    if dice < 0.25:
        return (255, 255, 255)
    if dice < 0.45:
        return (0, 0, 0)
    if dice < 0.55:
        return (int(rng.integers(256)),) * 3
    r, g, b = rng.integers(0, 256, 3)
    return int(r), int(g), int(b)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _word(rng: Rng) -> str:
    letters = rng.integers(97, 123, int(rng.integers(2, 10)))
    text = "".join(map(chr, letters))
    return str(rng.choice([text, text.title(), text.upper(), str(int(rng.integers(10_000)))]))


def _lines(rng: Rng, lines: int, words: int) -> str:
    return "\n".join(" ".join(_word(rng) for _ in range(int(rng.integers(1, words + 1)))) for _ in range(lines))


# ---------------------------------------------------------------- shape


def crop(image: Picture, rng: Rng, least: float = 0.25, most: float = 1.0) -> Picture:
    """Keep a window of `least` to `most` of the area."""
    share = rng.uniform(least, most)
    bend = math.exp(rng.uniform(-0.3, 0.3) * (1 - share))
    width = min(image.width, max(16, round(image.width * math.sqrt(share) * bend)))
    height = min(image.height, max(16, round(image.height * math.sqrt(share) / bend)))
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def trim(image: Picture, rng: Rng) -> Picture:
    return crop(image, rng, 0.75)


def turn(image: Picture, rng: Rng) -> Picture:
    """One of the seven other ways to lay a picture down."""
    return image.transpose(Image.Transpose(int(rng.integers(7))))


def detail(image: Picture, rng: Rng) -> Picture:
    """Little is kept: what a crop of a crop, or of the one interesting thing, leaves."""
    return crop(image, rng, most=0.5)


def mirror(image: Picture, rng: Rng) -> Picture:
    return ImageOps.mirror(image)


def tilt(image: Picture, rng: Rng) -> Picture:
    """Turned a little; the corners filled, or cut away roughly."""
    angle = rng.uniform(-18, 18)
    if chance(rng, 0.5):
        return image.rotate(angle, Image.Resampling.BILINEAR, expand=True, fillcolor=_ink(rng))
    turned = image.rotate(angle, Image.Resampling.BILINEAR)
    sine = abs(math.sin(math.radians(angle)))
    dx, dy = round(image.height * sine / 2.2), round(image.width * sine / 2.2)
    if image.width - 2 * dx < 24 or image.height - 2 * dy < 24:
        return turned
    return turned.crop((dx, dy, image.width - dx, image.height - dy))


def spin(image: Picture, rng: Rng) -> Picture:
    """Turned by any angle: the corners filled, lost, or none left in what is cut out."""
    angle = rng.uniform(-180, 180)
    dice = rng.random()
    if dice < 0.4:
        return image.rotate(angle, Image.Resampling.BILINEAR, expand=True, fillcolor=_ink(rng))
    turned = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_ink(rng))
    return turned if dice < 0.6 else turned.crop(_inside(*turned.size, math.radians(angle)))


def _inside(width: int, height: int, angle: float) -> tuple[int, int, int, int]:
    """The largest box of the same shape that shows no corner of a picture turned about its middle."""
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    by = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    dx, dy = round(width * (1 - by) / 2), round(height * (1 - by) / 2)
    return dx, dy, width - dx, height - dy


def slant(image: Picture, rng: Rng) -> Picture:
    """Seen from aside: each corner moves inwards by its own amount."""
    w, h = image.size
    reach = rng.uniform(0.02, 0.16)
    move = rng.uniform(0, reach, (4, 2)) * (w, h)
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
    seen = corners + move * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    rows = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    numbers = np.linalg.solve(np.array(rows), corners.ravel())
    fill = _ink(rng)
    return image.transform(
        (w, h), Image.Transform.PERSPECTIVE, numbers.tolist(), Image.Resampling.BILINEAR, fillcolor=fill
    )


def stretch(image: Picture, rng: Rng) -> Picture:
    by = math.exp(rng.uniform(-0.4, 0.4))
    return image.resize(
        (max(16, round(image.width * by)), max(16, round(image.height / by))), Image.Resampling.BILINEAR
    )


# ---------------------------------------------------------------- canvas


def letterbox(image: Picture, rng: Rng) -> Picture:
    """Bars beside or above: plain, or a blurred copy of the picture."""
    by = 1 + rng.uniform(0.1, 0.9)
    size = (round(image.width * by), image.height) if chance(rng, 0.5) else (image.width, round(image.height * by))
    if chance(rng, 0.35):
        canvas = image.resize(size).filter(ImageFilter.BoxBlur(rng.uniform(4, 12)))
        canvas = ImageEnhance.Brightness(canvas).enhance(rng.uniform(0.5, 1.1))
    else:
        canvas = Image.new("RGB", size, _ink(rng))
    at = rng.uniform(0.3, 0.7) if chance(rng, 0.3) else 0.5
    canvas.paste(image, (round((size[0] - image.width) * at), round((size[1] - image.height) * at)))
    return canvas


def frame(image: Picture, rng: Rng) -> Picture:
    """One or two frames, sometimes broader below."""
    for _ in range(1 + int(chance(rng, 0.3))):
        width = max(1, round(min(image.size) * rng.uniform(0.02, 0.15)))
        foot = width * int(rng.integers(2, 5)) if chance(rng, 0.25) else width
        image = ImageOps.expand(image, (width, width, width, foot), _ink(rng))
    return image


def caption(image: Picture, rng: Rng) -> Picture:
    """A bar with words above or below."""
    lines = int(rng.integers(1, 5))
    size = max(7, round(image.width * rng.uniform(0.04, 0.1)))
    bar = round(size * (lines * 1.25 + 0.8))
    paper = _ink(rng)
    out = Image.new("RGB", (image.width, image.height + bar), paper)
    above = chance(rng, 0.5)
    out.paste(image, (0, bar if above else 0))
    ink = (0, 0, 0) if sum(paper) > 380 else (255, 255, 255)
    ImageDraw.Draw(out).multiline_text(
        (size / 2, size / 3 + (0 if above else image.height)), _lines(rng, lines, 4), ink, _font(size)
    )
    return out


def screen(image: Picture, rng: Rng) -> Picture:
    """A screenshot: the picture among an app's bars, buttons and words, upright or lying."""
    w, h = image.size
    tall = chance(rng, 0.75)
    left, right = (0.0, 0.0) if tall and chance(rng, 0.6) else rng.uniform(0, 0.3, 2)
    above, below = rng.uniform(0.05, 0.6, 2) if tall else rng.uniform(0.03, 0.25, 2)
    size = (round(w * (1 + left + right)), round(h * (1 + above + below)))
    paper = (int(rng.integers(0, 40)),) * 3 if chance(rng, 0.4) else (int(rng.integers(225, 256)),) * 3
    ink = (225, 225, 225) if paper[0] < 128 else (30, 30, 30)
    out = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(out)
    at = (round(w * left), round(h * above))
    if chance(rng, 0.6):
        draw.rectangle(
            (0, round(at[1] * rng.uniform(0, 0.4)), size[0], round(at[1] * rng.uniform(0.5, 0.9))), _ink(rng)
        )
    text = max(6, round(size[0] * rng.uniform(0.03, 0.06)))
    for top, bottom in ((0, at[1]), (at[1] + h, size[1])):
        y: float = top + text * 0.4
        while y + text < bottom:
            x: float = size[0] * rng.uniform(0.02, 0.2)
            dice = rng.random()
            if dice < 0.6:
                draw.text((x, y), _lines(rng, 1, 5), ink if dice < 0.4 else _ink(rng), _font(text))
            elif dice < 0.85:
                for _ in range(int(rng.integers(1, 5))):
                    r = text * rng.uniform(0.5, 1.0)
                    draw.ellipse((x, y, x + r, y + r), _ink(rng) if dice < 0.7 else None, ink)
                    x += r * rng.uniform(1.5, 4)
            y += text * rng.uniform(1.1, 2.2)
    out.paste(image, at)
    return out


def beside(image: Picture, other: Picture, rng: Rng) -> Picture:
    """A collage: the picture and one or two others in a row or a column."""
    others = [other] if chance(rng, 0.75) else [other, ImageOps.mirror(other)]
    across = chance(rng, 0.5)
    gap = int(rng.integers(0, 8))
    w = round(image.width * rng.uniform(0.75, 1.0)) if across else image.width
    h = image.height if across else round(image.height * rng.uniform(0.75, 1.0))
    tiles = [ImageOps.fit(part, (w, h), Image.Resampling.BILINEAR) for part in (image, *others)]
    order = rng.permutation(len(tiles))
    step = (w + gap, 0) if across else (0, h + gap)
    out = Image.new("RGB", (w + step[0] * (len(tiles) - 1), h + step[1] * (len(tiles) - 1)), _ink(rng))
    for place, number in enumerate(order):
        out.paste(tiles[number], (step[0] * place, step[1] * place))
    return out


# ---------------------------------------------------------------- things put on it


def write(image: Picture, rng: Rng) -> Picture:
    """Words over the picture, outlined or not."""
    out = image.copy()
    size = max(7, round(image.width * rng.uniform(0.04, 0.14)))
    at = (image.width * rng.uniform(0, 0.4), image.height * rng.uniform(0, 0.85))
    text = _lines(rng, int(rng.integers(1, 5)), 4)
    edge = int(rng.integers(0, 3))
    ImageDraw.Draw(out).multiline_text(at, text, _ink(rng), _font(size), stroke_width=edge, stroke_fill=_ink(rng))
    return out


def watermark(image: Picture, rng: Rng) -> Picture:
    """A half-transparent word or badge: once, or all over."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    alpha = int(rng.integers(50, 200))
    ink = (*_ink(rng), alpha)
    size = max(8, round(image.width * rng.uniform(0.06, 0.2)))
    word = _word(rng)
    if chance(rng, 0.4):
        for top in range(0, image.height, round(size * rng.uniform(1.5, 3.5)) + 1):
            for left in range(-size, image.width, round(size * rng.uniform(3, 7)) + 1):
                draw.text((left + top % (2 * size), top), word, ink, _font(size))
    else:
        x, y = image.width * rng.uniform(0, 0.75), image.height * rng.uniform(0, 0.85)
        if chance(rng, 0.5):
            draw.rounded_rectangle((x, y, x + size * 3, y + size * 1.4), size / 2, (*_ink(rng), alpha))
        draw.text((x + size / 3, y), word, ink, _font(size))
    if chance(rng, 0.2):
        layer = layer.rotate(rng.uniform(-45, 45))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def banner(image: Picture, rng: Rng) -> Picture:
    """An opaque strip along a side, across the middle, or over a corner."""
    w, h = image.size
    thick = max(6, round(h * rng.uniform(0.08, 0.28)))
    strip = Image.new("RGBA", (round(math.hypot(w, h)), thick), (*_ink(rng), 255))
    ImageDraw.Draw(strip).text(
        (thick, thick * 0.2), _lines(rng, 1, 6), (*_ink(rng), 255), _font(max(7, round(thick * 0.55)))
    )
    out = image.copy()
    if chance(rng, 0.3):
        strip = strip.rotate(rng.uniform(20, 70) * (1 if chance(rng, 0.5) else -1), expand=True)
        at = (
            round(w * rng.choice([0.15, 0.85]) - strip.width / 2),
            round(h * rng.choice([0.15, 0.85]) - strip.height / 2),
        )
        out.paste(strip, at, strip)
    else:
        out.paste(strip, (0, round((h - thick) * rng.choice([0, 0, 0.5, 1, 1]))))
    return out


def stickers(image: Picture, rng: Rng) -> Picture:
    """Round, angular and scribbled things."""
    out = image.copy()
    draw = ImageDraw.Draw(out)
    w, h = image.size
    for _ in range(int(rng.integers(1, 6))):
        x, y, r = w * rng.uniform(0.05, 0.95), h * rng.uniform(0.05, 0.95), min(w, h) * rng.uniform(0.04, 0.18)
        dice = rng.random()
        if dice < 0.4:
            draw.ellipse((x - r, y - r, x + r, y + r), _ink(rng), _ink(rng), max(1, round(r / 8)))
            draw.arc((x - r / 2, y - r / 2, x + r / 2, y + r / 2), 20, 160, _ink(rng), max(1, round(r / 6)))
        elif dice < 0.6:
            points = int(rng.integers(3, 9))
            angles = np.sort(rng.uniform(0, 2 * math.pi, points))
            draw.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for a in angles], _ink(rng))
        elif dice < 0.75:
            draw.rectangle((x, y, x + r * rng.uniform(0.5, 2), y + r), _ink(rng))
        else:
            steps = rng.normal(0, 0.07, (24, 2)).cumsum(axis=0) + (x / w, y / h)
            draw.line([(a * w, b * h) for a, b in steps.tolist()], _ink(rng), int(rng.integers(1, 6)))
    return out


# ---------------------------------------------------------------- colour and light


def light(image: Picture, rng: Rng) -> Picture:
    image = ImageEnhance.Brightness(image).enhance(math.exp(rng.uniform(-0.9, 0.7)))
    return ImageEnhance.Contrast(image).enhance(math.exp(rng.uniform(-0.9, 0.8))) if chance(rng, 0.5) else image


def curve(image: Picture, rng: Rng) -> Picture:
    """A smooth tone curve, the same or another one for each channel."""
    x = np.linspace(0, 1, 256)
    tables = []
    shared = math.exp(rng.uniform(-0.8, 0.8))
    for _ in range(3):
        power = shared if chance(rng, 0.6) else math.exp(rng.uniform(-0.6, 0.6))
        low, high = rng.uniform(-0.1, 0.2), rng.uniform(0.8, 1.1)
        tables.append(np.clip((low + (high - low) * x**power) * 255, 0, 255).astype(int))
    return image.point(np.concatenate(tables).tolist())


def colour(image: Picture, rng: Rng) -> Picture:
    return ImageEnhance.Color(image).enhance(float(rng.choice([0.0, rng.uniform(0, 0.6), rng.uniform(1.5, 3.5)])))


def hue(image: Picture, rng: Rng) -> Picture:
    h, s, v = image.convert("HSV").split()
    shift = int(rng.integers(8, 248))
    return Image.merge("HSV", (h.point(lambda p: (p + shift) % 256), s, v)).convert("RGB")


def tint(image: Picture, rng: Rng) -> Picture:
    """Grey, or grey between two colours (sepia and its like), fully or in part."""
    toned = ImageOps.grayscale(image)
    if chance(rng, 0.5):
        return toned.convert("RGB")
    dark, bright = rng.integers(0, 80, 3), rng.integers(150, 256, 3)
    out = ImageOps.colorize(toned, tuple(dark.tolist()), tuple(bright.tolist()))
    return Image.blend(image, out, rng.uniform(0.5, 1.0))


def negative(image: Picture, rng: Rng) -> Picture:
    return ImageOps.invert(image)


def equal(image: Picture, rng: Rng) -> Picture:
    """What 'enhance' buttons do, and fewer colours."""
    dice = rng.random()
    if dice < 0.4:
        return ImageOps.autocontrast(image, cutoff=rng.uniform(0, 5))
    if dice < 0.7:
        return ImageOps.equalize(image)
    return ImageOps.posterize(image, int(rng.integers(2, 5)))


def shade(image: Picture, rng: Rng) -> Picture:
    """Uneven light, sometimes with the fine waves of a photographed screen."""
    h, w = image.height, image.width
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    gain = 1 + rng.uniform(-0.4, 0.4) * (x / w - 0.5) + rng.uniform(-0.4, 0.4) * (y / h - 0.5)
    if chance(rng, 0.6):
        angle, period = rng.uniform(0, math.pi), rng.uniform(2, 7)
        gain *= 1 + rng.uniform(0.02, 0.12) * np.sin(2 * math.pi * (x * math.cos(angle) + y * math.sin(angle)) / period)
    cast = rng.uniform(0.85, 1.1, 3)
    return _picture(np.asarray(image, np.float32) * gain[..., None] * cast)


# ---------------------------------------------------------------- sharpness and files


def soften(image: Picture, rng: Rng) -> Picture:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 2.6)))


def harden(image: Picture, rng: Rng) -> Picture:
    return image.filter(ImageFilter.UnsharpMask(rng.uniform(0.6, 2), int(rng.integers(80, 450)), 1))


def grain(image: Picture, rng: Rng) -> Picture:
    """Noise, coloured or grey; sometimes salt and pepper."""
    pixels = np.asarray(image, np.float32)
    if chance(rng, 0.2):
        mask = rng.random(pixels.shape[:2]) < rng.uniform(0.01, 0.06)
        pixels = np.where(mask[..., None], rng.choice([0.0, 255.0], pixels.shape[:2])[..., None], pixels)
        return _picture(pixels)
    channels = 3 if chance(rng, 0.6) else 1
    return _picture(pixels + rng.normal(0, rng.uniform(3, 38), (*pixels.shape[:2], channels)).astype(np.float32))


def shrink(image: Picture, rng: Rng) -> Picture:
    """Made small; blown up again in blocks, or smoothly, or left small."""
    by = rng.uniform(0.1, 0.6)
    small = image.resize((max(8, round(image.width * by)), max(8, round(image.height * by))), any_filter(rng))
    return small.resize(image.size, Image.Resampling.NEAREST if chance(rng, 0.5) else any_filter(rng))


def save(image: Picture, rng: Rng) -> Picture:
    """Through a lossy file, once or twice."""
    for _ in range(1 + int(chance(rng, 0.3))):
        buffer = io.BytesIO()
        if chance(rng, 0.7):
            image.save(buffer, "JPEG", quality=int(rng.integers(8, 90)), subsampling=int(rng.integers(0, 3)))
        else:
            image.save(buffer, "WEBP", quality=int(rng.integers(4, 85)), method=0)
        image = Image.open(buffer).convert("RGB")
    return image


def shift(image: Picture, rng: Rng) -> Picture:
    """By a few pixels, wrapped: the encoder's grid must not matter."""
    return ImageChops.offset(image, int(rng.integers(-3, 4)), int(rng.integers(-3, 4)))


def any_filter(rng: Rng) -> Image.Resampling:
    """One of the filters that programs resize with."""
    names = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX, Image.Resampling.LANCZOS)
    return names[int(rng.integers(len(names)))]


def _picture(values: NDArray[np.float32]) -> Picture:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
