"""Take a run back, last step first. Nothing is overwritten but links that the run itself has made."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from tbhdup import wording
from tbhdup.actions import files, trash
from tbhdup.actions.apply import move
from tbhdup.actions.errors import Refused
from tbhdup.actions.journal import Entry, Journal, State
from tbhdup.actions.plan import Action, Left
from tbhdup.actions.settle import beside, clear, conclude_undoing, found, intact, settle
from tbhdup.errors import ActionError, UsageError
from tbhdup.values import OnProgress, Progress, quiet


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back, and what could not be."""

    run: str
    done: tuple[bytes, ...]
    left: tuple[Left, ...]


def undo(journal: Journal, run: str | None = None, on_progress: OnProgress = quiet) -> Undone:
    """Take back a run; None: the last one of which anything is left to take back.

    Raises UsageError where there is no such run, ActionError where the system refuses.
    """
    try:
        settle(journal)
    except OSError as error:
        raise ActionError(f"nothing was taken back: {error}") from error
    entries = journal.entries()
    run = _chosen(entries, run)
    steps = [entry for entry in reversed(entries) if entry.run == run and entry.state is State.DONE]
    done: list[bytes] = []
    left: list[Left] = []
    restored: dict[tuple[int, int], bytes] = {}
    for number, entry in enumerate(steps, 1):
        try:
            _step_back(journal, entry, restored)
        except Refused as why:
            left.append(Left(entry.step.source, str(why)))
        except OSError as error:
            name = wording.name(entry.step.source)
            raise ActionError(
                f"stopped at {name}: {error.strerror or error}; {len(done)} of {len(steps)} files were taken back"
            ) from error
        else:
            done.append(entry.step.source)
        on_progress(Progress("undo", number, len(steps), "files"))
    return Undone(run, tuple(done), tuple(left))


def _chosen(entries: list[Entry], run: str | None) -> str:
    if run is None:
        open_runs = [entry.run for entry in entries if entry.state is State.DONE]
        if not open_runs:
            raise UsageError("there is nothing to take back")
        return open_runs[-1]
    if run not in {entry.run for entry in entries}:
        known = ", ".join(dict.fromkeys(entry.run for entry in entries)) or "none"
        raise UsageError(f"the journal has no run {run!r}; it has {known}")
    return run


def _step_back(journal: Journal, entry: Entry, restored: dict[tuple[int, int], bytes]) -> None:
    entry = journal.mark(entry, State.UNDOING)
    try:
        _take_back(entry, restored)
        journal.mark(entry, State.UNDONE)
    except BaseException:
        with suppress(OSError):  # then the next run concludes it; the error to tell is the first
            conclude_undoing(journal, entry)
        raise


def _take_back(entry: Entry, restored: dict[tuple[int, int], bytes]) -> None:
    step = entry.step
    if intact(step):
        return  # a reflink is a file of its own already; others were put back by hand, or just before a crash
    if step.action.links:
        _link_back(entry, restored)
    else:
        _put_back(entry)


def _put_back(entry: Entry) -> None:
    step = entry.step
    if files.exists(step.source):
        raise Refused("something else has its name now")
    place = found(step)
    if place is None:
        trashed = step.action is Action.TRASH
        raise Refused(
            "it was not found: put it back from the system's trash" if trashed else "it is not there any more"
        )
    note = trash.find(step.source, step.facts) if step.action is Action.TRASH else None
    files.make_folder(os.path.dirname(step.source))
    move(place, step.source, entry)
    if note is not None and note[0] == place:
        files.remove(note[1])


def _link_back(entry: Entry, restored: dict[tuple[int, int], bytes]) -> None:
    """Put a file of its own in the place of a link, and one file in the place of several that were one."""
    step = entry.step
    origin = step.source if step.action is Action.HARDLINK else step.kept
    _refuse_unless_ours(entry)
    temporary = beside(step.source, entry)
    clear(entry)
    twin = restored.get(step.facts.identity)
    if twin is not None:
        files.link(twin, temporary)
    else:
        with files.opened(origin) as descriptor:
            if files.digest(descriptor) != step.digest:
                raise Refused("the file that was kept for it has other bytes now")
            files.copy(descriptor, temporary, step.facts)
    _refuse_unless_ours(entry)
    files.swap(temporary, step.source)
    files.sync(os.path.dirname(step.source))
    restored[step.facts.identity] = step.source


def _refuse_unless_ours(entry: Entry) -> None:
    step = entry.step
    if step.action is Action.SYMLINK:
        ours = files.target(step.source) == step.kept
    else:
        ours = step.action is Action.HARDLINK and files.look(step.source).inode == step.kept_facts.inode
    if not ours:
        raise Refused("it is not the link any more that was made")
