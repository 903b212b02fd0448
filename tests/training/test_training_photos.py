"""Which photographs are trained on, which are kept apart, and which of these are strangers."""

from __future__ import annotations

from pathlib import Path

import drawing
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageOps

from tbhdup.model.encoding import BatchEncoder
from tbhdup.training.photos import Clean, find_photos, in_batches, split
from tbhdup.training.related import related


@given(st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(0, 100))
def test_every_folder_gives_its_share_and_keeps_it_when_others_come(sizes: list[int], held_out: int) -> None:
    folders = [[b"%d/%d" % (folder, at) for at in range(size)] for folder, size in enumerate(sizes)]
    training, apart = split(folders, held_out)
    everything = sorted(path for folder in folders for path in folder)
    assert sorted([*training, *apart]) == everything
    assert training == sorted(training)
    assert apart == sorted(apart)
    assert len(apart) <= min(held_out, len(everything) // 5)
    assert len(apart) > min(held_out, len(everything) // 5) - len(folders)
    alone = set(split(folders[:1], held_out)[1])
    mine = {path for path in apart if path in set(folders[0])}
    assert mine <= alone or alone <= mine  # one share is the beginning of the other


def test_folders_inside_each_other_are_read_once(tmp_path: Path) -> None:
    inner = tmp_path / "b"
    inner.mkdir()
    for number in range(70):
        drawing.picture("city", number % 7, (64, 48)).save((inner if number % 2 else tmp_path) / f"{number}.png")
    skipped: list[bytes] = []
    (inner / "broken.png").write_bytes(b"no picture")
    first, second = find_photos([inner, tmp_path], lambda path, why: skipped.append(path))
    assert len(first) == len(second) == 35
    assert not set(first) & set(second)
    assert skipped == [bytes(inner / "broken.png")]


def test_copies_among_the_held_out_are_no_strangers(tmp_path: Path) -> None:
    kinds = list(drawing.KINDS)
    for number in range(8):
        drawing.picture(kinds[number % len(kinds)], number, (320, 240)).save(tmp_path / f"{number}.png")
    first = drawing.picture(kinds[0], 0, (320, 240))
    first.save(tmp_path / "8.jpg", quality=60)
    ImageOps.mirror(first).save(tmp_path / "9.png")
    paths = sorted(bytes(path) for path in tmp_path.iterdir())
    encoder = BatchEncoder(None, "cpu")
    batches = [encoder.encode(pixels) for pixels in in_batches(Clean(paths, 128))]
    codes, latents = (np.concatenate(column) for column in zip(*batches, strict=True))
    groups = related(paths, codes, latents)
    assert groups[0] == groups[8] == groups[9]
    assert len(set(groups.tolist())) == 8
