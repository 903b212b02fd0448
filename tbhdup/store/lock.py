"""One writer at a time: an exclusive lock that ends with the process, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tbhdup.errors import StoreLocked

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error

    def _unlock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class WriterLock:
    """Held from its making to `release`; a second one for the same folder raises StoreLocked."""

    def __init__(self, place: Path) -> None:
        self._descriptor = os.open(place / "writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._descriptor)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StoreLocked(
                f"another tbhdup writes to the store {place}: wait until it is done, or name another store with --store"
            ) from None
        except BaseException:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Let the next writer in. Unlocks first: a child process may still hold a copy of the descriptor."""
        _unlock(self._descriptor)
        os.close(self._descriptor)
