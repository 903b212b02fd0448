"""tbhdup compare in a subprocess: its words, its exit statuses, and the picture that it draws."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

TAKEN = Path(__file__).resolve().parent.parent / "data" / "gallery" / "taken"
SENT = TAKEN.parent / "sent"
MARGIN, HEIGHT = 16, 600


def run(*arguments: object, check: int) -> tuple[list[str], str]:
    """The lines on stdout, and stderr."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "tbhdup", "compare", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == check, done.stderr.decode()
    return done.stdout.decode().splitlines(), done.stderr.decode()


def refused(*arguments: object, check: int) -> str:
    """The one line of an error."""
    said, error = run(*arguments, check=check)
    assert said == []
    assert error.startswith("tbhdup: ")
    assert error.count("\n") == 1
    return error


def reddened(drawn: Image.Image, original: Image.Image, left: int) -> np.ndarray:
    """(h, w) which pixels of a picture at `left` on the sheet are redder than they were."""
    plain = original.resize((round(original.width * HEIGHT / original.height), HEIGHT), Image.Resampling.BICUBIC)
    marked = np.asarray(drawn.crop((left, MARGIN, left + plain.width, MARGIN + HEIGHT)), np.int16)
    gain = marked - np.asarray(plain, np.int16)
    return gain[..., 0] - gain[..., 1] > 30


def test_a_crop_is_proven_in_words_and_drawn(tmp_path: Path) -> None:
    a, b, out = TAKEN / "city-2.jpg", SENT / "city-2-cropped.jpg", tmp_path / "proof.png"
    (verdict, numbers), _ = run(a, b, "--picture", out, check=0)
    assert verdict.startswith("the same picture: ")
    assert "cropped" in verdict
    assert "bits apart, cosine" in verdict
    for words in ("B shows ", "% of A, which fills ", " inliers; agreement ", "; confidence "):
        assert words in numbers
    with Image.open(out) as drawn:
        assert drawn.format == "PNG"
        widths = [round(w * HEIGHT / h) for w, h in (Image.open(path).size for path in (a, b))]
        assert drawn.width == sum(widths) + 3 * MARGIN
        assert HEIGHT + 4 * MARGIN < drawn.height < HEIGHT + 200
        pixels = np.asarray(drawn.convert("RGB"), np.int16)
    green = (pixels[..., 1] > 220) & (pixels[..., 0] < 110) & (pixels[..., 2] < 160)
    for left, width in ((MARGIN, widths[0]), (2 * MARGIN + widths[0], widths[1])):
        assert green[MARGIN : MARGIN + HEIGHT, left : left + width].sum() > 2000


def test_what_was_pasted_over_is_red_in_both(tmp_path: Path) -> None:
    first, second, out = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "proof.PNG"
    original = Image.open(TAKEN / "leaves-1.jpg").convert("RGB")
    copy = original.copy()
    w, h = original.size
    ImageDraw.Draw(copy).rectangle((w * 0.6, h * 0.2, w * 0.85, h * 0.55), fill=(90, 140, 200))
    original.save(first)
    copy.save(second)
    (verdict, numbers), _ = run(first, second, "--picture", out, check=0)
    assert "overlaid" in verdict
    assert "no inliers needed" in numbers
    with Image.open(out) as image:
        drawn = image.convert("RGB")
    for picture, left in ((original, MARGIN), (copy, 2 * MARGIN + round(w * HEIGHT / h))):
        red = reddened(drawn, picture, left)
        rows, columns = red.shape
        box = red[round(rows * 0.23) : round(rows * 0.52), round(columns * 0.63) : round(columns * 0.82)]
        assert box.mean() > 0.7
        around = red[round(rows * 0.14) : round(rows * 0.61), round(columns * 0.55) : round(columns * 0.9)]
        assert around.sum() > 0.95 * red.sum()


def test_strangers_are_drawn_without_marks_and_exit_with_1(tmp_path: Path) -> None:
    out = tmp_path / "proof.jpeg"
    (verdict, numbers), _ = run(TAKEN / "city-1.jpg", TAKEN / "fruit-1.jpg", "--picture", out, check=1)
    assert verdict.startswith("different pictures: ")
    assert "confidence " in numbers
    with Image.open(out) as drawn:
        assert drawn.format == "JPEG"
        assert not reddened(drawn, Image.open(TAKEN / "city-1.jpg").convert("RGB"), MARGIN).any()


def test_equal_bytes_need_no_proof(tmp_path: Path) -> None:
    out = tmp_path / "proof.jpg"
    said, _ = run(TAKEN / "city-1.jpg", TAKEN / "city-1.jpg", "--picture", out, check=0)
    assert said == [
        "the same picture: identical bytes (0 bits apart, cosine 1.000)",
        "B shows 100% of A, which fills 100% of B; confidence 1.00",
    ]
    assert out.exists()


def test_very_wide_and_very_small_pictures_are_drawn(tmp_path: Path) -> None:
    for name, size in (("wide.png", (4000, 3)), ("tall.png", (2, 3000)), ("dot.png", (1, 1))):
        Image.new("RGB", size, "navy").save(tmp_path / name)
    for names in (("wide.png", "tall.png"), ("dot.png", "wide.png"), ("tall.png", "dot.png")):
        out = tmp_path / "proof.png"
        run(*(tmp_path / name for name in names), "--picture", out, check=1)
        with Image.open(out) as drawn:
            assert 400 < drawn.width < 2600
            assert 60 < drawn.height < 900


@pytest.mark.parametrize("name", ["proof.gif", "proof", "proof.png.txt"])
def test_another_ending_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.jpg"
    assert ".png, .jpg, .jpeg" in refused(missing, missing, "--picture", tmp_path / name, check=2)


def test_a_picture_is_never_drawn_over_the_pictures_compared(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jpg"
    mine.write_bytes((TAKEN / "city-1.jpg").read_bytes())
    before = mine.read_bytes()
    assert "another name" in refused(TAKEN / "city-2.jpg", mine, "--picture", mine, check=2)
    assert mine.read_bytes() == before


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "proof.png"
    assert "cannot be written" in refused(TAKEN / "city-1.jpg", TAKEN / "city-1.jpg", "--picture", out, check=1)
