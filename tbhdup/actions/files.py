"""The operations on files that actions are made of. None overwrites or deletes what it was not told to."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import xxhash

from tbhdup.actions.errors import Refused
from tbhdup.values import Digest

T = TypeVar("T")

CHUNK = 1 << 20  # bytes
NAME_LIMIT = 255  # bytes

# O_NONBLOCK: opening a FIFO must not wait for its writer.
_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _READ |= getattr(os, _flag, 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

# Errors that mean that a path is not the regular file that it was.
_CHANGED = {
    errno.ENOENT: "it is gone",
    errno.ENOTDIR: "it is in an archive, which is never changed",  # its path leads through a file
    errno.ELOOP: "it is a symbolic link now",
    errno.ENXIO: "it is no regular file now",
}

_FICLONE = 0x40049409  # linux/fs.h
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1  # linux/fcntl.h, linux/fs.h
_RENAME_EXCL = 4  # macOS, sys/stdio.h


@dataclass(frozen=True, slots=True)
class Facts:
    """What tells a file and a state of it, and what a copy has to be given."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int
    mode: int  # permissions
    uid: int
    gid: int
    links: int  # names of this file

    @property
    def identity(self) -> tuple[int, int]:
        """The same for every name of one file."""
        return self.device, self.inode

    def same(self, other: Facts) -> bool:
        """Whether it is the same file in the same state. Devices may be numbered anew when the system starts."""
        return (self.inode, self.size, self.mtime_ns) == (other.inode, other.size, other.mtime_ns)


def look(path: bytes) -> Facts:
    """The facts of a regular file, links not followed. Raises Refused where it is gone or something else, OSError."""
    return _facts(_told(os.lstat, path))


def exists(path: bytes) -> bool:
    """Whether anything has this name, a broken link included."""
    return os.path.lexists(path)


def target(path: bytes) -> bytes | None:
    """Where a symbolic link leads; None: it is none."""
    try:
        return os.readlink(path)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def names(folder: bytes) -> frozenset[bytes]:
    """The names in a folder; none where there is no folder."""
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


class Folders(dict[bytes, frozenset[bytes]]):
    """The names in folders, each folder looked at once."""

    def __missing__(self, folder: bytes) -> frozenset[bytes]:
        self[folder] = found = names(folder)
        return found


@contextmanager
def opened(path: bytes, facts: Facts | None = None) -> Iterator[int]:
    """A regular file to read, links not followed, in the state that the facts tell, at the end as at the beginning.

    Raises Refused where it is not, OSError.
    """
    descriptor = _told(lambda name: os.open(name, _READ), path)
    try:
        before = _facts(os.fstat(descriptor))
        if facts is not None and not (before.same(facts) and before.device == facts.device):
            raise Refused("it has changed")
        yield descriptor
        if not _facts(os.fstat(descriptor)).same(before):
            raise Refused("it changed while it was read")
    finally:
        os.close(descriptor)


def digest(descriptor: int) -> Digest:
    """The xxh3-128 of an open file's bytes."""
    hashed = xxhash.xxh3_128()
    for piece in _pieces(descriptor):
        hashed.update(piece)
    return hashed.digest()


def compare(one: int, other: int) -> Digest | None:
    """The digest of two open files that hold the same bytes; None: they do not."""
    hashed = xxhash.xxh3_128()
    for a, b in zip(_pieces(one), _pieces(other), strict=False):
        if a != b:
            return None
        hashed.update(a)
    return hashed.digest() if os.fstat(one).st_size == os.fstat(other).st_size else None


def content(path: bytes) -> bytes:
    """The bytes of a small file."""
    with opened(path) as descriptor:
        return b"".join(_pieces(descriptor))


def link(kept: bytes, path: bytes) -> None:
    """A second name for a file; fails where the name is taken."""
    os.link(kept, path)


def symlink(kept: bytes, path: bytes) -> None:
    """A symbolic link to a file; fails where the name is taken."""
    os.symlink(kept, path)


def copy(descriptor: int, path: bytes, facts: Facts) -> None:
    """A copy of an open file with the permissions, owner and time of the facts, on disk when this returns."""
    new = os.open(path, _CREATE, 0o600)
    try:
        for piece in _pieces(descriptor):
            view = memoryview(piece)
            while view:
                view = view[os.write(new, view) :]
        _dress(new, path, facts)
    finally:
        os.close(new)


def clone(descriptor: int, path: bytes, facts: Facts) -> None:
    """As `copy`, but sharing the data (a reflink). Raises OSError where the file system cannot do that."""
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, "reflinks are made on Linux only")
    import fcntl

    new = os.open(path, _CREATE, 0o600)
    try:
        try:
            fcntl.ioctl(new, _FICLONE, descriptor)
        except OSError as error:
            raise OSError(error.errno, f"this file system cannot make reflinks ({error.strerror})") from error
        _dress(new, path, facts)
    finally:
        os.close(new)


def swap(temporary: bytes, path: bytes) -> None:
    """Give a file another one's name, in one step; the other one is gone."""
    os.replace(temporary, path)


def rename(old: bytes, new: bytes) -> None:
    """Rename a file; FileExistsError where the new name is taken, OSError with EXDEV on another file system."""
    if sys.platform == "win32":
        os.rename(old, new)
        return
    native = _no_replace()
    if native is not None:
        if native(old, new) == 0:
            return
        error = ctypes.get_errno()
        if error not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):  # a file system that does not know how
            raise OSError(error, os.strerror(error), old, None, new)
    if exists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    os.rename(old, new)


def remove(path: bytes) -> None:
    """Remove a name; nothing where there is none."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return


def make_folder(folder: bytes) -> None:
    """Make a folder and those above it, where they are missing."""
    os.makedirs(folder, exist_ok=True)


def sync(folder: bytes) -> None:
    """Have the names of a folder on disk before anything else is done."""
    if sys.platform == "win32":
        return  # folders cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unused(folder: bytes, name: bytes, taken: frozenset[bytes] | set[bytes]) -> bytes:
    """A path in a folder that nothing has yet: the name as it is, else with a number before its extension."""
    stem, extension = os.path.splitext(name)
    number = 1
    path = os.path.join(folder, name)
    while path in taken or exists(path):
        number += 1
        tail = b"-%d" % number + extension
        path = os.path.join(folder, stem[: NAME_LIMIT - len(tail)] + tail)
    return path


def _told(function: Callable[[bytes], T], path: bytes) -> T:
    """What a call of the system gives, or Refused where its error means that the file is not what it was."""
    try:
        return function(path)
    except OSError as error:
        if error.errno in _CHANGED:
            raise Refused(_CHANGED[error.errno]) from error
        raise


def _facts(status: os.stat_result) -> Facts:
    if not stat.S_ISREG(status.st_mode):
        link = stat.S_ISLNK(status.st_mode)
        raise Refused("it is a symbolic link" if link else "it is no regular file")
    return Facts(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, stat.S_IMODE(status.st_mode),
        status.st_uid, status.st_gid, status.st_nlink,
    )  # fmt: skip


def _pieces(descriptor: int) -> Iterator[bytes]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    while piece := _full(descriptor):
        yield piece


def _full(descriptor: int) -> bytes:
    """The next CHUNK bytes, fewer only at the end, so that two files are cut at the same places."""
    piece = os.read(descriptor, CHUNK)
    while piece and len(piece) < CHUNK and (more := os.read(descriptor, CHUNK - len(piece))):
        piece += more
    return piece


def _dress(descriptor: int, path: bytes, facts: Facts) -> None:
    if sys.platform != "win32":
        made = os.fstat(descriptor)
        if (made.st_uid, made.st_gid) != (facts.uid, facts.gid):
            os.fchown(descriptor, facts.uid, facts.gid)
    os.chmod(path, facts.mode)
    os.utime(path, ns=(facts.mtime_ns, facts.mtime_ns))
    os.fsync(descriptor)


def _no_replace() -> Callable[[bytes, bytes], int] | None:
    """The system's own renaming that overwrites nothing; None: it has none."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        return lambda old, new: library.renameat2(_AT_FDCWD, old, _AT_FDCWD, new, _RENAME_NOREPLACE)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda old, new: library.renamex_np(old, new, _RENAME_EXCL)
    return None
