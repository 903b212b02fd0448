"""Read one file whole, or say why not."""

from __future__ import annotations

import errno
import os
import stat

import xxhash

from tbhdup.values import Digest, File, Reason

SIZE_LIMIT = 1 << 30  # bytes; larger files are no photographs

# O_NONBLOCK: opening a FIFO must not wait for its writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

_REASONS = {
    errno.ENOENT: Reason.VANISHED,
    errno.ENOTDIR: Reason.VANISHED,  # a folder on the way was replaced by a file
    errno.ELOOP: Reason.LOOP,
    errno.EISDIR: Reason.NOT_A_FILE,
    errno.ENXIO: Reason.NOT_A_FILE,  # a socket
}


class Unusable(Exception):
    """One file gives no picture: `reason` is the word for reports, `detail` one line for people."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[Unusable], tuple[Reason, str]]:
        return Unusable, (self.reason, self.detail)


def read_file(path: bytes, expected: File | None = None) -> bytes:
    """The bytes of a regular file, one consistent state of it. Never waits for a FIFO.

    expected: the file as the walk saw it; if it is not in that state any more, it is refused.
    Raises Unusable: VANISHED, LOOP, UNREADABLE, NOT_A_FILE, EMPTY, TOO_LARGE (over 1 GiB), CHANGED.
    """
    try:
        return _read(path, expected)
    except OSError as error:
        raise Unusable(reason_of(error), explain(error)) from error


def digest(data: bytes) -> Digest:
    """The xxh3-128 of a file's bytes: 16 bytes, big-endian."""
    return xxhash.xxh3_128_digest(data)


def reason_of(error: OSError) -> Reason:
    """The word for what the system refused."""
    return _REASONS.get(error.errno or 0, Reason.UNREADABLE)


def explain(error: OSError) -> str:
    """The system's own words, without the path."""
    return error.strerror or str(error)


def _read(path: bytes, expected: File | None) -> bytes:
    with open(path, "rb", opener=opener) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise Unusable(Reason.NOT_A_FILE)
        if expected is not None and (expected.size, expected.mtime_ns) != _state(before):
            raise Unusable(Reason.CHANGED, "not the file that was listed")
        if before.st_size == 0:
            raise Unusable(Reason.EMPTY)
        if before.st_size > SIZE_LIMIT:
            raise Unusable(Reason.TOO_LARGE, f"{before.st_size} bytes, the limit is {SIZE_LIMIT}")
        data = file.read(before.st_size + 1)  # one more, to notice a file that grows
        if len(data) != before.st_size or _state(os.fstat(file.fileno())) != _state(before):
            raise Unusable(Reason.CHANGED, "changed while it was read")
        return data


def opener(path: str, flags: int) -> int:
    """For `open`: never waits for a FIFO."""
    return os.open(path, flags | _FLAGS)


def _state(status: os.stat_result) -> tuple[int, int]:
    # Not the inode: a folder listing on Windows does not know it.
    return status.st_size, status.st_mtime_ns
