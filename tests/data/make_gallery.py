"""Draw the sample gallery: pictures made by code, and edited copies of them.

python tests/data/make_gallery.py tests/data/gallery
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import drawing

SIZE = (480, 360)
EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cropped": lambda image: image.crop((60, 40, 440, 330)),
    "small": lambda image: image.resize((240, 180), Image.Resampling.LANCZOS),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "framed": lambda image: ImageOps.expand(image, 30, "white"),
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.4),
}


def main(out: Path) -> None:
    """Two folders: the pictures as taken, and what became of some of them."""
    taken, sent = out / "taken", out / "sent"
    taken.mkdir(parents=True, exist_ok=True)
    sent.mkdir(parents=True, exist_ok=True)
    edits = list(EDITS.items())
    for number, kind in enumerate(sorted(drawing.KINDS)):
        for seed in (1, 2):
            picture = drawing.picture(kind, seed, SIZE)
            name = f"{kind}-{seed}"
            picture.save(taken / f"{name}.jpg", quality=88)
            edit, change = edits[(2 * number + seed) % len(edits)]
            change(picture).save(sent / f"{name}-{edit}.jpg", quality=80)
    first = taken / f"{sorted(drawing.KINDS)[0]}-1.jpg"
    (sent / "copy.jpg").write_bytes(first.read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
