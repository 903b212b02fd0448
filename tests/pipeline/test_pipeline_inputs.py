"""The same pictures as files, in archives, as bytes and as arrays: same groups, and no work done twice."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tbhdup
import tbhdup.values
from tbhdup.errors import UsageError
from tbhdup.pipeline.index import index
from tbhdup.sources import Disk, Spool
from tbhdup.store import Store
from tbhdup.values import Reason, Report, quiet

GALLERY = Path(__file__).resolve().parent.parent / "data" / "gallery"
PICTURES = sorted(path for path in GALLERY.glob("*/*.jpg") if path.stem == "copy" or path.stem.split("-")[:2] == ["city", "1"]
                  or path.stem.startswith("leaves"))  # fmt: skip

Groups = list[tuple[str, list[tuple[str, str, bool]]]]


def groups(report: Report) -> Groups:
    """Kinds and members, by the names of the files alone."""
    return sorted(
        (group.kind, sorted((Path(os.fsdecode(m.path)).name, m.relation, m.keep) for m in group.members))
        for group in report.groups
    )


def names(found: Groups) -> list[list[str]]:
    return sorted([name for name, *_ in members] for _, members in found)


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def put(archive: Path, paths: list[Path]) -> Path:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path in paths:
                zipped.write(path, name_of(path))
    else:
        with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as tar:
            for path in paths:
                tar.add(path, name_of(path))
    return archive


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Groups:
    folder = tmp_path_factory.mktemp("inputs")
    report = tbhdup.scan(PICTURES, store=folder / "store")
    assert report.summary.decoded >= len(PICTURES) - 1
    assert len(report.files) == len(PICTURES)
    found = groups(report)
    assert len(found) >= 3
    return found


def test_one_path_is_as_good_as_a_list_of_one(tmp_path: Path, expected: Groups) -> None:
    for path in PICTURES:
        (tmp_path / "photos" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "photos" / name_of(path))
    store = tmp_path / "store"
    for photos in (tmp_path / "photos", str(tmp_path / "photos"), os.fsencode(tmp_path / "photos")):
        assert groups(tbhdup.scan(photos, store=store)) == expected
        assert groups(tbhdup.report(photos, store=store)) == expected
    first = tmp_path / "photos" / name_of(PICTURES[0])
    assert tbhdup.similar(str(first), store=store) == tbhdup.similar([first], store=store) != [[]]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_gives_the_same_groups_and_is_read_once(tmp_path: Path, expected: Groups, kind: str) -> None:
    archive, store = put(tmp_path / f"a.{kind}", PICTURES), tmp_path / "store"
    first = tbhdup.scan([archive], store=store)
    assert groups(first) == expected
    assert first.summary.proven > 0
    assert all(path.startswith(os.fsencode(archive) + b"/") for path in first.files)
    status = archive.stat()
    archive.write_bytes(bytes(status.st_size))  # nobody looks: it is the same for all that `stat` says
    os.utime(archive, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = tbhdup.scan([archive], store=store)
    assert (again.groups, again.skips) == (first.groups, first.skips)
    assert again.summary.known == again.summary.files == len(PICTURES)
    assert again.summary.read == again.summary.decoded == again.summary.proven == 0
    assert tbhdup.report([archive], store=store).groups == first.groups
    with Store.open(store) as opened:
        assert opened.check() == []


def test_bytes_and_arrays_give_the_same_groups(tmp_path: Path, expected: Groups, capfd: pytest.CaptureFixture) -> None:
    def as_bytes() -> Iterator[tuple[str, bytes]]:
        for path in PICTURES:
            yield name_of(path), path.read_bytes()

    def as_arrays() -> Iterator[tuple[bytes, np.ndarray]]:
        for path in PICTURES:
            yield name_of(path).encode(), np.asarray(Image.open(path))

    report = tbhdup.scan(as_bytes(), store=tmp_path / "store")
    assert groups(report) == expected
    assert report.files == tuple(sorted(name_of(path).encode() for path in PICTURES))
    again = tbhdup.scan(as_bytes(), store=tmp_path / "store")
    assert again.groups == report.groups
    assert again.summary.decoded == again.summary.proven == 0
    pixels = tbhdup.scan(as_arrays(), store=tmp_path / "store")
    assert names(groups(pixels)) == names(expected)  # of equal sizes, the first by name is kept
    with Store.open(tmp_path / "store") as store:
        assert list(store.files()) == []
        assert store.check() == []
    assert capfd.readouterr() == ("", "")


def test_what_is_wrong_with_pictures_in_memory(tmp_path: Path) -> None:
    data = PICTURES[0].read_bytes()
    pairs = [("a", data), ("a", data), ("b", b""), ("c", b"no picture"), ("d", data)]
    report = tbhdup.scan(pairs, store=tmp_path / "store")
    assert [(skip.path, skip.reason) for skip in report.skips] == [
        (b"a", Reason.BAD_NAME), (b"b", Reason.EMPTY), (b"c", Reason.NOT_AN_IMAGE),
    ]  # fmt: skip
    assert [m.path for group in report.groups for m in group.members] == [b"a", b"d"]
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UsageError, match="uint8"):
            tbhdup.scan([("x", wrong)], store=tmp_path / "store")
    with pytest.raises(UsageError, match="together"):
        tbhdup.scan([("x", data), PICTURES[0]], store=tmp_path / "store")
    with pytest.raises(UsageError, match="together"):
        tbhdup.scan([("x", data)], against=[tmp_path], store=tmp_path / "store")
    assert tbhdup.scan([], store=tmp_path / "store").groups == ()


def test_pictures_in_memory_are_not_kept_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 MB stream by; one content that comes twice is written once; the limit of a file holds."""
    with Spool() as spool:
        tracemalloc.start()
        for number in range(25):
            spool.put(b"%d" % number, os.urandom(4 << 20))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10 << 20
        size = spool._end
        (listing,) = spool.listings()
        again = spool.read(_file(listing.entries[3].name))
        spool.put(b"twin", again)
        assert spool._end == size
        assert spool.again(_file(b"twin")) == again
        monkeypatch.setattr("tbhdup.sources.spool.SIZE_LIMIT", 5)
        spool.put(b"large", b"123456")
        (listing,) = spool.listings()
        assert [(skip.path, skip.reason) for skip in listing.skips] == [(b"large", Reason.TOO_LARGE)]


def _file(name: bytes) -> tbhdup.values.File:
    return tbhdup.values.File(name, 0, 0, 0, 0, None)


class Encoder:
    """Codes that say nothing: what is looked at here is which pictures are read and decoded."""

    def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(pixels), np.uint64), np.zeros((len(pixels), 128), np.int8)


def look(store: Store, *roots: Path, archives: bool = False) -> tuple[int, int, int, int]:
    """Files, and how many of them were known, read, decoded."""
    source = Disk([os.fsencode(root) for root in roots], (), archives)
    seen = index(source, store, "model", 64, Encoder, 2, quiet)
    assert store.check() == []
    return len(seen.files), seen.known, seen.read, seen.decoded


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_that_changes_or_moves(tmp_path: Path, store: Store, kind: str) -> None:
    archive = put(tmp_path / f"a.{kind}", PICTURES[:4])
    assert look(store, archive) == (4, 0, 4, 4)
    left = [*PICTURES[1:4], PICTURES[5]]
    put(archive, left)
    os.utime(archive, ns=(5, 5))
    assert look(store, archive) == (4, 0, 4, 1)
    assert {Path(os.fsdecode(file.path)).name for file in store.files() if file.digest} == {p.name for p in left}
    moved = archive.rename(tmp_path / f"b.{kind}")
    assert look(store, moved) == (4, 4, 0, 0)
    copied = Path(shutil.copy(moved, tmp_path / f"c.{kind}"))
    assert look(store, copied) == (4, 0, 4, 0)


def test_archives_in_folders_are_looked_into_on_request(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(GALLERY / "taken", folder)
    count = len(list(folder.iterdir()))
    put(folder / "a.tar", PICTURES[:2])
    put(folder / "b.zip", PICTURES[2:4])
    assert look(store, folder) == (count, 0, count, count)
    assert look(store, folder, archives=True)[:3] == (count + 4, count, 4)
    assert look(store, folder, archives=True) == (count + 4, count + 4, 0, 0)
    assert look(store, folder) == (count, count, 0, 0)  # and nothing of the archives is forgotten
    assert look(store, folder, folder / "a.tar") == (count + 2, count + 2, 0, 0)
    assert sum(1 for _ in store.files([os.fsencode(folder / "b.zip")])) == 3  # and the archive itself


def test_an_archive_whose_scan_was_cut_off_is_looked_through_again(tmp_path: Path, store: Store) -> None:
    archive = put(tmp_path / "a.tar", PICTURES[:4])

    class Interrupted(Encoder):
        def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index(Disk([os.fsencode(archive)]), store, "model", 64, Interrupted, 2, quiet)
    assert list(store.files()) == []
    assert look(store, archive) == (4, 0, 4, 4)
    assert look(store, archive) == (4, 4, 0, 0)


def test_skips_in_archives_are_remembered_and_those_of_the_moment_are_not(tmp_path: Path, store: Store) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        for name, data in (("a.jpg", b"no picture"), ("../b.jpg", b"x"), ("a.jpg", b"twice")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    archive.write_bytes(archive.read_bytes()[: 512 * 6])
    source = Disk([os.fsencode(archive)])
    first = index(source, store, "model", 64, Encoder, 2, quiet)
    assert [(os.path.relpath(skip.path, os.fsencode(tmp_path)), skip.reason) for skip in first.skips] == [
        (b"a.tar", Reason.BAD_NAME), (b"a.tar", Reason.BAD_NAME), (b"a.tar", Reason.TRUNCATED),
        (b"a.tar/a.jpg", Reason.NOT_AN_IMAGE),
    ]  # fmt: skip
    again = index(source, store, "model", 64, Encoder, 2, quiet)
    assert (again.skips, again.read) == (first.skips, 0)
    archive.unlink()
    archive.mkdir()  # a folder by that name
    assert look(store, archive) == (0, 0, 0, 0)


def test_a_store_may_be_named_by_a_string(tmp_path: Path) -> None:
    first = tbhdup.scan(PICTURES[:2], store=str(tmp_path / "store"))
    again = tbhdup.scan(PICTURES[:2], store=tmp_path / "store")
    assert (first.summary.encoded, again.summary.encoded) == (2, 0)
    assert tbhdup.similar(PICTURES[:1], store=str(tmp_path / "store"))
