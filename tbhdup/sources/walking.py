"""Walk the roots that the user named, folder by folder, in the order of their names."""

# Paths are bytes here, which pathlib does not take.

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tbhdup.errors import UsageError
from tbhdup.sources.reading import explain, reason_of
from tbhdup.values import Reason, Skip

# What only an extra decodes is listed without it, too: the user is told, not left in the belief that it counted.
EXTENSIONS = frozenset(
    b".jpg .jpeg .jpe .jfif .jif .mpo .png .apng .webp .gif .bmp .dib .tif .tiff .avif .avifs"
    b" .jp2 .j2k .j2c .jpc .jpf .jpx .heic .heif .hif .jxl"
    b" .3fr .arw .cr2 .cr3 .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .rw2 .sr2 .srw .x3f".split()
)


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


def walk(roots: Sequence[bytes]) -> Iterator[Listing]:
    """Every folder under the roots once, however the roots overlap, and the files that were named.

    In a tree, a regular file is an entry when its name has a picture's extension (EXTENSIONS) or none; hidden files and
    folders, symbolic links and special files are left out. A root may be hidden or a link. Named files of a folder that
    is not walked come in one Listing of that folder, after all trees, with `complete` False.
    Raises UsageError, before anything is listed, when a root does not exist.
    """
    folders, named = _sort_out(roots)
    return _walk(folders, named)


@dataclass(slots=True)
class _Found:
    """A Listing in the making."""

    folder: bytes
    entries: dict[bytes, Entry] = field(default_factory=dict)  # by name
    skips: dict[bytes, Skip] = field(default_factory=dict)  # by path

    def skip(self, path: bytes, error: OSError) -> None:
        self.skips[path] = Skip(path, reason_of(error), explain(error))

    def listing(self, complete: bool) -> Listing:
        entries = tuple(self.entries[name] for name in sorted(self.entries))
        return Listing(self.folder, entries, tuple(self.skips[path] for path in sorted(self.skips)), complete)


def _sort_out(roots: Sequence[bytes]) -> tuple[set[bytes], dict[bytes, _Found]]:
    """The roots that are folders, and the named files by the real path of their folder."""
    folders: set[bytes] = set()
    named: dict[bytes, _Found] = {}
    for root in roots:
        if not root:
            raise UsageError("an empty name is no file or folder")
        path = os.path.abspath(root)
        try:
            status = os.stat(path)
        except OSError as error:
            if reason_of(error) is Reason.VANISHED and not os.path.lexists(path):
                raise UsageError(f"{os.fsdecode(root)!r} does not exist") from error
            _beside(path, named).skip(path, error)
            continue
        if stat.S_ISDIR(status.st_mode):
            folders.add(path)
        elif stat.S_ISREG(status.st_mode):
            name = os.path.basename(path)
            _beside(path, named).entries[name] = _entry(name, status)
        else:
            _beside(path, named).skips[path] = Skip(path, Reason.NOT_A_FILE)
    return folders, named


def _beside(path: bytes, named: dict[bytes, _Found]) -> _Found:
    folder = os.path.dirname(path)
    return named.setdefault(os.path.realpath(folder), _Found(folder))


def _walk(folders: set[bytes], named: dict[bytes, _Found]) -> Iterator[Listing]:
    walked: set[bytes] = set()  # real paths: two spellings of one folder count once
    stack = [(folder, os.path.realpath(folder)) for folder in sorted(folders, reverse=True)]
    while stack:
        folder, real = stack.pop()
        if real in walked:
            continue
        walked.add(real)
        found = named.pop(real, _Found(folder))
        found.folder = folder
        subfolders, complete = _list(found)
        stack.extend(
            (os.path.join(folder, name), os.path.join(real, name)) for name in sorted(subfolders, reverse=True)
        )
        yield found.listing(complete)
    for found in sorted(named.values(), key=lambda found: found.folder):
        yield found.listing(complete=False)


def _list(found: _Found) -> tuple[list[bytes], bool]:
    """Fill in what a folder holds: the names of its subfolders, and whether it could be read to its end."""
    subfolders: list[bytes] = []
    try:
        with os.scandir(found.folder) as items:
            for item in items:
                try:
                    if _list_one(item, found):
                        subfolders.append(item.name)
                except OSError as error:
                    found.skip(item.path, error)
    except OSError as error:
        found.skip(found.folder, error)
        return subfolders, False
    return subfolders, True


def _list_one(item: os.DirEntry[bytes], found: _Found) -> bool:
    """Take an item up as an entry if it is one; whether it is a folder to go into."""
    if item.name.startswith(b"."):
        return False
    if item.is_dir(follow_symlinks=False):
        return True
    if item.is_file(follow_symlinks=False) and _may_be_picture(item.name):
        found.entries[item.name] = _entry(item.name, item.stat(follow_symlinks=False))
    return False


def _may_be_picture(name: bytes) -> bool:
    extension = os.path.splitext(name)[1].lower()
    return extension in EXTENSIONS or extension in (b"", b".")


def _entry(name: bytes, status: os.stat_result) -> Entry:
    return Entry(name, status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)
