"""A gzip file as one that can be read from anywhere, in bounded memory."""

from __future__ import annotations

import io
import zlib
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from tbhdup.sources.reading import Unusable
from tbhdup.values import Reason

RATIO = 200  # pictures are packed already; what unpacks to more than so many times its size, and
SLACK = 256 << 20  # bytes more than this, was made to fill memory and disks

_CHUNK = 1 << 16  # bytes read or unpacked at a time
_SPACING = 4 << 20  # bytes between two states that are kept, at first
_STATES = 128  # kept at most, about 45 kB each; then every second one goes, and the spacing doubles
_RECENT = 16  # further states, of where readers stopped: the next one mostly goes on from there


def check_ratio(unpacked: int, packed: int) -> None:
    """Raises Unusable (TOO_LARGE) for what no archive of pictures unpacks to."""
    if unpacked > SLACK + RATIO * packed:
        raise Unusable(Reason.TOO_LARGE, f"it unpacks to more than {RATIO} times its size")


@dataclass(frozen=True, slots=True)
class _State:
    """A decompressor at one place."""

    out: int  # bytes that it has given
    taken: int  # bytes of the file that it has taken
    inflate: Any  # zlib's decompressor, whose type has no name; never used itself, only copied
    fed: bool  # whether it is within a member of the gzip file


_START = _State(0, 0, None, False)


@dataclass(slots=True)
class States:
    """What the readers of one gzip file leave to each other; for several threads."""

    _regular: list[_State] = field(default_factory=lambda: [_START])  # by place
    _recent: deque[_State] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _spacing: int = _SPACING
    _lock: Lock = field(default_factory=Lock)

    def before(self, place: int) -> _State:
        """The nearest state that is not behind a place."""
        with self._lock:
            at = bisect_right(self._regular, place, key=lambda state: state.out) - 1
            near = [state for state in self._recent if state.out <= place]
            return max([self._regular[at], *near], key=lambda state: state.out)

    def is_wanted(self, place: int) -> bool:
        """Whether a state at a place would be the first one for long."""
        with self._lock:
            return place >= self._regular[-1].out + self._spacing

    def keep(self, state: _State, recent: bool) -> None:
        """Take up a state that nobody else uses."""
        with self._lock:
            if recent:
                self._recent.append(state)
            elif state.out >= self._regular[-1].out + self._spacing:
                self._regular.append(state)
                if len(self._regular) > _STATES:
                    del self._regular[1::2]
                    self._spacing *= 2


class Gunzip(io.RawIOBase):
    """One reader of a gzip file. Seeking goes to the nearest known state and unpacks from there.

    Raises zlib.error and EOFError for damaged and short files, Unusable (TOO_LARGE) for bombs.
    """

    def __init__(self, file: io.FileIO, states: States) -> None:
        super().__init__()
        self._file = file  # closed with this one
        self._states = states
        self._resume(_START)

    def close(self) -> None:
        """Leave the place where it stopped to others, and close the file."""
        if not self.closed:
            self._states.keep(self._state(), recent=True)
            self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._out

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, told from the start or from here (SEEK_CUR), or to the end where that comes first."""
        target = offset + (self._out if whence == io.SEEK_CUR else 0)
        if target < self._out or self._states.before(target).out > self._out:
            self._resume(self._states.before(target))
        while self._out < target and self._more(target - self._out):
            pass
        return self._out

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer only at the end; all that are left for a negative size."""
        parts = []
        left = size
        while left != 0 and (part := self._more(left if size >= 0 else _CHUNK)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _resume(self, state: _State) -> None:
        self._out, self._fed, self._pending = state.out, state.fed, b""
        self._inflate = state.inflate.copy() if state.inflate else zlib.decompressobj(wbits=31)
        self._file.seek(state.taken)
        self._taken = state.taken

    def _state(self) -> _State:
        return _State(self._out, self._taken - len(self._pending), self._inflate.copy(), self._fed)

    def _more(self, limit: int) -> bytes:
        """1 to `limit` further bytes; none at the end."""
        while True:
            if self._inflate.eof:  # of one member; another may follow, or zeros
                self._pending = self._inflate.unused_data.lstrip(b"\0")
                self._inflate, self._fed = zlib.decompressobj(wbits=31), False
            if not self._pending:
                self._pending = self._file.read(_CHUNK) or b""
                self._taken += len(self._pending)
                if not self._pending and self._fed:
                    raise EOFError("the compressed data end early")
                if not self._pending:
                    return b""
                if not self._fed:
                    self._pending = self._pending.lstrip(b"\0")
                    continue
            self._fed = True
            part: bytes = self._inflate.decompress(self._pending, min(limit, _CHUNK))
            self._pending = b"" if self._inflate.eof else self._inflate.unconsumed_tail  # else `unused_data` has it
            self._out += len(part)
            check_ratio(self._out, self._taken)
            if part:
                if self._states.is_wanted(self._out):
                    self._states.keep(self._state(), recent=False)
                return part
