"""Contents under whose decoding the process died, noted before each decoding in a small file beside the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from threading import Lock

from tbhdup.store.environment import Environment
from tbhdup.store.records import DIGEST_SIZE, as_digest
from tbhdup.values import Digest

NAME = "suspects"

_FREE = bytes(DIGEST_SIZE)


class Suspects:
    """The digests that were in the file when the store was opened: what no process came back from.

    The file is a row of 16-byte slots, each free (zeros) or holding a digest, and stays as long as there were decodings
    at one time. It is never synced: it has to outlive the process, not the machine. Only the store's writer may change
    it. All methods may be called from several threads; those that write raise StoreError.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._path = environment.place / NAME
        self._file: FileIO | None = None
        self._lock = Lock()
        with environment.told():
            data = self._path.read_bytes() if self._path.exists() else b""
        slots = [data[at : at + DIGEST_SIZE] for at in range(0, len(data) - DIGEST_SIZE + 1, DIGEST_SIZE)]
        self._suspected = {digest: slot for slot, digest in enumerate(slots) if digest != _FREE}
        taken = set(self._suspected.values())
        self._free = [slot for slot in range(len(slots)) if slot not in taken]
        self._slots = len(slots)

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._suspected

    def clear(self, digest: Digest) -> None:
        """Suspect a content no longer, for good."""
        with self._lock:
            slot = self._suspected.pop(digest, None)
            if slot is not None:
                self._write(slot, _FREE)
                self._free.append(slot)

    @contextmanager
    def watch(self, digest: Digest) -> Iterator[None]:
        """While inside, the death of the process makes the content a suspect."""
        with self._lock:
            slot = self._free.pop() if self._free else self._slots
            self._slots = max(self._slots, slot + 1)
            self._write(slot, as_digest(digest))
        try:
            yield
        finally:
            with self._lock:
                self._write(slot, _FREE)
                self._free.append(slot)

    def close(self) -> None:
        """Close the file; what it holds stays."""
        if self._file is not None:
            self._file.close()

    def _write(self, slot: int, digest: Digest) -> None:
        with self._environment.told():
            if self._file is None:
                self._path.touch()
                self._file = self._path.open("r+b", buffering=0)
            self._file.seek(slot * DIGEST_SIZE)
            self._file.write(digest)
