"""Carry out a plan: check, note, make, swap, note. No file is absent between two steps."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from tbhdup import wording
from tbhdup.actions import files, trash
from tbhdup.actions.errors import Refused
from tbhdup.actions.journal import Entry, Journal, State
from tbhdup.actions.plan import Action, Left, Plan, Step
from tbhdup.actions.settle import beside, conclude, settle
from tbhdup.errors import ActionError
from tbhdup.values import OnProgress, Progress, quiet

KEPT = "the file to keep is not as planned: "


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has done; where it refused, nothing was changed."""

    run: str
    done: tuple[Step, ...]
    refused: tuple[Left, ...]


def apply(plan: Plan, journal: Journal, spare: bytes, on_progress: OnProgress = quiet) -> Outcome:
    """Make the steps of a plan. A step whose files are not as planned is refused, and the others go on.

    spare: the folder that takes what the system's trash does not. Anything else that goes wrong ends the run with an
    ActionError, the step at hand taken back or finished; a crash leaves that to the next run, or to `undo`.
    """
    try:
        settle(journal)
        run = journal.new_run(plan.action, len(plan.steps))
    except OSError as error:
        raise ActionError(f"nothing was done: {error}") from error
    done: list[Step] = []
    refused: list[Left] = []
    for number, step in enumerate(plan.steps, 1):
        try:
            why = _attempt(journal, run, number, step, spare)
        except OSError as error:
            raise _stopped(step, error, run, len(done), len(plan.steps)) from error
        if why is None:
            done.append(step)
        else:
            refused.append(Left(step.source, why))
        on_progress(Progress("apply", number, len(plan.steps), "files"))
    return Outcome(run, tuple(done), tuple(refused))


def _attempt(journal: Journal, run: str, number: int, step: Step, spare: bytes) -> str | None:
    """Make a step; the reason, where it is refused."""
    try:
        verify(step)
        _make(journal.begin(run, number, _aimed(step, os.path.join(spare, run.encode()))), journal)
    except Refused as why:
        journal.refuse(run, number, step, str(why))
        return str(why)
    return None


def verify(step: Step) -> None:
    """Raise Refused unless both files are as planned, byte for byte where the plan says that they are identical."""
    with ExitStack() as stack:
        source = stack.enter_context(files.opened(step.source, step.facts))
        try:
            kept = stack.enter_context(files.opened(step.kept, step.kept_facts))
        except Refused as why:
            raise Refused(f"{KEPT}{why}") from why
        if step.digest == step.kept_digest:
            if files.compare(source, kept) != step.digest:
                raise Refused("its bytes are not those of the kept file, or not those of the report")
        elif files.digest(source) != step.digest:
            raise Refused("its bytes are not those of the report")
        elif files.digest(kept) != step.kept_digest:
            raise Refused(f"{KEPT}its bytes are not those of the report")


def _aimed(step: Step, spare: bytes) -> Step:
    """The step with a place that is free now; files for the trash get one in case that the trash takes them not."""
    if step.action.links:
        return step
    folder = spare if step.target is None else os.path.dirname(step.target)
    name = os.path.basename(step.source if step.target is None else step.target)
    return replace(step, target=files.unused(folder, name, frozenset()))


def _make(entry: Entry, journal: Journal) -> None:
    try:
        _perform(entry)
        journal.mark(entry, State.DONE)
    except BaseException:
        with suppress(OSError):  # then the next run concludes it; the error to tell is the first
            conclude(journal, entry)
        raise


def _perform(entry: Entry) -> None:
    step = entry.step
    for path, facts, words in ((step.kept, step.kept_facts, KEPT), (step.source, step.facts, "")):
        if not files.look(path).same(facts):
            raise Refused(f"{words}it has changed")
    if step.action is Action.TRASH:
        _put_away(entry)
    elif step.action is Action.MOVE:
        assert step.target is not None
        files.make_folder(os.path.dirname(step.target))
        move(step.source, step.target, entry)
    else:
        _replace_by_link(entry)


def _put_away(entry: Entry) -> None:
    """Into the trash, or, where it fails, into the folder for what it does not take."""
    step = entry.step
    try:
        trash.send(step.source)
    except OSError:
        if not files.exists(step.source):
            raise
        assert step.target is not None
        files.make_folder(os.path.dirname(step.target))
        move(step.source, step.target, entry)


def _replace_by_link(entry: Entry) -> None:
    step = entry.step
    temporary = beside(step.source, entry)
    match step.action:
        case Action.HARDLINK:
            files.link(step.kept, temporary)
            if not files.look(temporary).same(step.kept_facts):
                raise Refused(f"{KEPT}it has changed")
        case Action.SYMLINK:
            files.symlink(step.kept, temporary)
        case _:
            with files.opened(step.kept, step.kept_facts) as kept:
                files.clone(kept, temporary, step.facts)
    files.swap(temporary, step.source)
    files.sync(os.path.dirname(step.source))


def move(source: bytes, target: bytes, entry: Entry) -> None:
    """Move a file to a path that nothing has; to another file system as a copy that is compared before its source goes.

    Raises Refused where another file turns out to have been moved (it is back then), OSError.
    """
    facts = files.look(source)
    try:
        files.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_far(source, facts, target, entry)
    else:
        if not files.look(target).same(facts):
            files.rename(target, source)
            raise Refused("it has changed")
    files.sync(os.path.dirname(target))
    files.sync(os.path.dirname(source))


def _move_far(source: bytes, facts: files.Facts, target: bytes, entry: Entry) -> None:
    temporary = beside(target, entry)
    with files.opened(source, facts) as descriptor:
        files.copy(descriptor, temporary, facts)
        with files.opened(temporary) as copied:
            if files.compare(descriptor, copied) is None:
                raise OSError(errno.EIO, "the copy on the other file system has other bytes", target)
    files.rename(temporary, target)
    files.sync(os.path.dirname(target))
    if not files.look(source).same(facts):
        raise Refused("it has changed")
    files.remove(source)


def _stopped(step: Step, error: OSError, run: str, done: int, of: int) -> ActionError:
    name = wording.name(step.source)
    return ActionError(
        f"stopped at {name}: {error.strerror or error}; "
        f"{done} of {of} files were done, 'tbhdup undo {run}' takes them back"
    )
