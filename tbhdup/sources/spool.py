"""Pictures that are no files: bytes and arrays that a program hands over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from tempfile import TemporaryFile
from threading import Lock
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tbhdup.errors import UsageError
from tbhdup.sources.reading import SIZE_LIMIT, Unusable, digest
from tbhdup.sources.walking import Entry, Listing
from tbhdup.values import Digest, File, Reason, Skip


class Spool:
    """A Source of pictures in memory, each different content written once to a temporary file, for the proof to read.

    The file goes when it is closed. In memory are the names, and one picture at a time. A context manager.
    """

    lasting = False  # nothing is remembered by name, contents as any others

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed by `__exit__`
        self._lock = Lock()
        self._end = 0
        self._places: dict[Digest, int] = {}
        self._entries: dict[bytes, tuple[int, int]] = {}  # by name: place and size
        self._skips: list[Skip] = []

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, name: bytes, picture: bytes | NDArray[np.uint8]) -> None:
        """Take up one picture: the bytes of a file, or pixels (height, width, 3), uint8, RGB.

        A name that is taken is a skip. Raises UsageError for an array of another kind.
        """
        data = picture if isinstance(picture, bytes) else _bitmap(name, picture)
        if name in self._entries:
            self._skips.append(Skip(name, Reason.BAD_NAME, "the name is taken by a picture before"))
            return
        if len(data) > SIZE_LIMIT:
            self._skips.append(Skip(name, Reason.TOO_LARGE, f"{len(data)} bytes, the limit is {SIZE_LIMIT}"))
            return
        key = digest(data)
        place = self._places.setdefault(key, self._end)
        if place == self._end:
            self._file.seek(place)
            self._file.write(data)
            self._end += len(data)
        self._entries[name] = (place, len(data))

    def listings(self) -> Iterator[Listing]:
        entries = tuple(Entry(name, self._entries[name][1], 0, 0, 0) for name in sorted(self._entries))
        yield Listing(b"", entries, tuple(self._skips))

    def read(self, file: File) -> bytes:
        place, size = self._entries[file.path]
        if not size:
            raise Unusable(Reason.EMPTY)
        with self._lock:
            self._file.seek(place)
            return self._file.read(size)

    def again(self, file: File) -> bytes:
        return self.read(file)


def _bitmap(name: bytes, pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as a BMP: without loss, quickly, and the same bytes for the same pixels at any time."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        found = f"{pixels.dtype} {pixels.shape}"
        raise UsageError(f"{os.fsdecode(name)!r}: an array must be uint8 (height, width, 3), not {found}")
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()
