from __future__ import annotations

import numpy as np
import pytest
from corpus import corners, encode, orientation, quarters
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from tbhdup.sources import Decoded, decode, detail, fit, pack_thumbnail, square, unpack_thumbnail


def decoded(image: Image.Image) -> Decoded:
    return Decoded(image, (0, 0, *image.size), *image.size, "PNG")


def soft(seed: int = 0, size: tuple[int, int] = (512, 384)) -> Image.Image:
    """A picture with the softness of a photograph."""
    noise = np.random.default_rng(seed).integers(0, 256, (24, 32), np.uint8)
    return (
        Image.fromarray(noise).convert("RGB").resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
    )


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@given(st.integers(1, 700), st.integers(1, 700))
@settings(deadline=None, max_examples=40)
def test_square_and_fit_have_the_promised_shapes(width: int, height: int) -> None:
    picture = decoded(Image.new("RGB", (width, height), (9, 99, 199)))
    squeezed, whole = square(picture, 128), fit(picture, 256)
    assert squeezed.shape == (128, 128, 3)
    assert squeezed.dtype == whole.dtype == np.uint8
    assert squeezed.flags.writeable
    assert (squeezed == (9, 99, 199)).all()
    h, w, _ = whole.shape
    assert max(h, w) == min(256, max(width, height))
    assert abs(w / max(width, height) * height - h / max(width, height) * width) <= 1.5 * min(width, height) + 1


def test_square_shows_the_whole_picture() -> None:
    assert corners(square(decoded(quarters()), 16)) == (0, 1, 2, 3)


def test_fit_never_enlarges() -> None:
    image = quarters()
    assert (fit(decoded(image), 5000) == np.asarray(image)).all()


def test_square_hardly_changes_for_copies_of_a_picture() -> None:
    image = soft()
    original = square(decode(encode(image, "PNG"), least=128), 128)
    half = image.resize((256, 192), Image.Resampling.LANCZOS)
    large = image.resize((2048, 1536), Image.Resampling.BICUBIC)
    for copy in (
        encode(image, "JPEG", quality=75),
        encode(half, "PNG"),
        encode(half, "JPEG"),
        encode(large, "JPEG"),
        encode(large, "PNG"),
    ):
        assert difference(square(decode(copy, least=128), 128), original) < 2
    assert difference(square(decoded(soft(1)), 128), original) > 20


def ramp(size: tuple[int, int]) -> Image.Image:
    """Brighter to the right and to the bottom, so that every shift shows."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / np.array(size)[::-1, None, None]
    return Image.fromarray(np.stack([255 * x, 255 * y, 127 * (x + y)], axis=2).astype(np.uint8))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_half_a_pixel_at_the_edge_of_a_reduced_picture_moves_nothing(name: str, turn: int) -> None:
    data = encode(ramp((133, 69)), name, exif=orientation(turn))
    whole, reduced = decode(data), decode(data, 16)
    assert sorted(reduced.image.size) == [18, 34]  # a quarter is 17.25 x 33.25
    assert (reduced.width, reduced.height) == whole.image.size
    assert np.abs(square(reduced, 16).astype(int) - square(whole, 16)).max() <= 3
    assert np.abs(fit(reduced, 24).astype(int) - fit(whole, 24)).max() <= 4


@given(st.integers(0, 99))
@settings(deadline=None, max_examples=10)
def test_every_format_is_reduced_as_a_jpeg_is(seed: int) -> None:
    rough = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (389, 581, 3), np.uint8))
    image = Image.blend(soft(seed, (581, 389)), rough, 0.5)
    jpeg = square(decode(encode(image, "JPEG", quality=95, subsampling=0), 64), 64)
    png, whole = encode(image, "PNG"), decoded(image)
    assert difference(square(decode(png, 64), 64), jpeg) < 0.8 * difference(square(whole, 64), jpeg)


def test_detail_counts_the_blocks_that_show_something() -> None:
    flat = np.full((128, 128, 3), 77, np.uint8)
    assert detail(flat) == 0
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    assert detail(noise) == 256
    some = flat.copy()
    some[:16, :24] = noise[:16, :24]  # two rows of three blocks
    assert detail(some) == 6


@pytest.mark.parametrize(("amplitude", "counted"), [(4, 0), (5, 256)])
def test_detail_needs_more_than_four_grey_levels(amplitude: int, counted: int) -> None:
    stripes = np.where(np.arange(128) % 2, 100 + amplitude, 100 - amplitude).astype(np.uint8)
    assert detail(np.broadcast_to(stripes[None, :, None], (128, 128, 3)).copy()) == counted


def test_detail_of_large_squares_does_not_overflow() -> None:
    checks = (np.indices((2048, 2048)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert detail(np.repeat(checks[..., None], 3, axis=2)) == 256


@pytest.mark.parametrize("shape", [(128, 64, 3), (100, 100, 3), (128, 128)])
def test_detail_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="detail wants"):
        detail(np.zeros(shape, np.uint8))


def test_a_thumbnail_is_nearly_what_was_packed() -> None:
    picture = decoded(soft())
    pixels = square(picture, 128)
    data = pack_thumbnail(picture, pixels)
    found = unpack_thumbnail(data)
    assert (found.width, found.height, found.drafted) == (512, 384, False)
    assert difference(found.pixels, pixels) < 2
    assert len(data) < 12_000


def test_a_thumbnail_says_when_the_decoder_took_a_short_cut() -> None:
    for name, drafted in (("JPEG", True), ("PNG", False)):
        picture = decode(encode(soft(), name), 128)
        assert picture.image.size == (256, 192)
        assert picture.drafted == drafted
        found = unpack_thumbnail(pack_thumbnail(picture, square(picture, 128)))
        assert (found.width, found.height, found.drafted) == (512, 384, drafted)


@given(st.binary(max_size=200))
def test_what_is_no_thumbnail_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no thumbnail"):
        unpack_thumbnail(data)


def test_a_thumbnail_that_was_cut_off_is_refused() -> None:
    picture = decoded(soft())
    data = pack_thumbnail(picture, square(picture, 128))
    for cut in (1, 2, len(data) // 2):
        with pytest.raises(ValueError, match="no thumbnail"):
            unpack_thumbnail(data[:-cut])
    with pytest.raises(ValueError, match="no thumbnail"):
        unpack_thumbnail(data[:20] + data[-2:])
