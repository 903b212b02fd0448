"""What a process was decoding when it died is suspected by the next one, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import digests

from tbhdup.errors import StoreError
from tbhdup.store import Store
from tbhdup.store.suspects import NAME

DYING = """
import os, signal, sys
from contextlib import ExitStack
from pathlib import Path
from tbhdup.store import Store

store = Store.open(Path(sys.argv[1]))
with ExitStack() as stack:
    for digest in sys.argv[2:]:
        with store.suspects.watch(b"passed" + bytes(9) + b"!"):
            stack.enter_context(store.suspects.watch(bytes.fromhex(digest)))
    os.kill(os.getpid(), signal.SIGKILL)
"""

ONE, TWO = b"1" * 16, b"2" * 16


def die_in(place: Path, *digests: bytes) -> None:
    subprocess.run([sys.executable, "-c", DYING, str(place), *(digest.hex() for digest in digests)], check=False)


def test_only_what_was_under_way_is_suspected(tmp_path: Path) -> None:
    die_in(tmp_path, ONE, TWO)
    with Store.open(tmp_path) as store:
        assert ONE in store.suspects
        assert TWO in store.suspects
        assert b"passed" + bytes(9) + b"!" not in store.suspects
        assert bytes(16) not in store.suspects
        assert store.check() == []


def test_a_suspect_stays_one_until_it_is_cleared(tmp_path: Path) -> None:
    die_in(tmp_path, ONE)
    die_in(tmp_path, TWO)
    with Store.open(tmp_path) as store:
        store.suspects.clear(ONE)
        store.suspects.clear(ONE)
        assert ONE not in store.suspects
    for _ in range(2):
        with Store.open(tmp_path) as store:
            assert ONE not in store.suspects
            assert TWO in store.suspects


def test_an_error_is_no_death(tmp_path: Path) -> None:
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), Store.open(tmp_path) as store, store.suspects.watch(ONE):
            raise error
    with Store.open(tmp_path) as store:
        assert ONE not in store.suspects


@settings(max_examples=30, deadline=None)
@given(
    suspected=st.lists(digests.filter(any), max_size=6, unique=True),
    cleared=st.lists(st.integers(0, 5)),
    watched=st.lists(digests.filter(any), max_size=6),
)
def test_slots_are_used_again_and_suspects_never_overwritten(
    tmp_path_factory: pytest.TempPathFactory, suspected: list[bytes], cleared: list[int], watched: list[bytes]
) -> None:
    place = tmp_path_factory.mktemp("store")
    (place / NAME).write_bytes(b"".join(digest + bytes(16) for digest in suspected) + b"cut off")
    left = {digest for at, digest in enumerate(suspected) if at not in cleared}
    with Store.open(place) as store:
        for at in cleared:
            if at < len(suspected):
                store.suspects.clear(suspected[at])
        with ExitStack() as stack:
            for digest in watched:
                stack.enter_context(store.suspects.watch(digest))
            written = (place / NAME).read_bytes()
            assert {written[at : at + 16] for at in range(0, len(written), 16)} >= left | set(watched)
    with Store.open(place) as store:
        assert {digest for digest in (*suspected, *watched) if digest in store.suspects} == left


def test_threads_have_slots_of_their_own_and_the_file_stays_small(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:

        def decode(number: int) -> bool:
            with store.suspects.watch(number.to_bytes(16, "big")):
                return number.to_bytes(16, "big") in (tmp_path / NAME).read_bytes()

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(decode, range(1, 2000)))
        assert not any((tmp_path / NAME).read_bytes())
        assert os.path.getsize(tmp_path / NAME) <= 8 * 16


def test_a_reader_leaves_no_file(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with Store.open(tmp_path, write=False) as store:
        assert ONE not in store.suspects
    assert not (tmp_path / NAME).exists()


def test_a_file_that_cannot_be_written_is_said_in_a_line(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with Store.open(tmp_path) as store:
        (tmp_path / NAME).mkdir()
        with pytest.raises(StoreError, match="--store"), store.suspects.watch(ONE):
            pass
    with pytest.raises(StoreError, match="--store"):
        Store.open(tmp_path)
