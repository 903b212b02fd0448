"""What a step that did not come to its end has left: look at the files, tidy up, and say whether it was done."""

from __future__ import annotations

import os

from tbhdup.actions import files, trash
from tbhdup.actions.errors import Refused
from tbhdup.actions.files import Facts
from tbhdup.actions.journal import Entry, Journal, State
from tbhdup.actions.plan import Action, Step


def settle(journal: Journal) -> None:
    """Bring every step that has no end to one, as after a crash. Raises OSError, ActionError."""
    for entry in journal.entries():
        if entry.state is State.BEGUN:
            conclude(journal, entry)
        elif entry.state is State.UNDOING:
            conclude_undoing(journal, entry)


def conclude(journal: Journal, entry: Entry) -> None:
    """Say of a step that was begun whether it was done. What it has made and not used goes.

    Where neither the file nor what became of it can be found (its disk is away), that is left to the next time.
    """
    clear(entry)
    if happened(entry.step):
        journal.mark(entry, State.DONE)
    elif intact(entry.step):
        _remove_copy(entry.step)
        journal.mark(entry, State.FAILED)


def conclude_undoing(journal: Journal, entry: Entry) -> None:
    """Say of a step that was about to be taken back whether it was."""
    clear(entry)
    if not intact(entry.step):
        journal.mark(entry, State.DONE)
        return
    _remove_copy(entry.step)
    journal.mark(entry, State.UNDONE)


def _remove_copy(step: Step) -> None:
    """Remove what was copied to, or back from, another file system while the file itself is in its place."""
    if step.target is not None and holds(step.target, step):
        files.remove(step.target)


def happened(step: Step) -> bool:
    """Whether a step was done, by what it leaves."""
    match step.action:
        case Action.SYMLINK:
            return files.target(step.source) == step.kept
        case Action.HARDLINK:
            now = _look(step.source)
            return now is not None and now.inode == step.kept_facts.inode
        case Action.REFLINK:
            now = _look(step.source)
            return now is not None and not now.same(step.facts) and holds(step.source, step)
        case Action.MOVE:
            return not intact(step) and found(step) is not None
        case Action.TRASH:
            return not intact(step) and (found(step) is not None or not files.exists(step.source))


def clear(entry: Entry) -> None:
    """Remove the files that a step makes under a name of its own, on the way to another name."""
    for path in (entry.step.source, entry.step.target):
        if path is not None:
            files.remove(beside(path, entry))


def beside(path: bytes, entry: Entry) -> bytes:
    """The step's temporary name in a path's folder."""
    return os.path.join(os.path.dirname(path), entry.temporary)


def intact(step: Step) -> bool:
    """Whether the source is in its place as it was before the step, be it the file itself or a copy of its own."""
    now = _look(step.source)
    if now is None:
        return False
    if now.same(step.facts):
        return True
    is_link = step.action is Action.HARDLINK and now.inode == step.kept_facts.inode
    return not is_link and now.mtime_ns == step.facts.mtime_ns and holds(step.source, step)


def holds(path: bytes, step: Step) -> bool:
    """Whether a path is a regular file with the source's bytes."""
    try:
        with files.opened(path) as descriptor:
            return os.fstat(descriptor).st_size == step.facts.size and files.digest(descriptor) == step.digest
    except Refused:
        return False


def found(step: Step) -> bytes | None:
    """Where a file that was moved or put into the trash lies now; None: it is in neither place."""
    if step.target is not None and holds(step.target, step):
        return step.target
    place = trash.find(step.source, step.facts) if step.action is Action.TRASH else None
    return place[0] if place is not None and holds(place[0], step) else None


def _look(path: bytes) -> Facts | None:
    try:
        return files.look(path)
    except Refused:
        return None
