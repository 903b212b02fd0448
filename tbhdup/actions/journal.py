"""The journal: what was about to be done and what was done, a line before and a line after each step, on disk.

JSON Lines. `run` opens a run; `begin` tells a step whole; `done`, `failed` (it changed nothing), `undoing` and `undone`
name a step by run and number; `refused` tells of a file that was not as planned, and was left alone. A line that was
cut off was never acted on, and gives way to the next one. Paths that are not UTF-8 stand as JSON's \\udcxx.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tbhdup.actions import files
from tbhdup.actions.files import Facts
from tbhdup.actions.plan import Action, Step
from tbhdup.errors import ActionError

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class State(StrEnum):
    """How far a step has come: the word of its last line."""

    BEGUN = "begin"  # and no more is known
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Entry:
    """A step that was begun, and how far it has come."""

    run: str
    number: int
    step: Step
    state: State

    @property
    def temporary(self) -> bytes:
        """The name, in whatever folder, under which this step makes a file before it has its own name."""
        return b".tbhdup-%s-%d" % (self.run.encode(), self.number)


class Journal:
    """The journal, open for one process at a time. Raises ActionError where it cannot be opened, or another has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ActionError(f"the journal {path} cannot be opened: {error.strerror}") from error
        try:
            _lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise ActionError(f"another tbhdup applies or undoes (journal {path}): wait until it is done") from error
        self._end = _read(self._descriptor).rfind(b"\n") + 1  # a line that was cut off gives way to the next

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def new_run(self, action: Action, steps: int) -> str:
        """Open a run, and give its name."""
        files.sync(os.fsencode(self.path.parent))  # a new journal's name
        now = datetime.now(UTC)
        run = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self._write({"type": "run", "run": run, "time": now.isoformat(), "action": action, "steps": steps})
        return run

    def begin(self, run: str, number: int, step: Step) -> Entry:
        """Tell what is about to be done."""
        self._write({"type": State.BEGUN, "run": run, "number": number, "step": _plain(asdict(step))})
        return Entry(run, number, step, State.BEGUN)

    def mark(self, entry: Entry, state: State) -> Entry:
        """Tell how far a step has come."""
        self._write({"type": state, "run": entry.run, "number": entry.number})
        return replace(entry, state=state)

    def refuse(self, run: str, number: int, step: Step, reason: str) -> None:
        """Tell of a step that was not begun."""
        self._write({"type": "refused", "run": run, "number": number, "path": _text(step.source), "reason": reason})

    def entries(self) -> list[Entry]:
        """Every step that was ever begun, in order, with its last state."""
        found: dict[tuple[str, int], Entry] = {}
        for number, line in enumerate(_read(self._descriptor)[: self._end].splitlines(), 1):
            try:
                _take(json.loads(line), found)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ActionError(f"the journal {self.path} is damaged in line {number}: move it away") from error
        return list(found.values())

    def _write(self, value: Mapping[str, Any]) -> None:
        """One line; where it cannot be written whole, it is no line."""
        line = json.dumps(value, separators=(", ", ": ")).encode() + b"\n"
        os.ftruncate(self._descriptor, self._end)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fsync(self._descriptor)
        self._end += len(line)


def _take(value: Mapping[str, Any], found: dict[tuple[str, int], Entry]) -> None:
    if value["type"] == "run":
        return
    key = value["run"], value["number"]
    if value["type"] == "refused":
        found.pop(key, None)  # it was begun when the files turned out to be others
        return
    state = State(value["type"])
    if state is State.BEGUN:
        found[key] = Entry(*key, _step(value["step"]), state)
    else:
        found[key] = replace(found[key], state=state)


def _plain(value: Any) -> Any:
    """Dictionaries and values as JSON has them: digests as hex, paths as text."""
    if isinstance(value, dict):
        return {name: part.hex() if name.endswith("digest") else _plain(part) for name, part in value.items()}
    return _text(value) if isinstance(value, bytes) else value


def _step(value: Mapping[str, Any]) -> Step:
    target = value["target"]
    return Step(
        Action(value["action"]),
        _bytes(value["source"]),
        Facts(**value["facts"]),
        bytes.fromhex(value["digest"]),
        _bytes(value["kept"]),
        Facts(**value["kept_facts"]),
        bytes.fromhex(value["kept_digest"]),
        value["relation"],
        None if target is None else _bytes(target),
    )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    pieces = []
    while piece := os.read(descriptor, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)
