"""Further Pythons beside this one: for what may die, and for what would wait for this one's lock."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt, in malloc.h of the GNU C library
KEPT_ALLOCATION = 32 << 20  # bytes: what is larger goes back to the system at once
KEPT = 256 << 20  # bytes that may lie free at the end of a heap

READY, ASKS, ANSWERS, FAILED = "ready", "asks", "answers", "failed"  # what a process says, each with something


class Died(Exception):
    """The process died of a request; says how."""


class NoProcess(Exception):
    """No process can live here."""


def command(module: str, *arguments: str) -> list[str]:
    """What starts a Python that runs `main()` of a module of this package; its arguments are in `sys.argv[1:]`."""
    # -P: what lies in the current folder is not to be imported.
    return [sys.executable, "-P", "-c", f"from {module} import main; main()", *arguments]


def environment() -> dict[str, str]:
    """This process's environment, for one that imports from where this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def keep_freed_memory() -> None:
    """Let this process use again the memory that arrays leave, where the C library can be told so.

    Else what is larger than 128 kB comes from the system anew, page by page and zeroed: with arrays that live for a
    millisecond that is a third of the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, KEPT_ALLOCATION)
        mallopt(TRIM_THRESHOLD, KEPT)


class Process:
    """A process that answers one request after another; another one takes its place when it dies.

    module, arguments: as for `command`; its `main` calls `serve`.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = command(module, *arguments)
        self._running: subprocess.Popen[bytes] | None = None
        self._ready = False  # the one that is running has said so
        self._usable = True
        self._start()

    def ask(self, request: object, tell: Callable[[Any], object] | None = None) -> Any:
        """The answer to a request; `tell` answers what the process asks about it meanwhile.

        Raises Died, after which the next request goes to another process, and NoProcess where none has ever answered.
        """
        if self._usable and self._running is None:
            self._start()
        if not self._usable:
            raise NoProcess
        try:
            return self._talk(request, tell)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._usable = self._ready
            how = self.close()
            raise (Died(how) if self._usable else NoProcess) from error

    def _start(self) -> None:
        self._ready = False
        try:
            self._running = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
                start_new_session=True,  # Ctrl-C is for this process
            )
        except OSError:
            self._usable = False

    def _talk(self, request: object, tell: Callable[[Any], object] | None) -> Any:
        assert self._running is not None
        asked, told = self._running.stdin, self._running.stdout
        assert asked is not None
        assert told is not None
        _send(asked, request)
        while True:
            what, value = pickle.load(told)
            self._ready = True
            if what == ANSWERS:
                return value
            if what == FAILED:
                raise RuntimeError(value)
            if what == ASKS:
                assert tell is not None
                _send(asked, tell(value))

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


def serve(answer: Callable[[Any, Callable[[object], Any]], object]) -> None:
    """In the other process: answer every request until nobody is there any more.

    answer: a request, and what asks the first process about it -> the answer.
    """
    keep_freed_memory()
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not come between
    asked = sys.stdin.buffer

    def ask(question: object) -> Any:
        _send(told, (ASKS, question))
        return pickle.load(asked)

    with suppress(EOFError, BrokenPipeError):
        _send(told, (READY, None))
        while True:
            request = pickle.load(asked)
            try:
                said = ANSWERS, answer(request, ask)
            except (EOFError, BrokenPipeError):
                raise
            except Exception:
                said = FAILED, traceback.format_exc()
            _send(told, said)


def _send(pipe: IO[bytes], item: object) -> None:
    pickle.dump(item, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()
