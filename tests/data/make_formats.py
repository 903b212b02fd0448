"""Draw the HEIF files of tests/data/formats, which no package of the tests can encode.

    pip install pillow-heif numpy && python tests/data/make_formats.py tests/data/formats

`pillow-heif` holds an encoder under the GPL, so neither tbhdup nor its tests depend on it; what it writes is free of that.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from corpus import quarters


def main(out: Path) -> None:
    """A plain file, one that is turned by a property, one with metadata, a transparent one, and one of 10 bits."""
    out.mkdir(exist_ok=True)
    photo = quarters()
    exif = Image.Exif()
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09"}
    exif[0x8825] = {1: "N", 2: (51.0, 3.0, 0.0), 3: "E", 4: (3.0, 43.0, 0.0)}
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = photo.copy()
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    deep = np.asarray(photo, np.uint16) * 257
    pillow_heif.from_pillow(photo).save(out / "photo.heic", quality=80)
    photo.save(out / "dated.heic", "HEIF", quality=50, exif=exif)
    across = photo.transpose(Image.Transpose.ROTATE_90)
    across.info["exif"] = turned.tobytes()  # which the encoder makes a property of
    across.save(out / "turned.heic", "HEIF", quality=80)
    clear.save(out / "clear.heic", "HEIF", quality=80)
    pillow_heif.from_bytes("RGB;16", photo.size, deep.tobytes()).save(out / "ten_bits.heic", quality=80)


if __name__ == "__main__":
    pillow_heif.register_heif_opener()
    main(Path(sys.argv[1]))
