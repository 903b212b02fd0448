"""Thumbnails are small, upright, of the picture that was scanned, and in order."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from tbhdup import sources
from tbhdup.pipeline.thumbnails import SIDE, thumbnail, thumbnails
from tbhdup.values import Member, Progress

TURNED = 6  # EXIF: shown a quarter turn clockwise


def saved(path: Path, colour: str = "red", size: tuple[int, int] = (400, 300), orientation: int = 1) -> Member:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, colour).save(path, "JPEG", exif=exif)
    data = path.read_bytes()
    return Member(os.fsencode(path), sources.digest(data), *size, len(data), 0, 1.0, "", 1.0, False)


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("size", "orientation", "shown"),
    [((4000, 3000), 1, (160, 120)), ((400, 300), TURNED, (120, 160)), ((40, 30), 1, (40, 30)), ((900, 2), 1, (160, 1))],
)
def test_fits_its_side_upright_and_without_metadata(tmp_path: Path, size, orientation, shown) -> None:
    picture = opened(thumbnail(saved(tmp_path / "a.jpg", size=size, orientation=orientation)))
    assert (picture.format, picture.size) == ("WEBP", shown)
    assert max(picture.size) <= SIDE
    assert not picture.getexif()


def test_none_where_the_file_holds_that_picture_no_more(tmp_path: Path) -> None:
    gone, changed = saved(tmp_path / "gone.jpg"), saved(tmp_path / "changed.jpg")
    (tmp_path / "gone.jpg").unlink()
    saved(tmp_path / "changed.jpg", "blue")
    (tmp_path / "text.jpg").write_bytes(b"no picture")
    text = Member(os.fsencode(tmp_path / "text.jpg"), sources.digest(b"no picture"), 1, 1, 1, 0, 1.0, "", 1.0, False)
    assert list(thumbnails([gone, changed, text])) == [None, None, None]


def test_come_in_order_with_progress(tmp_path: Path) -> None:
    colours = [(8 * number, 0, 0) for number in range(30)]
    members = [saved(tmp_path / f"{n}.jpg", f"rgb{colour}") for n, colour in enumerate(colours)]
    steps: list[Progress] = []
    reds = [opened(data).getpixel((80, 60))[0] for data in thumbnails(members, steps.append)]
    assert reds == sorted(reds)
    assert reds[-1] - reds[0] > 200
    assert [(step.done, step.total) for step in steps] == [(n, 30) for n in range(1, 31)]
    assert list(thumbnails([])) == []


def test_stops_when_nobody_takes_more(tmp_path: Path) -> None:
    drawn = thumbnails([saved(tmp_path / "a.jpg")] * 1_000)
    assert opened(next(drawn)).size == (160, 120)
    drawn.close()
    assert list(drawn) == []
