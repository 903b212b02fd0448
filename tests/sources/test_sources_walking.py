from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import corpus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sources_reading import unprivileged

from tbhdup.errors import UsageError
from tbhdup.sources import Listing, walk
from tbhdup.values import Reason, Skip


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(path.name))


def listings(*roots: Path) -> list[Listing]:
    return list(walk([os.fsencode(root) for root in roots]))


def files(*roots: Path) -> list[str]:
    return [os.fsdecode(os.path.join(x.folder, entry.name)) for x in listings(*roots) for entry in x.entries]


def skips(*roots: Path) -> list[tuple[str, Reason]]:
    return [(os.fsdecode(skip.path), skip.reason) for x in listings(*roots) for skip in x.skips]


@pytest.fixture
def bottomless(tmp_path: Path) -> Iterator[Path]:
    """A folder for trees that recursive clean-up cannot remove."""
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


def test_a_tree_in_order(tmp_path: Path) -> None:
    touch(
        *(
            tmp_path / name
            for name in ("b/2.jpg", "b/1.png", "a/z/9.webp", "a/5.gif", "c.jpg", "B.jpg", "empty/notes.txt")
        )
    )
    found = listings(tmp_path)
    assert [os.path.relpath(os.fsdecode(x.folder), tmp_path) for x in found] == [".", "a", "a/z", "b", "empty"]
    assert [[entry.name for entry in x.entries] for x in found] == [
        [b"B.jpg", b"c.jpg"],
        [b"5.gif"],
        [b"9.webp"],
        [b"1.png", b"2.jpg"],
        [],
    ]


def test_an_entry_says_what_stat_says(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    ((entry,),) = (x.entries for x in listings(tmp_path))
    status = (tmp_path / "a.jpg").stat()
    assert (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert (entry.device, entry.inode) == (status.st_dev, status.st_ino)


def test_what_counts_as_a_picture_by_its_name(tmp_path: Path) -> None:
    yes = ("a.JPG", "b.jpeg", "c.Tiff", "d.heic", "plain", "dot.", "e.avif", "f.jp2", "many.dots.png")
    no = ("a.txt", "b.mp4", "c.jpg.part", "Thumbs.db", ".hidden.jpg", "d.json")
    touch(*(tmp_path / name for name in yes + no), tmp_path / ".folder" / "a.jpg")
    assert sorted(Path(path).name for path in files(tmp_path)) == sorted(yes)


def test_roots_that_overlap_give_each_file_once(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.jpg", tmp_path / "a" / "b" / "2.jpg", tmp_path / "3.jpg")
    everything = files(tmp_path)
    assert len(everything) == 3
    for roots in (
        (tmp_path, tmp_path),
        (tmp_path, tmp_path / "a"),
        (tmp_path / "a" / "b", tmp_path / "a", tmp_path),
        (tmp_path / "a" / ".." / "a", tmp_path / "a" / "b" / "2.jpg", tmp_path),
    ):
        assert files(*roots) == everything
        assert all(x.complete for x in listings(*roots))


def test_one_folder_under_two_names_counts_once(tmp_path: Path) -> None:
    touch(tmp_path / "real" / "a" / "1.jpg", tmp_path / "real" / "2.jpg")
    (tmp_path / "alias").symlink_to("real")
    assert files(tmp_path / "alias") == [str(tmp_path / "alias" / "2.jpg"), str(tmp_path / "alias" / "a" / "1.jpg")]
    assert len(files(tmp_path / "real", tmp_path / "alias")) == 2
    assert len(files(tmp_path / "real" / "a", tmp_path / "alias")) == 2
    assert len(files(tmp_path / "alias" / "2.jpg", tmp_path / "real" / "2.jpg")) == 1


def test_named_files(tmp_path: Path) -> None:
    touch(tmp_path / "a.txt", tmp_path / ".b.jpg", tmp_path / "c.jpg", tmp_path / "other" / "d.jpg")
    found = listings(tmp_path / "a.txt", tmp_path / ".b.jpg", tmp_path / "other" / "d.jpg", tmp_path / "a.txt")
    assert [(x.folder, [entry.name for entry in x.entries], x.complete) for x in found] == [
        (os.fsencode(tmp_path), [b".b.jpg", b"a.txt"], False),
        (os.fsencode(tmp_path / "other"), [b"d.jpg"], False),
    ]
    assert [Path(path).name for path in files(tmp_path / "a.txt", tmp_path)] == ["a.txt", "c.jpg", "d.jpg"]


def test_hidden_and_linked_roots_are_walked_when_named(tmp_path: Path) -> None:
    touch(tmp_path / ".hidden" / "1.jpg", tmp_path / "away" / "2.jpg")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("../away")
    (tmp_path / "tree" / "link.jpg").symlink_to("../away/2.jpg")
    assert files(tmp_path / "tree") == []
    assert files(tmp_path / "tree", tmp_path / "tree" / "link") == [str(tmp_path / "tree" / "link" / "2.jpg")]
    assert files(tmp_path / "tree" / "link.jpg") == [str(tmp_path / "tree" / "link.jpg")]
    assert len(files(tmp_path, tmp_path / ".hidden")) == 2


def test_a_relative_root_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a" / "1.jpg")
    monkeypatch.chdir(tmp_path)
    assert files(Path("a")) == files(Path("a/../a/")) == [str(tmp_path / "a" / "1.jpg")]


def test_named_things_that_are_no_files(tmp_path: Path) -> None:
    corpus.specials(tmp_path)
    special = tmp_path / "special"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(special / "socket"))
        assert skips(special) == []
        named = [special / name for name in ("pipe.jpg", "loop.jpg", "broken.jpg", "socket")]
        assert skips(*named, Path("/dev/null")) == [
            ("/dev/null", Reason.NOT_A_FILE),
            (str(special / "broken.jpg"), Reason.VANISHED),
            (str(special / "loop.jpg"), Reason.LOOP),
            (str(special / "pipe.jpg"), Reason.NOT_A_FILE),
            (str(special / "socket"), Reason.NOT_A_FILE),
        ]


@pytest.mark.parametrize("missing", ["nowhere", "nowhere/below", "file.jpg/below"])
def test_a_missing_root_is_named_before_anything_is_listed(tmp_path: Path, missing: str) -> None:
    touch(tmp_path / "file.jpg")
    with pytest.raises(UsageError, match=missing):
        walk([os.fsencode(tmp_path), os.fsencode(tmp_path / missing)])


def test_an_empty_name_is_not_the_current_folder() -> None:
    with pytest.raises(UsageError):
        walk([b""])


def test_a_folder_without_permission_is_skipped_and_the_walk_goes_on() -> None:
    with unprivileged() as folder:
        touch(folder / "a" / "1.jpg", folder / "b" / "2.jpg")
        (folder / "a").chmod(0)
        found = listings(folder)
        assert [(os.path.basename(x.folder), len(x.entries), x.complete) for x in found[1:]] == [
            (b"a", 0, False),
            (b"b", 1, True),
        ]
        assert found[1].skips == (Skip(found[1].folder, Reason.UNREADABLE, "Permission denied"),)
        assert skips(folder / "a" / "1.jpg") == [(str(folder / "a" / "1.jpg"), Reason.UNREADABLE)]


def test_a_thousand_folders_inside_each_other(bottomless: Path) -> None:
    deep = bottomless
    for _ in range(1200):  # os.makedirs would recurse
        deep = deep / "d"
        deep.mkdir(exist_ok=True)
    touch(deep / "a.jpg")
    assert files(bottomless) == [str(deep / "a.jpg")]


def test_paths_that_the_system_refuses_are_skipped(bottomless: Path) -> None:
    """Folders can be nested deeper than a path can say: such are skipped, and so are files just below the limit."""
    touch(bottomless / "z.jpg")
    here = os.open(bottomless, os.O_RDONLY)
    name = b"x" * 200
    for _ in range(4096 // 200 + 2):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        os.close(os.open(b"y" * 190, os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    found = listings(bottomless)
    refused = [skip for x in found for skip in x.skips]
    assert {skip.reason for skip in refused} == {Reason.UNREADABLE}
    assert found[0].entries[0].name == b"z.jpg"
    assert not found[-1].complete
    assert found[-1].skips[0].path == found[-1].folder


def test_a_folder_that_vanishes_during_the_walk_is_skipped(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.jpg", tmp_path / "b" / "2.jpg")
    walking = walk([os.fsencode(tmp_path)])
    next(walking)
    shutil.rmtree(tmp_path / "a")
    gone, still_there = walking
    assert [skip.reason for skip in gone.skips] == [Reason.VANISHED]
    assert not gone.complete
    assert still_there.complete


NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and name[:1] != b"."
)


@given(st.sets(NAMES, max_size=12))
@settings(deadline=None, max_examples=40)
def test_any_bytes_that_make_a_name(tmp_path_factory: pytest.TempPathFactory, names: set[bytes]) -> None:
    folder = os.fsencode(tmp_path_factory.mktemp("names"))
    for name in names:
        with open(os.path.join(folder, name + b".jpg"), "wb"):
            pass
    (listing,) = walk([folder])
    assert [entry.name for entry in listing.entries] == sorted(name + b".jpg" for name in names)
