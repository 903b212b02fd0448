"""The whole corpus, from the walk to the pixels."""

from __future__ import annotations

import os
from pathlib import Path

import corpus
import numpy as np
import pytest
from corpus import Expectation

from tbhdup.sources import Unusable, decode, read, square, walk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[bytes, Expectation]:
    return corpus.make(folder)


def test_walk_lists_what_may_be_a_picture_and_nothing_else(folder: Path, expected: dict[bytes, Expectation]) -> None:
    listings = list(walk([os.fsencode(folder)]))
    listed = [os.path.relpath(os.path.join(x.folder, e.name), os.fsencode(folder)) for x in listings for e in x.entries]
    assert sorted(listed) == sorted(name for name, expectation in expected.items() if expectation.listed)
    assert all(x.complete and not x.skips for x in listings)


def test_every_file_gives_what_it_should(folder: Path, expected: dict[bytes, Expectation]) -> None:
    found = {name: _outcome(os.path.join(os.fsencode(folder), name)) for name in expected}
    wanted = {name: x.reason or (x.format, x.width, x.height) for name, x in expected.items()}
    assert found == wanted


def test_the_picture_is_seen_upright_in_its_colours(folder: Path, expected: dict[bytes, Expectation]) -> None:
    other = (b"grey", b"black", b"float", b"clear", b"one_pixel", b"thread")
    coloured = [name for name, x in expected.items() if x.reason is None and not any(word in name for word in other)]
    seen = {
        name: corpus.corners(square(decode(read(os.path.join(os.fsencode(folder), name))), 32)) for name in coloured
    }
    assert len(coloured) > 35
    assert seen == dict.fromkeys(coloured, (0, 1, 2, 3))


def test_grey_pictures_of_every_depth_look_alike() -> None:
    files = corpus.odd()
    plain = np.asarray(corpus.quarters().convert("L").convert("RGB"), np.int16)
    for name in ("odd/grey_16.png", "odd/grey_16.tif", "odd/float.tif"):
        assert np.abs(np.asarray(decode(files[name][0]).image, np.int16) - plain).max() <= 1, name


def _outcome(path: bytes) -> object:
    try:
        decoded = decode(read(path))
    except Unusable as error:
        return error.reason
    return decoded.format, decoded.width, decoded.height
