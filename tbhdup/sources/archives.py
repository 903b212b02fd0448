"""Archives as folders: the member `its/name.jpg` of /a/b.tar has the path /a/b.tar/its/name.jpg.

No file can have such a path while b.tar is a file, so it cannot be mistaken, and it is bytes as any other. A member's
inode is made of the archive's and of the place where it begins, so that it is found again without a search. Names are
made plain (no ".", no empty parts); what has no usable name is called /a/b.tar/./17, the 17th member, and the archive
itself, as something that was looked through, /a/b.tar/. - paths that nothing else can have.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import IO, TYPE_CHECKING, Protocol, TypeVar, cast

from tbhdup.sources.gunzip import Gunzip, States, check_ratio
from tbhdup.sources.names import is_archive, is_zip, may_be_picture
from tbhdup.sources.reading import SIZE_LIMIT, Unusable, explain, reason_of
from tbhdup.values import File, Reason, Skip

if TYPE_CHECKING:
    from tbhdup.sources.walking import Entry

T = TypeVar("T")

_OPEN = 8  # archives kept open
_LISTED = 4  # archives whose names are kept for look-ups by name
_PLACE = (1 << 64) - 1  # the lower half of a member's inode; the archive's is the upper one
_BLOCK = 512  # bytes, of a tar
_PIECE = 1 << 16  # bytes read at a time
_ENCRYPTED = 0x1  # zip: flags of a member
_UTF8 = 0x800
_UNIX = 3  # zip: who made it

_NAMELESS = os.fsencode(f"{os.sep}.{os.sep}")  # in the path of a member without a usable name

Place = tuple[int, int]  # where a member begins in its archive, and its bytes


@dataclass(frozen=True, slots=True)
class _Found:
    """A member as its archive has it."""

    name: bytes
    size: int
    place: int
    why: Unusable | None = None  # it cannot be read


class _Archive(Protocol):
    def found(self) -> Iterator[_Found]:
        """Every member but folders. Raises anything, at any time, for a damaged archive."""

    def read(self, place: Place) -> bytes:
        """The bytes of a member. Raises anything for damaged ones."""


def own(archive: bytes) -> bytes:
    """The path under which an archive itself, as it was looked through, is remembered."""
    return os.path.join(archive, b".")


def is_own(path: bytes) -> bool:
    """Whether a path is such a one."""
    return os.path.basename(path) == b"."


def skip_of(file: File) -> Skip:
    """A skipped file as reports name it: a member without a usable name is told by its archive."""
    assert file.skip is not None
    path = os.path.dirname(file.path) if is_own(file.path) else file.path.partition(_NAMELESS)[0]
    return Skip(path, file.skip, file.detail)


def locate(path: bytes) -> bytes | None:
    """The archive that a path leads into; None: it leads into no file at all."""
    above = os.path.dirname(path)
    while above != path:
        try:
            return above if stat.S_ISREG(os.stat(above).st_mode) and is_archive(above) else None
        except OSError as error:
            if reason_of(error) is not Reason.VANISHED:
                return None
        path, above = above, os.path.dirname(above)
    return None


def members(archive: bytes, entry: Entry) -> Iterator[File]:
    """The members that may be pictures, in the archive's order, and last the archive itself, called `own(archive)`.

    They have neither digest nor skip as long as nothing speaks against reading them. The archive itself has a skip if
    it could not be read to its end. As in a folder, what is hidden, and what has another extension, is left out. A name
    that is taken, or that leads out of the archive, is a skip; so are links, encrypted and too large members, and
    archives in the archive.
    """
    taken: set[bytes] = set()

    def file(name: bytes, size: int, place: int, why: Unusable | None) -> File:
        path, inode = os.path.join(archive, name), _inode(entry.inode, place)
        skip, detail = (why.reason, why.detail) if why else (None, "")
        return File(path, min(max(size, 0), _PLACE), entry.mtime_ns, entry.device, inode, None, skip, detail)

    ending = None
    try:
        for number, found in enumerate(_told(_opened, archive, entry.size, entry.mtime_ns).found(), 1):
            nested = is_archive(found.name)
            if not nested and not may_be_picture(found.name.rpartition(b"/")[2]):
                continue
            name, why = _plain(found.name), found.why
            if name is None or name in taken:
                shown = found.name.decode("utf-8", "backslashreplace")
                how = "leads out of the archive" if name is None else "is taken by another member"
                why = Unusable(Reason.BAD_NAME, f"the name {shown!r} {how}")
                name = os.path.join(b".", b"%d" % number)
            elif b"/." in b"/" + name:
                continue
            elif nested:
                why = Unusable(Reason.UNSUPPORTED, "an archive in an archive")
            taken.add(name)
            yield file(name, found.size, found.place, why or _unreadable(found.size))
    except Exception as error:  # parsers fed with foreign bytes raise anything
        ending = _as_unusable(error)
    yield File(
        own(archive), entry.size, entry.mtime_ns, entry.device, entry.inode, None,
        *((ending.reason, ending.detail) if ending else (None, "")),
    )  # fmt: skip


def read_member(archive: bytes, path: bytes, seen: File | None, strict: bool) -> bytes:
    """The bytes of a member. seen: how it was met before, which tells where it is unless the archive has changed.

    strict: refuse, as CHANGED, what is not in that state any more. Raises Unusable.
    """
    status = _told(os.stat, archive)
    state = (status.st_size, status.st_mtime_ns)
    same = seen is not None and seen.mtime_ns == status.st_mtime_ns
    if strict and not same:
        raise Unusable(Reason.CHANGED, "its archive is not the file that was listed")
    opened = _told(_opened, archive, *state)
    if seen is not None and same and seen.inode and seen.inode == _inode(status.st_ino, seen.inode & _PLACE):
        place: Place | None = (seen.inode & _PLACE, seen.size)
    else:
        place = _told(_places, archive, *state).get(path)
    if place is None:
        raise Unusable(Reason.VANISHED, "its archive has no such member")
    unreadable = _unreadable(place[1])
    if unreadable is not None:
        raise unreadable
    data = _told(opened.read, place)
    after = _told(os.stat, archive)
    if (after.st_size, after.st_mtime_ns) != state:
        raise Unusable(Reason.CHANGED, "its archive changed while it was read")
    return data


class _Zip:
    """A zip file, which stays open: its directory is read once."""

    def __init__(self, path: bytes) -> None:
        file = open(path, "rb")  # noqa: SIM115 - open as long as this is; zipfile's own count of its readers is not safe
        self._size = os.fstat(file.fileno()).st_size
        self._zip = zipfile.ZipFile(file)
        self._by_place = {info.header_offset: info for info in self._zip.infolist()}

    def found(self) -> Iterator[_Found]:
        infos = self._zip.infolist()
        check_ratio(sum(info.file_size for info in infos), self._size)
        for info in infos:
            if not info.is_dir():
                # The name as it stands in the file, whatever it was taken for.
                name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
                yield _Found(name, info.file_size, info.header_offset, self._trouble(info))

    def read(self, place: Place) -> bytes:
        with self._zip.open(self._by_place[place[0]]) as file:
            return file.read()  # no more than the size that was told, whose checksum is compared

    def _trouble(self, info: zipfile.ZipInfo) -> Unusable | None:
        if info.flag_bits & _ENCRYPTED:
            return Unusable(Reason.ENCRYPTED)
        kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
        return None if kind in (0, stat.S_IFREG) else Unusable(Reason.NOT_A_FILE, "a link")


@dataclass(slots=True)
class _Tar:
    """A tar file, plain or in gzip; every reader opens it anew."""

    path: bytes
    states: States | None  # None: a plain one

    def open(self) -> IO[bytes]:
        file = open(self.path, "rb", buffering=0)  # noqa: SIM115 - the caller closes it
        return cast("IO[bytes]", file if self.states is None else Gunzip(file, self.states))

    def found(self) -> Iterator[_Found]:
        with closing(self.open()) as file:
            with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # or it would keep them all
                    if not info.isdir():
                        name = info.name.encode("utf-8", "surrogateescape")
                        yield _Found(name, info.size, info.offset_data, _tar_trouble(info))
                file.seek(tar.offset)
                end = file.read(_BLOCK)
            if len(end) < _BLOCK:
                raise Unusable(Reason.TRUNCATED, "it has no end mark: members may be missing")
            if any(end):  # where the library just stops
                raise Unusable(Reason.CORRUPT, "what follows the last readable member makes no sense")
            while self.states is not None and file.read(_PIECE):  # to the checksum
                pass

    def read(self, place: Place) -> bytes:
        start, size = place
        with closing(self.open()) as file:
            file.seek(start)
            data = _all(file, size)
        if len(data) < size:
            raise EOFError("the archive ends within it")
        return data


def _tar_trouble(info: tarfile.TarInfo) -> Unusable | None:
    if info.issparse():
        return Unusable(Reason.UNSUPPORTED, "a sparse file in a tar")
    if info.isreg():
        return None
    return Unusable(Reason.NOT_A_FILE, "a link" if info.issym() or info.islnk() else "")


def _all(file: IO[bytes], size: int) -> bytes:
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _plain(name: bytes) -> bytes | None:
    """A member's name without what says nothing; None: it leads out of the archive, or is no name."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if name.startswith(b"/") or b".." in parts or b"\0" in name or not parts:
        return None
    return os.path.join(*parts)


def _unreadable(size: int) -> Unusable | None:
    if size == 0:
        return Unusable(Reason.EMPTY)
    if not 0 < size <= SIZE_LIMIT:
        return Unusable(Reason.TOO_LARGE, f"{size} bytes, the limit is {SIZE_LIMIT}")
    return None


def _inode(archive: int, place: int) -> int:
    return (archive & _PLACE) << 64 | place if archive else 0  # 0: the file system gives none


_lock = Lock()  # so that several threads do not open one archive several times


@lru_cache(_OPEN)
def _open(path: bytes, size: int, mtime_ns: int) -> _Archive:
    with open(path, "rb") as file:
        begin = file.read(_BLOCK)
    if not begin:
        raise Unusable(Reason.EMPTY)
    if not is_zip(path):
        packed = begin.startswith(b"\x1f\x8b") and begin[257:262] != b"ustar"  # a name may begin like gzip
        return _Tar(path, States() if packed else None)
    if not begin.startswith(b"PK"):
        raise Unusable(Reason.CORRUPT, "no zip file")
    return _Zip(path)


def _opened(path: bytes, size: int, mtime_ns: int) -> _Archive:
    """An archive in one state."""
    with _lock:
        return _open(path, size, mtime_ns)


@lru_cache(_LISTED)
def _list(path: bytes, size: int, mtime_ns: int) -> dict[bytes, Place]:
    places: dict[bytes, Place] = {}
    archive = _open(path, size, mtime_ns)
    try:
        for found in archive.found():
            name = _plain(found.name)
            if name is not None and found.why is None:
                places.setdefault(os.path.join(path, name), (found.place, found.size))
    except Exception:
        if not places:
            raise
    return places  # of a damaged archive, what comes before the damage


def _places(path: bytes, size: int, mtime_ns: int) -> dict[bytes, Place]:
    """Where the members of an archive are, by path."""
    with _lock:
        return _list(path, size, mtime_ns)


def _told(function: Callable[..., T], *arguments: object) -> T:
    """What a function that reads an archive gives. Raises Unusable where it fails, however it does."""
    try:
        return function(*arguments)
    except Exception as error:  # parsers fed with foreign bytes raise anything
        raise _as_unusable(error) from error


_SHORT = ("not a zip file", "end of data", "truncated", "empty file")  # how the libraries say that the data end early


def _as_unusable(error: Exception) -> Unusable:
    if isinstance(error, Unusable):
        return error
    if isinstance(error, MemoryError):
        return Unusable(Reason.TOO_LARGE, "not enough memory")
    if isinstance(error, NotImplementedError):
        return Unusable(Reason.UNSUPPORTED, str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return Unusable(reason_of(error), explain(error))
    short = isinstance(error, EOFError) or any(words in str(error).lower() for words in _SHORT)
    return Unusable(Reason.TRUNCATED if short else Reason.CORRUPT, str(error))
