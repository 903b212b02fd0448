"""Decode in a process of its own: for contents under which a process has died before."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress

from tbhdup import processes
from tbhdup.sources.decoding import decode
from tbhdup.sources.pixels import square
from tbhdup.sources.reading import Unusable
from tbhdup.values import Reason

SECONDS = 120  # a decoding that takes longer never ends


def decode_apart(data: bytes, side: int) -> None:
    """Find out whether a file's bytes can be decoded to `side` without harm; what comes of it is thrown away.

    Raises Unusable (CRASHED) when the process that tries it dies or does not end. Costs the start of a Python.
    """
    try:
        done = subprocess.run(
            processes.command(__name__, str(side)),
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=processes.environment(),
            timeout=SECONDS,
            start_new_session=True,  # Ctrl-C is for the scan
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unusable(Reason.CRASHED, f"the decoder was not done after {SECONDS} s") from error
    except OSError:  # there is no process to be had: it is decoded in this one, like any other
        return
    if done.returncode not in (0, 1):  # 1: Python itself gave up, which says nothing about the picture
        raise Unusable(Reason.CRASHED, f"the decoder died: {_ending(done.returncode)}")


def main() -> None:
    """The other process: the bytes on stdin, the side as argument."""
    data = sys.stdin.buffer.read()
    with suppress(Unusable):
        square(decode(data, int(sys.argv[1])), int(sys.argv[1]))


def _ending(status: int) -> str:
    return (signal.strsignal(-status) if status < 0 else None) or f"status {status:#x}"
