"""Copies and shots of one scene are no strangers to each other; pictures that only look alike are."""

from __future__ import annotations

import os
from pathlib import Path

import drawing
import numpy as np

from tbhdup.training.related import related

NEAR = np.full((1, 128), 20, np.int8)


def test_copies_and_two_views_of_one_scene_are_related_and_strangers_are_not(tmp_path: Path) -> None:
    wide = drawing.picture("city", 1, (900, 400))
    pictures = {
        "left": wide.crop((0, 0, 560, 400)),
        "right": wide.crop((280, 0, 840, 400)),  # half of it in common: no copy, but the same houses
        "other": drawing.picture("city", 2, (560, 400)),
        "again": wide.crop((0, 0, 560, 400)).resize((280, 200)),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
    paths = [os.fsencode(tmp_path / f"{name}.png") for name in pictures]
    groups = related(paths, np.zeros(4, np.uint64), np.repeat(NEAR, 4, axis=0))
    assert groups[0] == groups[1] == groups[3]
    assert groups[2] != groups[0]


def test_pairs_that_are_far_apart_are_not_looked_at(tmp_path: Path) -> None:
    latents = np.concatenate([NEAR, -NEAR])
    nowhere = [b"/nowhere/1.png", b"/nowhere/2.png"]
    assert related(nowhere, np.zeros(2, np.uint64), latents).tolist() == [0, 1]
