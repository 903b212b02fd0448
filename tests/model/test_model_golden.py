"""The codes that are in people's stores: another decoder, resizing or kernel must not change them unnoticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def test_the_codes_of_the_sample_gallery_are_what_they_were() -> None:
    known = json.loads((DATA / "golden.json").read_text())
    command = [sys.executable, DATA / "make_golden.py", DATA / "gallery"]
    now = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert now.keys() == known.keys()
    flips = {name: (int(now[name], 16) ^ int(known[name], 16)).bit_count() for name in known}
    assert max(flips.values()) <= 1, flips
