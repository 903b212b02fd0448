"""Walk the roots that the user named, folder by folder, in the order of their names."""

# Paths are bytes here, which pathlib does not take.

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from tbhdup.errors import UsageError
from tbhdup.sources.archives import locate
from tbhdup.sources.names import is_archive, may_be_picture
from tbhdup.sources.reading import explain, reason_of
from tbhdup.values import Reason, Skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file that may be a picture."""

    name: bytes  # os.fsencode, without the folder
    size: int  # bytes
    mtime_ns: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One folder, and what there is in it for us."""

    folder: bytes  # absolute, os.fsencode; the root as the user named it, its symbolic links kept
    entries: tuple[Entry, ...]  # sorted by name
    skips: tuple[
        Skip, ...
    ]  # the folder itself, when it could not be read to its end; files that could not be looked at
    complete: bool = True  # False: files that are not in `entries` may be there all the same
    archives: tuple[Entry, ...] = ()  # those to look into, sorted by name


def walk(roots: Iterable[bytes], listed: Iterable[bytes] = (), *, archives: bool = False) -> Iterator[Listing]:
    """Every folder under the roots once, however the roots overlap, and the files that were named.

    In a tree, a regular file is an entry when its name has a picture's extension (EXTENSIONS) or none; hidden files and
    folders, symbolic links and special files are left out. A root may be hidden or a link. Named files of a folder that
    is not walked come in one Listing of that folder, after all trees, with `complete` False.
    listed: further roots, of which a missing one is a skip. archives: also list the archives in the trees; a root that
    is one always is.
    Raises UsageError, before anything is listed, when a root does not exist.
    """
    named: dict[bytes, _Found] = {}
    folders = _sort_out(roots, named, must_exist=True) | _sort_out(listed, named, must_exist=False)
    return _walk(folders, named, archives)


@dataclass(slots=True)
class _Found:
    """A Listing in the making."""

    folder: bytes
    entries: dict[bytes, Entry] = field(default_factory=dict)  # by name
    skips: dict[bytes, Skip] = field(default_factory=dict)  # by path
    archives: dict[bytes, Entry] = field(default_factory=dict)  # by name

    def skip(self, path: bytes, error: OSError) -> None:
        self.skips[path] = Skip(path, reason_of(error), explain(error))

    def listing(self, complete: bool) -> Listing:
        entries, archives = (tuple(each[name] for name in sorted(each)) for each in (self.entries, self.archives))
        skips = tuple(self.skips[path] for path in sorted(self.skips))
        return Listing(self.folder, entries, skips, complete, archives)


def _sort_out(roots: Iterable[bytes], named: dict[bytes, _Found], must_exist: bool) -> set[bytes]:
    """The roots that are folders; the named files go into `named`, by the real path of their folder."""
    folders: set[bytes] = set()
    real = cache(os.path.realpath)  # of the folders of many files

    def beside(path: bytes) -> _Found:
        folder = os.path.dirname(path)
        return named.setdefault(real(folder), _Found(folder))

    for root in roots:
        if not root:
            raise UsageError("an empty name is no file or folder")
        path = os.path.abspath(root)
        try:
            status = os.stat(path)
        except OSError as error:
            if must_exist and reason_of(error) is Reason.VANISHED and not os.path.lexists(path):
                what = "is in an archive: name that" if locate(path) else "does not exist"
                raise UsageError(f"{os.fsdecode(root)!r} {what}") from error
            beside(path).skip(path, error)
            continue
        if stat.S_ISDIR(status.st_mode):
            folders.add(path)
        elif stat.S_ISREG(status.st_mode):
            name, found = os.path.basename(path), beside(path)
            (found.archives if is_archive(name) else found.entries)[name] = _entry(name, status)
        else:
            beside(path).skips[path] = Skip(path, Reason.NOT_A_FILE)
    return folders


def _walk(folders: set[bytes], named: dict[bytes, _Found], archives: bool) -> Iterator[Listing]:
    walked: set[bytes] = set()  # real paths: two spellings of one folder count once
    stack = [(folder, os.path.realpath(folder)) for folder in sorted(folders, reverse=True)]
    while stack:
        folder, real = stack.pop()
        if real in walked:
            continue
        walked.add(real)
        found = named.pop(real, _Found(folder))
        found.folder = folder
        subfolders, complete = _list(found, archives)
        stack.extend(
            (os.path.join(folder, name), os.path.join(real, name)) for name in sorted(subfolders, reverse=True)
        )
        yield found.listing(complete)
    for found in sorted(named.values(), key=lambda found: found.folder):
        yield found.listing(complete=False)


def _list(found: _Found, archives: bool) -> tuple[list[bytes], bool]:
    """Fill in what a folder holds: the names of its subfolders, and whether it could be read to its end."""
    subfolders: list[bytes] = []
    try:
        with os.scandir(found.folder) as items:
            for item in items:
                try:
                    if _list_one(item, found, archives):
                        subfolders.append(item.name)
                except OSError as error:
                    found.skip(item.path, error)
    except OSError as error:
        found.skip(found.folder, error)
        return subfolders, False
    return subfolders, True


def _list_one(item: os.DirEntry[bytes], found: _Found, archives: bool) -> bool:
    """Take an item up as an entry if it is one; whether it is a folder to go into."""
    if item.name.startswith(b"."):
        return False
    if item.is_dir(follow_symlinks=False):
        return True
    if item.is_file(follow_symlinks=False):
        if may_be_picture(item.name):
            found.entries[item.name] = _entry(item.name, item.stat(follow_symlinks=False))
        elif archives and is_archive(item.name):
            found.archives[item.name] = _entry(item.name, item.stat(follow_symlinks=False))
    return False


def _entry(name: bytes, status: os.stat_result) -> Entry:
    return Entry(name, status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)
