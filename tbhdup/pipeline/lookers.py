"""Pictures looked at side by side: decoded, squeezed to the encoder's squares, and to a thumbnail.

That is many short calls, between which Python lets one thread go on at a time, and the network's import would hold them
all up. So where many files are new, processes look at them, and what these die of costs a picture, not the scan.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from queue import SimpleQueue
from threading import Semaphore
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tbhdup import processes, sources
from tbhdup.values import Digest, Reason

FEW = 64  # pictures that are sooner looked at in this process than others start

Square = NDArray[np.uint8]
"""(side, side, 3) RGB"""


class Look(NamedTuple):
    """What indexing keeps of a picture, and gives to the encoder."""

    squares: Sequence[Square]  # of the whole and then of its parts
    detail: int
    width: int
    height: int
    format: str
    thumbnail: bytes


def look(data: bytes, side: int) -> Look | sources.Unusable:
    """Decode a file's bytes for an encoder of that side."""
    try:
        picture, small, squares = sources.see(data, side)
    except sources.Unusable as error:
        return error
    thumbnail = sources.pack_thumbnail(picture, small)
    return Look(squares, sources.detail(small), picture.width, picture.height, picture.format, thumbnail)


class Lookers(ExitStack):
    """Looks at contents, so many side by side where there are many, else in the calling thread.

    watch: while inside, the death of this process makes a content a suspect.
    """

    def __init__(
        self, side: int, pictures: int, threads: int, watch: Callable[[Digest], AbstractContextManager[None]]
    ) -> None:
        super().__init__()
        self._side = side
        self._watch = watch
        self._turns = Semaphore(threads)  # decoded pictures are large
        self._free: SimpleQueue[processes.Process] | None = None
        if pictures > FEW and threads > 1:
            self._free = SimpleQueue()
            for _ in range(threads):
                process = processes.Process(__name__, str(side))
                self.callback(process.close)
                self._free.put(process)

    def look(self, contents: Mapping[Digest, bytes]) -> dict[Digest, Look | sources.Unusable]:
        """What there is to see of each, or why there is nothing. May be called from several threads."""
        if not contents:
            return {}
        if self._free is None:
            return self._here(contents)
        process = self._free.get()
        try:
            return self._there(process, contents)
        finally:
            self._free.put(process)

    def _here(self, contents: Mapping[Digest, bytes]) -> dict[Digest, Look | sources.Unusable]:
        found = {}
        for digest, data in contents.items():
            with self._turns, self._watch(digest):
                found[digest] = look(data, self._side)
        return found

    def _there(
        self, process: processes.Process, contents: Mapping[Digest, bytes]
    ) -> dict[Digest, Look | sources.Unusable]:
        try:
            found: dict[Digest, Look | sources.Unusable] = process.ask(contents)
        except processes.NoProcess:
            return self._here(contents)
        except processes.Died as error:
            if len(contents) == 1:
                return dict.fromkeys(contents, sources.Unusable(Reason.CRASHED, f"the decoder died: {error}"))
            return {digest: self._there(process, {digest: data})[digest] for digest, data in contents.items()}
        return found


def main() -> None:
    """The other process: the side as argument, contents come and looks go."""
    side = int(sys.argv[1])
    processes.serve(lambda contents, _: {digest: look(data, side) for digest, data in contents.items()})
