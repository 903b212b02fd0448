"""Write down the codes of the sample gallery, after weights or the way to their input have changed on purpose.

python tests/data/make_golden.py tests/data/gallery > tests/data/golden.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from tbhdup import sources
from tbhdup.model.encoding import BatchEncoder


def codes(gallery: Path) -> dict[str, str]:
    """The code of every file below a folder in fp32, hexadecimal, by its path from there."""
    encoder = BatchEncoder(None, "cpu", torch.float32)
    side = encoder.record.preprocessing.side
    found = {}
    for path in sorted(gallery.rglob("*.jpg")):
        whole = sources.see(path.read_bytes(), side).squares[0]
        found[path.relative_to(gallery).as_posix()] = f"{encoder.encode(whole[np.newaxis])[0][0]:016x}"
    return found


def main() -> None:
    print(json.dumps(codes(Path(sys.argv[1])), indent=1))


if __name__ == "__main__":
    main()
