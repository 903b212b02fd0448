"""Values for the tests of the store: drawn by hypothesis, made in series, or written past the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tbhdup.store import PART, PICTURE
from tbhdup.values import File, Reason, Relation, Verdict

digests = st.binary(min_size=16, max_size=16)
names = (
    st.one_of(
        st.binary(min_size=1, max_size=30),
        st.binary(min_size=1, max_size=3).map(lambda part: part * 200),
        st.sampled_from([b"IMG 1.jpg", b"caf\xe9.png", b"two\nlines.jpg", b"\xff\xfe", "写真".encode() * 90]),
    )
    .map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
    .filter(lambda name: name not in (b".", b".."))
)
folders = st.lists(names.map(lambda name: name[:20]), max_size=4).map(lambda parts: b"/" + b"/".join(parts))
words = st.text(max_size=40)
fractions = st.floats(allow_nan=False)


@st.composite
def files(draw: st.DrawFn, paths: st.SearchStrategy[bytes] | None = None) -> File:
    """Any file: read, skipped with any reason, or both."""
    if paths is None:
        folder, name = draw(folders), draw(names)
        path = folder.rstrip(b"/") + b"/" + name
    else:
        path = draw(paths)
    digest, skip = draw(st.tuples(st.none() | digests, st.none() | st.sampled_from(Reason)))
    return File(
        path,
        size=draw(st.integers(0, 2**63)),
        mtime_ns=draw(st.integers(-(2**80), 2**80)),
        device=draw(st.integers(0, 2**64 - 1)),
        inode=draw(st.integers(0, 2**64 - 1) | st.just(2**128 - 1)),
        digest=digest,
        skip=skip,
        detail=draw(words | st.just("cannot open '\udcff'")),
    )


relations = st.builds(
    Relation,
    words=st.lists(words, max_size=4).map(tuple),
    share_a=fractions,
    share_b=fractions,
    inliers=st.integers(0, 2**32 - 1),
    agreement=fractions,
    transform=st.tuples(*[fractions] * 6),
)
verdicts = st.builds(
    Verdict, accepted=st.booleans(), confidence=fractions, relation=st.none() | relations, reason=words
)


def pictures(count: int, seed: int = 0, code_bits: int = 64) -> NDArray[np.void]:
    """Pictures with random content; few bits of code make many of them share their substrings."""
    rng = np.random.default_rng(seed)
    rows = np.frombuffer(rng.bytes(count * PICTURE.itemsize), PICTURE).copy()
    rows["code"] &= np.uint64(2**code_bits - 1)
    return rows


def parts(rows: NDArray[np.void], seed: int = 0) -> NDArray[np.void]:
    """None to four parts of each of the pictures, in the pictures' order."""
    rng = np.random.default_rng(seed)
    whole = np.repeat(np.arange(len(rows)), rng.integers(0, 5, len(rows)))
    out = np.frombuffer(rng.bytes(len(whole) * PART.itemsize), PART).copy()
    out["digest"] = rows["digest"][whole]
    return out


def digest(rows: NDArray[np.void], at: int) -> bytes:
    """The digest of one picture."""
    return bytes(rows["digest"][at].tobytes())


def a_file(path: bytes = b"/photos/a.jpg", content: bytes = b"d" * 16, inode: int = 7, **fields: object) -> File:
    """A plain file that was read."""
    return File(path, **{"size": 10, "mtime_ns": 20, "device": 1, "inode": inode, "digest": content, **fields})  # type: ignore[arg-type]  # values of several types by name


@contextmanager
def past_the_store(place: Path) -> Iterator[tuple[lmdb.Environment, lmdb.Transaction[bytes]]]:
    """A write transaction on the bare LMDB environment, for planting what the store would not write."""
    with lmdb.open(str(place), max_dbs=64, map_size=1 << 26) as env:
        for name in env.dbs():
            env.open_db(name, create=False)
        with env.begin(write=True) as txn:
            yield env, txn
