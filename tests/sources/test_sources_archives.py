"""Members of archives: their names, their bytes from anywhere, and what is wrong with some."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.errors import UsageError
from tbhdup.sources import Disk, Unusable, archives, gunzip, is_own, members, read, reading, skip_of, walk
from tbhdup.values import File, Reason

Content = list[tuple[bytes, bytes]]
KINDS = (".zip", ".tar", ".tar.gz")


class _Raw(zipfile.ZipInfo):
    """With the bytes of its name as they are, and no flag for UTF-8."""

    __slots__ = ("raw",)

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's
        return self.raw, self.flag_bits


def make(path: Path, content: Content) -> bytes:
    """An archive with members of any names, written as other programs do: nothing is made plain."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in content:
                info = _Raw()
                info.raw, info.create_system = name, 3
                zipped.writestr(info, data)
    else:
        mode = "w:gz" if path.suffix == ".gz" else "w"
        with tarfile.open(path, mode, encoding="utf-8", errors="surrogateescape", format=tarfile.GNU_FORMAT) as tar:
            for name, data in content:
                info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return os.fsencode(path)


def found(archive: bytes) -> tuple[list[File], File]:
    (listing,) = walk([archive])
    *files, own = members(archive, listing.archives[0])
    assert is_own(own.path)
    return files, own


def troubles(archive: bytes) -> dict[str, Reason | None]:
    """Name or, for what has none, number of each member, with why it cannot be read."""
    return {os.fsdecode(os.path.relpath(file.path, archive)): file.skip for file in found(archive)[0]}


PARTS = st.binary(min_size=1, max_size=12).filter(
    lambda part: not set(part) & set(b"/\0\\") and not part.startswith(b".") and not part.endswith(b" ")
)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: b"/".join(parts) + b".jpg")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(content=st.dictionaries(NAMES, st.binary(min_size=1, max_size=700), max_size=6))
def test_names_and_bytes_come_back(kind: str, content: dict[bytes, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = make(Path(folder) / f"a{kind}", list(content.items()))
        files, own = found(archive)
        assert own.skip is None
        assert [file.path for file in files] == [os.path.join(archive, name) for name in content]
        assert len({file.inode for file in files}) == len(files)
        for file in random.Random(1).sample(files, len(files)):
            data = content[file.path[len(archive) + 1 :]]
            assert (file.size, file.skip) == (len(data), None)
            assert Disk().read(file) == Disk().again(file) == read(file.path) == data


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_out_and_what_is_told(tmp_path: Path, kind: str) -> None:
    content = [
        (b"./a/one.jpg", b"1"), (b"a//one.jpg", b"2"), (b"../out.jpg", b"3"), (b"/top.jpg", b"4"), (b"a/../b.jpg", b"5"),
        (b".hidden.jpg", b"6"), (b"__MACOSX/._one.jpg", b"7"), (b"notes.txt", b"8"), (b"in.zip", b"9"), (b"bare", b"10"),
        (b"empty.png", b""), (b"a/one.jpg", b"11"),
    ]  # fmt: skip
    archive = make(tmp_path / f"x{kind}", content)
    assert troubles(archive) == {
        "a/one.jpg": None, "2": Reason.BAD_NAME, "3": Reason.BAD_NAME, "4": Reason.BAD_NAME, "5": Reason.BAD_NAME,
        "in.zip": Reason.UNSUPPORTED, "bare": None, "empty.png": Reason.EMPTY, "12": Reason.BAD_NAME,
    }  # fmt: skip
    files, _ = found(archive)
    skips = [skip_of(file) for file in files if file.skip is Reason.BAD_NAME]
    assert {skip.path for skip in skips} == {archive}  # never a path that leads elsewhere
    assert ["'../out.jpg'" in skip.detail for skip in skips] == [False, True, False, False, False]
    assert read(os.path.join(archive, b"a/one.jpg")) == b"1"
    for name in (b"../out.jpg", b"out.jpg", b"b.jpg", b"empty.png", b"in.zip/x.jpg"):
        with pytest.raises(Unusable):
            read(os.path.join(archive, name))


def test_a_path_into_a_file_that_is_no_archive_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(Unusable) as caught:
        read(os.fsencode(tmp_path / "a.jpg" / "b.jpg"))
    assert caught.value.reason is Reason.VANISHED
    assert archives.locate(b"/") is None
    archive = make(tmp_path / "a.tar", [(b"b.jpg", b"1")])
    with pytest.raises(UsageError, match="archive"):
        list(walk([archive + b"/b.jpg"]))


def test_links_devices_and_sparse_files_of_a_tar_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("s.jpg", tarfile.SYMTYPE), ("h.jpg", tarfile.LNKTYPE), ("f.jpg", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        folder = tarfile.TarInfo("folder.jpg")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        sparse = tarfile.TarInfo("sparse.jpg")
        sparse.type = tarfile.GNUTYPE_SPARSE
        tar.addfile(sparse)
    assert troubles(os.fsencode(path)) == {
        "s.jpg": Reason.NOT_A_FILE, "h.jpg": Reason.NOT_A_FILE, "f.jpg": Reason.NOT_A_FILE,
        "sparse.jpg": Reason.UNSUPPORTED,
    }  # fmt: skip


def test_links_encrypted_and_unknown_members_of_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        link = zipfile.ZipInfo("link.jpg")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(link, "/etc/passwd")
        zipped.mkdir("folder.jpg")
        for name in ("secret.jpg", "method.jpg", "sum.jpg"):
            zipped.writestr(name, name * 9)
    data = bytearray(path.read_bytes())
    for name, at, value in (("secret.jpg", 8, 1), ("method.jpg", 10, 99)):  # flags, method
        place = data.rindex(name.encode()) - 46
        assert data[place : place + 4] == b"PK\1\2"
        data[place + at] |= value
    data[data.index(b"sum.jpgsum.jpg") + 3] ^= 1
    path.write_bytes(data)
    archive = os.fsencode(path)
    assert troubles(archive) == {
        "link.jpg": Reason.NOT_A_FILE, "secret.jpg": Reason.ENCRYPTED, "method.jpg": None, "sum.jpg": None,
    }  # fmt: skip
    for name, reason in ((b"method.jpg", Reason.UNSUPPORTED), (b"sum.jpg", Reason.CORRUPT)):
        with pytest.raises(Unusable) as caught:
            read(os.path.join(archive, name))
        assert caught.value.reason is reason


GOOD: Content = [(b"%d.jpg" % number, os.urandom(3000)) for number in range(5)]


def cut(data: bytes) -> bytes:
    return data[: len(data) * 3 // 5]


@pytest.mark.parametrize(
    ("kind", "damage", "reason"),
    [
        (".zip", cut, Reason.TRUNCATED), (".tar", cut, Reason.TRUNCATED), (".tar.gz", cut, Reason.TRUNCATED),
        (".zip", lambda data: b"", Reason.EMPTY), (".tar", lambda data: b"", Reason.EMPTY),
        (".zip", lambda data: b"\xff\xd8" + data, Reason.CORRUPT), (".tar", lambda data: os.urandom(5000), Reason.CORRUPT),
        (".tar", lambda data: data[: 512 * 7] + os.urandom(9000), Reason.CORRUPT),
        (".tar", lambda data: data[: 512 * 7], Reason.TRUNCATED),
        (".tar.gz", lambda data: data[:999] + bytes(99) + data[1100:], Reason.CORRUPT),
        (".tar.gz", lambda data: data + b"garbage", Reason.CORRUPT), (".tar.gz", lambda data: data + bytes(999), None),
    ],
)  # fmt: skip
def test_damaged_archives_are_told_and_give_what_they_can(
    tmp_path: Path, kind: str, damage: Callable[[bytes], bytes], reason: Reason | None
) -> None:
    path = tmp_path / f"a{kind}"
    path.write_bytes(damage(Path(os.fsdecode(make(path, GOOD))).read_bytes()))
    archive = os.fsencode(path)
    files, own = found(archive)
    assert own.skip is reason
    for file in files:
        content = dict(GOOD)[os.path.basename(file.path)]
        try:
            data = Disk().read(file)
            assert data == content or (
                kind == ".tar.gz" and len(data) == len(content)
            )  # only gzip's own end has a checksum
        except Unusable as error:
            assert error.reason in (Reason.TRUNCATED, Reason.CORRUPT)
    if reason is None:
        assert len(files) == len(GOOD)
    with pytest.raises(Unusable):
        read(os.path.join(archive, b"nowhere.jpg"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.binary(min_size=1, max_size=40))
def test_any_damage_is_told(kind: str, place: int, patch: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{kind}"
        make(path, GOOD[:2])
        data = bytearray(path.read_bytes())
        place %= len(data)
        data[place : place + len(patch)] = patch
        path.write_bytes(data)
        files, own = found(os.fsencode(path))
        assert own.skip is None or own.detail or own.skip is Reason.EMPTY
        for file in files:
            try:
                Disk().read(file)
            except Unusable as error:
                assert error.reason


def test_bombs_and_huge_members_are_refused_before_they_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gunzip, "SLACK", 1 << 20)
    zeros = [(b"%d.jpg" % number, bytes(3 << 20)) for number in range(3)]
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in zeros:
            zipped.writestr(name.decode(), data)
    for archive in (os.fsencode(path), make(tmp_path / "bomb.tar.gz", zeros)):
        _, own = found(archive)
        assert own.skip is Reason.TOO_LARGE
    monkeypatch.setattr(archives, "SIZE_LIMIT", 2000)
    for kind in KINDS:
        archive = make(tmp_path / f"huge{kind}", [*GOOD[:1], (b"small.jpg", b"1")])
        assert troubles(archive) == {"0.jpg": Reason.TOO_LARGE, "small.jpg": None}
        with pytest.raises(Unusable):
            read(os.path.join(archive, b"0.jpg"))


def test_a_zip_that_lies_about_sizes_gives_no_more_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a.jpg", bytes(1 << 20))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\1\2")
    data[place + 24 : place + 28] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(Unusable) as caught:
        read(os.fsencode(path / "a.jpg"))
    assert caught.value.reason is Reason.CORRUPT


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_changes_is_noticed(tmp_path: Path, kind: str) -> None:
    archive = make(tmp_path / f"a{kind}", GOOD)
    files, _ = found(archive)
    make(tmp_path / f"a{kind}", GOOD[1:])
    os.utime(archive, ns=(1, 1))
    with pytest.raises(Unusable) as caught:
        Disk().read(files[3])
    assert caught.value.reason is Reason.CHANGED
    assert Disk().again(files[3]) == GOOD[3][1]  # it is looked for by name
    with pytest.raises(Unusable) as caught:
        Disk().again(files[0])
    assert caught.value.reason is Reason.VANISHED
    os.unlink(archive)
    with pytest.raises(Unusable) as caught:
        Disk().again(files[3])
    assert caught.value.reason is Reason.VANISHED


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 70_000), max_size=12), st.integers(1, 3))
def test_gzip_is_read_from_anywhere(places: list[int], parts: int) -> None:
    rng = random.Random(5)
    data = b"".join(bytes(rng.choices(b"abc", k=100)) * rng.randint(1, 5) for _ in range(200))
    step = len(data) // parts + 1
    packed = b"".join(gzip.compress(data[at : at + step]) for at in range(0, len(data), step))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(gunzip, "_SPACING", 1000)
        patch.setattr(gunzip, "_STATES", 8)
        path = Path(folder) / "a.gz"
        path.write_bytes(packed)
        states = gunzip.States(_spacing=1000)
        for place in places:
            with gunzip.Gunzip(open(path, "rb", buffering=0), states) as file:
                assert file.seek(place) == min(place, len(data)) == file.tell()
                assert file.read(777) == data[place : place + 777]
                assert file.read() == data[place + 777 :]
        assert len(states._regular) <= 8


def test_memory_does_not_grow_with_what_members_hold(tmp_path: Path) -> None:
    """20 members of 4 MB, read in any order: no more than a few of them are in memory, nor is the archive."""
    block = os.urandom(4 << 20)
    for kind in KINDS:
        archive = make(tmp_path / f"a{kind}", [(b"%d.jpg" % number, block) for number in range(20)])
        tracemalloc.start()
        files, _ = found(archive)
        for file in random.Random(2).sample(files, len(files)):
            assert len(Disk().read(file)) == len(block)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 24 << 20
        (tmp_path / f"a{kind}").unlink()


def test_the_limit_of_a_member_is_that_of_a_file() -> None:
    assert archives.SIZE_LIMIT == reading.SIZE_LIMIT
