"""A library of 500 files of every sort: scanned, marked, acted on in every way, and each time given back as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import corpus
import drawing
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from trees import digests, everything, manifest

SIZE = (240, 180)
SEEDS = 12  # pictures of each kind
EDITS: list[Callable[[Image.Image], Image.Image]] = [
    lambda image: image,  # encoded anew
    ImageOps.mirror,
    lambda image: image.transpose(Image.Transpose.ROTATE_90),
    lambda image: image.transpose(Image.Transpose.ROTATE_180),
    lambda image: image.crop((20, 12, 230, 170)),
    lambda image: image.resize((160, 120), Image.Resampling.LANCZOS),
    lambda image: ImageOps.grayscale(image).convert("RGB"),
    lambda image: ImageOps.expand(image, 14, "white"),
    lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    lambda image: image.filter(ImageFilter.GaussianBlur(0.8)),
    ImageOps.invert,
    lambda image: _captioned(image),
]


def _captioned(image: Image.Image) -> Image.Image:
    shown = image.copy()
    ImageDraw.Draw(shown).text((8, 160), "a caption", "white", stroke_width=2, stroke_fill="black")
    return shown


def run(place: Path, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tbhdup", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "TBHDUP_STORE": str(place / "own" / "store"), "XDG_DATA_HOME": str(place / "data")},
        check=False,
        text=True,
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(photos: Path) -> None:
    """500 names: 60 pictures, 240 edited copies, 80 byte copies, 40 hard and 40 symbolic links, 20 others, 20 bad."""
    for folder in ("taken", "sent", "backup/deep", "odd", "links", "other"):
        (photos / folder).mkdir(parents=True)
    for number, (kind, seed) in enumerate((k, s) for k in sorted(drawing.KINDS) for s in range(SEEDS)):
        picture = drawing.picture(kind, seed, SIZE)
        taken = photos / "taken" / f"{kind} {seed}.{('jpg', 'png', 'webp')[number % 3]}"
        picture.save(taken, quality=92)
        for turn in range(4):
            edit = EDITS[(4 * number + turn) % len(EDITS)]
            edit(picture).save(photos / "sent" / f"{kind}-{seed}-{turn}.{('jpg', 'webp')[turn % 2]}", quality=85)
        shutil.copy2(taken, photos / "backup" / ("deep" if number % 2 else ".") / f"copy of {taken.name}")
        if number < 20:
            name = corpus.awkward_names()[number % 9] if number < 9 else b"odd \xfe name %d.jpg" % number
            shutil.copy2(taken, os.path.join(os.fsencode(photos / "odd"), name))
        if number < 40:
            os.link(
                taken if number % 2 else photos / "backup" / f"copy of {taken.name}",
                photos / "links" / f"hard {number}.jpg",
            )
            (photos / "links" / f"soft {number}.jpg").symlink_to(Path("..") / "taken" / taken.name)
    for number in range(20):
        drawing.slide(number, number, (280, 158)).save(photos / "other" / f"slide {number}.png")
        (photos / "other" / f"bad {number}.jpg").write_bytes([b"", b"no picture", b"\xff\xd8\xff cut off"][number % 3])
    for number, path in enumerate(everything(photos)):
        if not os.path.islink(path):
            os.chmod(path, (0o644, 0o444, 0o600)[number % 3])
            os.utime(path, ns=(10**18, 10**18 + 1_000_000_007 * number))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("library")
    build(place / "photos")
    (place / "report.jsonl").write_text(run(place, "scan", "photos", "--format", "jsonl"))
    return place


def test_scan_apply_and_undo_give_the_very_same_library_back(place: Path) -> None:
    photos = place / "photos"
    before, held = manifest(photos), digests(photos)
    assert len(before) == 500
    report = [json.loads(line) for line in (place / "report.jsonl").read_text().splitlines()]
    groups = [line["members"] for line in report if line["type"] == "group"]
    assert len(groups) >= 60
    assert report[-1]["skipped"] == 20
    edits = {word for members in groups for m in members for word in m["relation"].split(", ")}
    assert edits >= {"identical bytes", "cropped", "mirrored", "turned 90", "grey"}

    apart = next(members for members in groups if len({m["digest"] for m in members}) > 2)
    kept = next(m for m in apart if m["keep"])
    other = next(m for m in apart if m["digest"] not in (kept["digest"], apart[0]["digest"]))
    run(place, "mark", kept["path"], other["path"], "--not-duplicate")

    for options in (["trash", "--kind", "duplicate"], ["move", "--to", "away"], ["hardlink"], ["symlink"]):
        said = run(place, "apply", "report.jsonl", "--yes", "--action", *options)
        done = int(said.splitlines()[-1].split(" ", 1)[0].replace(",", ""))
        after = manifest(photos)
        assert done >= (200 if "duplicate" in options else 80)
        assert sum(after.get(path) != facts for path, facts in before.items()) >= done
        assert after[os.fsencode(other["path"])] == before[os.fsencode(other["path"])]
        if options[0] in ("hardlink", "symlink"):
            assert after.keys() == before.keys()
        assert digests(photos, *(place / name for name in ("away", "data"))) >= held
        assert f"{done} file" in run(place, "undo")
        assert manifest(photos) == before
