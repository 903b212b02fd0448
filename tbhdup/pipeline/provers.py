"""Proofs side by side.

A proof is many short calls of OpenCV and numpy, and between them Python lets one thread go on at a time: two threads do
the work of 1.6. So where many pairs are to be proven, processes prove them. They ask this one for the bytes of
pictures, and what they die of costs a pair, not the scan.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import IO

from tbhdup import processes, verify
from tbhdup.pipeline.views import ABSENT, KEPT, Contents, Unseen, Views
from tbhdup.values import Digest, Verdict

Pair = tuple[Digest, Digest]

FEW = 64  # pairs that are sooner proven in this process than others start
READY = "ready"


class Provers(ExitStack):
    """Proves pairs, so many side by side; nothing is loaded or started before the first one."""

    def __init__(self, contents: Contents, threads: int) -> None:
        super().__init__()
        self._contents = contents
        self._threads = threads
        self._views = Views(contents)
        self._pool: ThreadPoolExecutor | None = None
        self._processes: list[_Process] = []
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
            verdict = self._processes[place].prove(pairs[number], self._contents)
            verdicts[number] = self._views.prove(*pairs[number]) if verdict is None else verdict
        return verdicts

    def _start(self) -> None:
        self._views = Views(self._contents)  # what they hold is not looked at again
        self._processes = [_Process(KEPT // self._threads) for _ in range(self._threads)]

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


class _Process:
    """A process that proves pairs, one at a time; another one takes its place when it dies."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._running: subprocess.Popen[bytes] | None = None
        self._answered = False  # the one that is running
        self._usable = True
        self._start()

    def prove(self, pair: Pair, contents: Contents) -> Verdict | None:
        """The verdict; None: no such process can live here."""
        if self._usable and self._running is None:
            self._start()
        if not self._usable:
            return None
        try:
            return self._ask(pair, contents)
        except (OSError, EOFError, pickle.UnpicklingError):
            self._usable = self._answered
            how = self.close()
        return Verdict(False, 0.0, None, f"{ABSENT}: the proof died: {how}") if self._usable else None

    def _start(self) -> None:
        self._answered = False
        try:
            self._running = subprocess.Popen(
                processes.command(__name__, str(self._kept)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=processes.environment(),
                start_new_session=True,  # Ctrl-C is for the scan
            )
        except OSError:
            self._usable = False

    def _ask(self, pair: Pair, contents: Contents) -> Verdict:
        assert self._running is not None
        asked, told = self._running.stdin, self._running.stdout
        assert asked is not None
        assert told is not None
        _send(asked, {digest: contents.thumbnail(digest) for digest in pair})
        while True:
            answer = pickle.load(told)
            self._answered = True
            if isinstance(answer, Verdict):
                return answer
            if isinstance(answer, Exception):
                raise answer
            if answer != READY:
                _send(asked, _data(contents, answer))

    def close(self) -> str:
        """End the process; returns what it had died of, if it had."""
        running, self._running = self._running, None
        if running is None:
            return ""
        status = running.poll()
        for pipe in (running.stdin, running.stdout):
            if pipe is not None:
                with suppress(OSError):  # what is left to be written is for nobody
                    pipe.close()
        running.kill()
        status = running.wait() if status is None else status
        return (signal.strsignal(-status) if status < 0 else None) or f"status {status}"


def _data(contents: Contents, digest: Digest) -> bytes | Unseen:
    try:
        return contents.data(digest)
    except Unseen as error:
        return error


def _send(pipe: IO[bytes], item: object) -> None:
    pickle.dump(item, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


class _Asking:
    """In the other process: the thumbnails that came with a pair; the bytes of contents are asked for."""

    def __init__(self, asked: IO[bytes], told: IO[bytes]) -> None:
        self.thumbnails: dict[Digest, bytes | None] = {}
        self._asked = asked
        self._told = told

    def thumbnail(self, digest: Digest) -> bytes | None:
        return self.thumbnails[digest]

    def data(self, digest: Digest) -> bytes:
        _send(self._told, digest)
        answer: bytes | Unseen = pickle.load(self._asked)
        if isinstance(answer, Unseen):
            raise answer
        return answer


def main() -> None:
    """The other process: pairs and bytes on stdin; on stdout the digests whose bytes it wants, and the verdicts."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not come between
    asked = sys.stdin.buffer
    contents = _Asking(asked, told)
    views = Views(contents, int(sys.argv[1]))
    with suppress(EOFError, BrokenPipeError), verify.one_thread_a_proof():
        _send(told, READY)
        while True:
            contents.thumbnails = pickle.load(asked)
            try:
                answer: Verdict | Exception = views.prove(*contents.thumbnails)
            except (EOFError, BrokenPipeError):
                raise
            except Exception:
                answer = RuntimeError(traceback.format_exc())
            _send(told, answer)
