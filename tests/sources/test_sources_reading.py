from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.sources import SIZE_LIMIT, Unusable, digest, walk
from tbhdup.sources import read_file as read
from tbhdup.values import Reason


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A fresh folder, and a user for whom permissions count: root gives up its rights for the time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        before = os.geteuid()
        if before == 0:
            os.chown(folder, 65534, -1)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(before)
            for path in folder.iterdir():
                path.chmod(0o700)


def refusal(path: Path) -> Reason:
    with pytest.raises(Unusable) as caught:
        read(os.fsencode(path))
    return caught.value.reason


def test_read_gives_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(range(256)) * 5000)
    (listing,) = walk([os.fsencode(tmp_path)])
    assert read(os.fsencode(path), listing.entries[0]) == path.read_bytes()


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert refusal(tmp_path / "socket") is Reason.NOT_A_FILE
    assert refusal(tmp_path / "pipe") is Reason.NOT_A_FILE  # and does not wait for a writer
    assert refusal(tmp_path) is Reason.NOT_A_FILE
    assert refusal(Path("/dev/null")) is Reason.NOT_A_FILE


def test_a_refused_folder_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = os.open(tmp_path, os.O_RDONLY)
    os.close(before)
    refusal(tmp_path)
    after = os.open(tmp_path, os.O_RDONLY)
    os.close(after)
    assert after == before


def test_gone_empty_and_looping(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert refusal(tmp_path / "empty") is Reason.EMPTY
    assert refusal(tmp_path / "loop") is Reason.LOOP
    assert refusal(tmp_path / "nowhere") is Reason.VANISHED
    assert refusal(tmp_path / "empty" / "below a file") is Reason.VANISHED


def test_too_many_bytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    with path.open("wb") as file:
        file.truncate(SIZE_LIMIT + 1)  # sparse: takes no room
    assert refusal(path) is Reason.TOO_LARGE


def test_no_permission() -> None:
    with unprivileged() as folder:
        path = folder / "private.jpg"
        path.write_bytes(b"mine")
        path.chmod(0)
        assert refusal(path) is Reason.UNREADABLE


def test_vanished_or_replaced_since_the_walk(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one state")
    (listing,) = walk([os.fsencode(tmp_path)])
    path.write_bytes(b"another state")
    with pytest.raises(Unusable) as caught:
        read(os.fsencode(path), listing.entries[0])
    assert caught.value.reason is Reason.CHANGED
    path.unlink()
    with pytest.raises(Unusable) as caught:
        read(os.fsencode(path), listing.entries[0])
    assert caught.value.reason is Reason.VANISHED


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "growing.jpg"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.wait(0.0005):
                file.write(b"more")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert refusal(path) is Reason.CHANGED
    finally:
        stop.set()
        writer.join()
    assert len(read(os.fsencode(path))) == path.stat().st_size


def test_unusable_says_why() -> None:
    assert str(Unusable(Reason.CORRUPT, "no end")) == "corrupt: no end"
    assert str(Unusable(Reason.EMPTY)) == "empty"


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=50)
def test_digest_is_xxh3_big_endian(data: bytes) -> None:
    assert digest(data) == xxhash.xxh3_128_intdigest(data).to_bytes(16, "big")


def test_digest_of_nothing_is_the_published_one() -> None:
    assert digest(b"").hex() == "99aa06d3014798d86001c324468d497f"
