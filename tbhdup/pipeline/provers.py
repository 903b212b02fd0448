"""Proofs side by side.

A proof is many short calls of OpenCV and numpy, and between them Python lets one thread go on at a time: two threads do
the work of 1.6. So where many pairs are to be proven, processes prove them. They ask this one for the bytes of
pictures, and what they die of costs a pair, not the scan.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from threading import Lock

from tbhdup import processes, verify
from tbhdup.pipeline.views import ABSENT, KEPT, Contents, Unseen, Views
from tbhdup.values import Digest, Verdict

Pair = tuple[Digest, Digest]

FEW = 64  # pairs that are sooner proven in this process than others start
QUEUED = 2  # inquiries a process: while it proves for one, the other gets ready what it asks next

Inquiry = Generator[Sequence[Pair], Sequence[Verdict], None]
"""Yields the pairs that it wants proven, round after round, the likely original of each first; is sent their verdicts.
What it asks hangs on what it was sent, and on nothing else."""


class _Round:
    """The pairs that an inquiry asks for at present."""

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self._begin(next(inquiry, ()))

    def _begin(self, asked: Sequence[Pair]) -> None:
        self._asked = asked
        self._verdicts: dict[Pair, Verdict] = {}
        self.waiting = deque(asked)

    @property
    def is_none(self) -> bool:
        """Whether the inquiry has nothing left to ask."""
        return not self._asked

    def put(self, pair: Pair, verdict: Verdict) -> None:
        """Take a verdict; the last one of a round begins the next."""
        self._verdicts[pair] = verdict
        if len(self._verdicts) == len(self._asked):
            try:
                self._begin(self._inquiry.send([self._verdicts[asked] for asked in self._asked]))
            except StopIteration:
                self._begin(())


class Provers(ExitStack):
    """Proves pairs, so many side by side.

    many: that many pairs are expected that the processes start now, while they are looked for; else nothing is loaded
    or started before the first pair.
    """

    def __init__(self, contents: Contents, threads: int, many: bool) -> None:
        super().__init__()
        self._contents = contents
        self._turns = [Lock() for _ in range(threads)]  # to prove, so many side by side
        self._places = range(threads * QUEUED)  # where inquiries are settled
        self._views = Views(contents)
        self._pool: ThreadPoolExecutor | None = None
        self._processes: list[processes.Process] = []
        self._proven = 0
        self._lock = Lock()
        self._proves_here = False
        if many and threads > 1:
            self._start()

    def settle(self, inquiries: Iterable[Inquiry]) -> None:
        """Prove what inquiries ask, each at one place, until they have nothing left to ask.

        A place that finds no new inquiry helps another. What the inquiries learn does not depend on the places.
        """
        new = (begun for begun in map(_Round, inquiries) if not begun.is_none)
        rounds: dict[int, _Round] = {}
        running: dict[Future[Verdict], tuple[int, _Round, Pair]] = {}
        done: SimpleQueue[Future[Verdict]] = SimpleQueue()
        while True:
            busy = {place for place, *_ in running.values()}
            for place in (place for place in self._places if place not in busy):
                if (place not in rounds or rounds[place].is_none) and (begun := next(new, None)) is not None:
                    rounds[place] = begun
                if (chosen := _with_work(rounds, place)) is not None:
                    pair = chosen.waiting.popleft()
                    proof = self._submit(place, pair)
                    running[proof] = place, chosen, pair
                    proof.add_done_callback(done.put)
            if not running:
                return
            proof = done.get()
            _, chosen, pair = running.pop(proof)
            chosen.put(pair, proof.result())

    def _submit(self, place: int, pair: Pair) -> Future[Verdict]:
        if self._pool is None:
            self._pool = self.enter_context(ThreadPoolExecutor(len(self._places)))
        if not self._processes and len(self._turns) > 1 and self._proven >= FEW:
            self._start()
        self._proven += 1
        turn = place % len(self._turns)
        if self._processes:
            return self._pool.submit(self._ask, turn, pair)
        return self._pool.submit(self._prove, turn, pair)

    def _prove(self, turn: int, pair: Pair) -> Verdict:
        with self._turns[turn]:
            return self._prove_here(pair)

    def _prove_here(self, pair: Pair) -> Verdict:
        with self._lock:
            if not self._proves_here:
                self.enter_context(verify.one_thread_a_proof())
                self._proves_here = True
        return self._views.prove(*pair)

    def _ask(self, turn: int, pair: Pair) -> Verdict:
        thumbnails = {digest: self._contents.thumbnail(digest) for digest in pair}
        with self._turns[turn]:
            try:
                verdict: Verdict = self._processes[turn].ask(thumbnails, lambda digest: _data(self._contents, digest))
            except processes.NoProcess:
                return self._prove_here(pair)
            except processes.Died as error:
                return Verdict(False, 0.0, None, f"{ABSENT}: the proof died: {error}")
        return verdict

    def _start(self) -> None:
        self._views = Views(self._contents)  # what they hold is not looked at again
        kept = str(KEPT // len(self._turns))
        for _ in self._turns:
            process = processes.Process(__name__, kept)
            self.callback(process.close)
            self._processes.append(process)


def _with_work(rounds: Mapping[int, _Round], place: int) -> _Round | None:
    """The round at a place, or the one with the most work left; None: no work is left."""
    if place in rounds and rounds[place].waiting:
        return rounds[place]
    most = max(rounds.values(), key=lambda each: len(each.waiting), default=None)
    return most if most is not None and most.waiting else None


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
