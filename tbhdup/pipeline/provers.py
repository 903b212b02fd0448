"""Proofs side by side.

A proof is many short calls of OpenCV and numpy, and between them Python lets one thread go on at a time: two threads do
the work of 1.6. So where many pairs are to be proven, processes prove them. They ask this one for the bytes of
pictures, and what they die of costs a pair, not the scan.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

from tbhdup import processes, verify
from tbhdup.pipeline.views import ABSENT, KEPT, Contents, Unseen, Views
from tbhdup.values import Digest, Verdict

Pair = tuple[Digest, Digest]

FEW = 64  # pairs that are sooner proven in this process than others start


class Provers(ExitStack):
    """Proves pairs, so many side by side; nothing is loaded or started before the first one."""

    def __init__(self, contents: Contents, threads: int) -> None:
        super().__init__()
        self._contents = contents
        self._threads = threads
        self._views = Views(contents)
        self._pool: ThreadPoolExecutor | None = None
        self._processes: list[processes.Process] = []
        self._homes: OrderedDict[Digest, int] = OrderedDict()  # the process that has looked at a content
        self._proven = 0

    def map(self, pairs: Sequence[Pair]) -> Iterator[Verdict]:
        """The verdicts of pairs (the likely original first), in their order. They do not depend on how it is done."""
        if not pairs:
            return iter(())
        if self._pool is None:
            self.enter_context(verify.one_thread_a_proof())
            self.callback(self._end)
            self._pool = self.enter_context(ThreadPoolExecutor(self._threads))
        if not self._processes and self._threads > 1 and self._proven >= FEW:
            self._start()
        self._proven += len(pairs)
        if not self._processes:
            return self._pool.map(lambda pair: self._views.prove(*pair), pairs)
        verdicts: dict[int, Verdict] = {}
        shares = self._share_out(pairs)
        for done in [self._pool.submit(self._prove_all, place, pairs, shares) for place in range(len(shares))]:
            verdicts |= done.result()
        return (verdicts[number] for number in range(len(pairs)))

    def _share_out(self, pairs: Sequence[Pair]) -> list[deque[int]]:
        """The places of the pairs that each process shall prove: those it has looked at a picture of already."""
        shares: list[deque[int]] = [deque() for _ in self._processes]
        for number, pair in enumerate(pairs):
            known = [self._homes[digest] for digest in pair if digest in self._homes]
            home = min(known or range(len(shares)), key=lambda place: len(shares[place]))
            shares[home].append(number)
            for digest in pair:
                self._homes.setdefault(digest, home)
                self._homes.move_to_end(digest)
        while len(self._homes) > KEPT:
            self._homes.popitem(last=False)
        return shares

    def _prove_all(self, place: int, pairs: Sequence[Pair], shares: list[deque[int]]) -> dict[int, Verdict]:
        """Prove a process's share, then what others have not come to."""
        verdicts = {}
        while (number := _next(shares, place)) is not None:
            verdicts[number] = self._prove(self._processes[place], pairs[number])
        return verdicts

    def _prove(self, process: processes.Process, pair: Pair) -> Verdict:
        thumbnails = {digest: self._contents.thumbnail(digest) for digest in pair}
        try:
            verdict: Verdict = process.ask(thumbnails, lambda digest: _data(self._contents, digest))
        except processes.NoProcess:
            return self._views.prove(*pair)
        except processes.Died as error:
            return Verdict(False, 0.0, None, f"{ABSENT}: the proof died: {error}")
        return verdict

    def _start(self) -> None:
        self._views = Views(self._contents)  # what they hold is not looked at again
        kept = str(KEPT // self._threads)
        self._processes = [processes.Process(__name__, kept) for _ in range(self._threads)]

    def _end(self) -> None:
        for process in self._processes:
            process.close()


def _next(shares: list[deque[int]], place: int) -> int | None:
    """Take the next of one's own share, else the last of the longest; None: there is nothing left."""
    with suppress(IndexError):
        return shares[place].popleft()
    for share in sorted(shares, key=len, reverse=True):
        with suppress(IndexError):  # another one may have taken it meanwhile
            return share.pop()
    return None


def _data(contents: Contents, digest: Digest) -> bytes | Unseen:
    try:
        return contents.data(digest)
    except Unseen as error:
        return error


class _Asking:
    """In the other process: the thumbnails that came with a pair; the bytes of contents are asked for."""

    def __init__(self) -> None:
        self.thumbnails: dict[Digest, bytes | None] = {}
        self.ask: Callable[[object], bytes | Unseen]

    def thumbnail(self, digest: Digest) -> bytes | None:
        return self.thumbnails[digest]

    def data(self, digest: Digest) -> bytes:
        answer = self.ask(digest)
        if isinstance(answer, Unseen):
            raise answer
        return answer


def main() -> None:
    """The other process: pairs come with their thumbnails, their bytes are asked for, the verdict is the answer."""
    contents = _Asking()
    views = Views(contents, int(sys.argv[1]))

    def prove(thumbnails: dict[Digest, bytes | None], ask: Callable[[object], bytes | Unseen]) -> Verdict:
        contents.thumbnails, contents.ask = thumbnails, ask
        first, second = thumbnails
        return views.prove(first, second)

    with verify.one_thread_a_proof():
        processes.serve(prove)
