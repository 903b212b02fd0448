"""Every relation, on pictures drawn by code and edited by Pillow."""

from __future__ import annotations

from collections.abc import Callable

import drawing
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from verify_views import photos, saved, view_of

from tbhdup.verify import RELATIONS, prove

Edit = Callable[[Image.Image], Image.Image]


def _cropped(image: Image.Image) -> Image.Image:
    w, h = image.size
    return image.crop((round(0.1 * w), round(0.25 * h), round(0.8 * w), round(0.9 * h)))


def _padded(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (image.width, image.height + 160), (250, 250, 250))
    ImageDraw.Draw(canvas).text((20, 20), "orchard lantern", (0, 0, 0))
    canvas.paste(image, (0, 160))
    return canvas


def _stickers(image: Image.Image) -> Image.Image:
    copy = image.copy()
    draw = ImageDraw.Draw(copy)
    for x, y in ((60, 50), (300, 70), (380, 250)):
        draw.ellipse((x, y, x + 60, y + 60), (250, 210, 40), (0, 0, 0))
        draw.line((x + 15, y + 40, x + 45, y + 40), (0, 0, 0), 4)
    return copy


def _banner(image: Image.Image) -> Image.Image:
    copy = image.copy()
    draw = ImageDraw.Draw(copy)
    draw.rectangle((0, copy.height - 80, copy.width, copy.height), (20, 60, 140))
    draw.text((30, copy.height - 60), "harbour in spring", (255, 255, 255), drawing._font(30))
    return copy


def _collage(image: Image.Image) -> Image.Image:
    other = drawing.picture("leaves", 77, image.size)
    canvas = Image.new("RGB", (2 * image.width, image.height))
    canvas.paste(image, (0, 0))
    canvas.paste(other, (image.width, 0))
    return canvas


def _letterboxed(image: Image.Image) -> Image.Image:
    """Bars that are filled with the picture itself, enlarged and blurred."""
    height = image.width * 4 // 3
    canvas = image.resize((image.width * height // image.height, height)).filter(ImageFilter.GaussianBlur(12))
    left = (canvas.width - image.width) // 2
    canvas = canvas.crop((left, 0, left + image.width, height))
    canvas.paste(image, (0, (height - image.height) // 2))
    return canvas


def _on_a_phone(image: Image.Image) -> Image.Image:
    screen = drawing.chat(5, 8, (360, 720))
    screen.paste(image.resize((360, 270)), (0, 200))
    return screen


def _tilted(image: Image.Image) -> Image.Image:
    """Photographed from the side: the right is farther away than the left."""
    w, h = image.size
    where = (1.15, 0.04, -30, 0.02, 1.15, -30, 4e-4, 2e-4)
    return image.transform((w, h), Image.Transform.PERSPECTIVE, where, Image.Resampling.BICUBIC)


def _moved(image: Image.Image) -> Image.Image:
    where = (1, 0, 0.15 * image.width, 0, 1, -0.1 * image.height)
    return image.transform(image.size, Image.Transform.AFFINE, where)


def _pixelated(image: Image.Image, block: int = 10) -> Image.Image:
    small = image.resize((image.width // block, image.height // block), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.NEAREST)


def _noisy(image: Image.Image, deviation: float = 20) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, deviation, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _speckled(image: Image.Image) -> Image.Image:
    """Salt and pepper."""
    pixels, chance = np.array(image), np.random.default_rng(2).random((image.height, image.width))
    pixels[chance < 0.04], pixels[chance > 0.96] = 0, 255
    return Image.fromarray(pixels)


EDITS: dict[str, tuple[Edit, set[str]]] = {
    "saved": (lambda image: saved(image, 40), {"re-encoded"}),
    "half": (lambda image: image.resize((image.width // 2, image.height // 2)), {"resized"}),
    "thumbnail": (lambda image: image.resize((image.width // 4, image.height // 4)), {"resized"}),
    "square": (lambda image: image.resize((300, 300)), {"stretched"}),
    "mirror": (ImageOps.mirror, {"mirrored"}),
    "clockwise": (lambda image: image.transpose(Image.Transpose.ROTATE_270), {"turned 90"}),
    "upside down": (lambda image: image.transpose(Image.Transpose.ROTATE_180), {"turned 180"}),
    "anticlockwise": (lambda image: image.transpose(Image.Transpose.ROTATE_90), {"turned 270"}),
    "upside down in a mirror": (ImageOps.flip, {"mirrored", "turned 180"}),
    "a little askew": (lambda image: image.rotate(8, Image.Resampling.BICUBIC), {"rotated"}),
    "cropped": (_cropped, {"cropped"}),
    "cropped, mirrored": (lambda image: ImageOps.mirror(_cropped(image)), {"cropped", "mirrored"}),
    "caption bar": (_padded, {"padded"}),
    "blurred bars": (_letterboxed, {"padded"}),
    "border": (lambda image: ImageOps.expand(image, 40, (120, 30, 60)), {"framed"}),
    "screenshot": (_on_a_phone, {"framed"}),
    "stickers": (_stickers, {"overlaid"}),
    "banner": (_banner, {"overlaid"}),
    "collage": (_collage, {"part of a collage"}),
    "dark": (lambda image: ImageEnhance.Brightness(image).enhance(0.5), {"tone changed"}),
    "bright": (lambda image: ImageEnhance.Brightness(image).enhance(1.6), {"tone changed"}),
    "posterised": (lambda image: ImageOps.posterize(image, 3), set()),
    "grey": (lambda image: image.convert("L"), {"grey"}),
    "negative": (ImageOps.invert, {"inverted"}),
    "mirrored negative": (lambda image: ImageOps.invert(_cropped(ImageOps.mirror(image))), {"inverted", "mirrored"}),
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(3)), {"blurred"}),
    "tilted": (_tilted, {"perspective"}),
    "moved": (_moved, {"cropped", "padded"}),
    "pixelated": (_pixelated, set()),
    "very pixelated": (lambda image: _pixelated(image, 18), set()),
    "noisy": (_noisy, set()),
    "very noisy": (lambda image: _noisy(image, 45), set()),
    "speckled": (_speckled, set()),
    "poor quality": (lambda image: saved(image, 4), set()),
    "sharpened": (lambda image: image.filter(ImageFilter.UnsharpMask(4, 300, 0)), set()),
    "shaken": (lambda image: image.filter(ImageFilter.BoxBlur((7, 0))), set()),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_proven_and_named(name: str) -> None:
    edit, words = EDITS[name]
    for image in photos():
        verdict = prove(view_of(image), view_of(edit(image)))
        assert verdict.accepted, verdict
        assert verdict.relation is not None
        assert words <= set(verdict.relation.words), verdict
        assert set(verdict.relation.words) <= set(RELATIONS)
        assert 0.5 <= verdict.confidence <= 1
        assert prove(view_of(edit(image)), view_of(image)).accepted


def test_every_relation_is_told_by_some_edit() -> None:
    told = set().union(*(words for _, words in EDITS.values()))
    assert told | {"identical pixels"} == set(RELATIONS)


def test_a_crop_tells_its_shares_and_its_map() -> None:
    image = drawing.picture("city", 5)
    w, h = image.size
    crop = image.crop((w // 4, h // 4, w, h))
    relation = prove(view_of(image), view_of(crop)).relation
    assert relation is not None
    assert relation.share_a == pytest.approx(9 / 16, abs=0.01)
    assert relation.share_b == pytest.approx(1, abs=0.01)
    assert relation.inliers > 0
    assert relation.transform == pytest.approx((4 / 3, 0, -1 / 3, 0, 4 / 3, -1 / 3), abs=0.01)


def test_the_relation_has_a_direction() -> None:
    image = drawing.picture("fruit", 6)
    crop = _cropped(image)
    there, back = prove(view_of(image), view_of(crop)), prove(view_of(crop), view_of(image))
    assert there.relation is not None
    assert back.relation is not None
    assert "cropped" in there.relation.words
    assert "cropped" not in back.relation.words
    assert there.relation.share_a == pytest.approx(back.relation.share_b, abs=1e-9)


def test_a_copy_of_a_page_is_proven() -> None:
    page = drawing.picture("page", 2)
    for copy in (saved(page, 50), ImageOps.mirror(page), page.resize((240, 180))):
        assert prove(view_of(page), view_of(copy)).accepted


@pytest.mark.parametrize("kind", ["landscape", "leaves"])
def test_a_sheared_copy_is_proven_from_either_side(kind: str) -> None:
    """Two of its corners are lost, two are filled: either picture lacks something, and around the copy a scene goes on."""
    image = drawing.picture(kind, 3)
    where = (1, 0.2, -0.1 * image.height, 0, 1, 0)
    grey = (128, 128, 128)
    copy = image.transform(image.size, Image.Transform.AFFINE, where, Image.Resampling.BICUBIC, fillcolor=grey)
    for pair in ((image, copy), (copy, image)):
        verdict = prove(*map(view_of, pair))
        assert verdict.accepted
        assert verdict.relation is not None
        assert max(verdict.relation.share_a, verdict.relation.share_b) < 0.97
