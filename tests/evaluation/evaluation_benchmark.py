"""A small benchmark, drawn: photographs with edited copies, strangers, and forms that share a layout."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import drawing
from PIL import Image, ImageOps

SOURCES = 12
STRANGERS = 10
FORMS = 4  # of each of two layouts


def make(folder: Path) -> Path:
    """Draw the files below folder/files; returns folder/truth.csv."""
    files = folder / "files"
    (files / "deep").mkdir(parents=True)
    rows: list[tuple[str, str, str, dict[str, object]]] = []
    for number in range(SOURCES):
        image = drawing.picture(drawing.PHOTOS[number % 4], number, (240, 180))
        for edit, edited in _edits(image).items():
            path = f"deep/{number}-{edit}.jpg"
            edited.save(files / path, quality=30 if edit == "jpeg" else 90)
            rows.append((path, f"s{number}", edit, {"quality": 30} if edit == "jpeg" else {}))
        shutil.copy(files / f"deep/{number}-original.jpg", files / f"{number}.jpg")
        rows.append((f"{number}.jpg", f"s{number}", "bytecopy", {}))
    for number in range(STRANGERS):
        drawing.picture(drawing.PHOTOS[number % 4], 100 + number, (240, 180)).save(files / f"stranger{number}.png")
        rows.append((f"stranger{number}.png", f"d{number}", "distractor", {}))
    for layout in range(2):
        for content in range(FORMS):
            drawing.form(layout, 10 * layout + content).save(files / f"form{layout}{content}.png")
            family = {"family": "form", "template": layout}
            rows.append((f"form{layout}{content}.png", f"h{layout}{content}", "distractor", family))
    (files / "broken.jpg").write_bytes(b"no picture")
    rows.append(("broken.jpg", "s0", "broken", {}))
    return write(folder / "truth.csv", rows)


def write(table: Path, rows: list[tuple[str, str, str, dict[str, object]]]) -> Path:
    with table.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "source", "edit", "parameters"))
        writer.writerows((path, source, edit, json.dumps(parameters)) for path, source, edit, parameters in rows)
    return table


def _edits(image: Image.Image) -> dict[str, Image.Image]:
    return {
        "original": image,
        "jpeg": image,
        "half": image.resize((120, 90)),
        "mirror": ImageOps.mirror(image),
        "crop": image.crop((60, 40, 220, 160)),
        "framed": ImageOps.expand(image, 40, "navy"),
    }
