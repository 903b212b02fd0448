"""Whatever breaks, and whenever the process is killed, no content is lost, and the next run ends clean."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from action_samples import contents, copies, failing, leftovers, put, report, use_trash
from trees import everything, manifest

from tbhdup.actions import Action, Journal, make
from tbhdup.actions.apply import apply
from tbhdup.actions.undo import undo
from tbhdup.errors import ActionError, UsageError

DATA = {b"first", b"second", b"third"}
ACTIONS = [Action.MOVE, Action.HARDLINK, Action.SYMLINK, Action.TRASH]


class Scene:
    """Two groups, in folders that are made anew for each attempt."""

    def __init__(self, top: Path, patch: pytest.MonkeyPatch) -> None:
        self.top, self.tree, self.to = top, top / "tree", top / "to"
        self.journal = top / "beside" / "journal.jsonl"
        use_trash(top / "data", patch)
        groups = [
            [put(self.tree / folder / name, name[:-1].encode()) for folder in "xy"] for name in ("first1", "second1")
        ]
        put(self.tree / "third", b"third")
        self.report = report(*(copies(*paths) for paths in groups))
        self.before = manifest(self.tree)

    def apply(self, action: Action) -> None:
        to = os.fsencode(self.to) if action is Action.MOVE else None
        with Journal(self.journal) as journal:
            apply(make(self.report, action, to=to), journal, os.fsencode(self.top / "beside" / "spare"))

    def undo(self) -> None:
        with Journal(self.journal) as journal:
            while True:
                try:
                    undone = undo(journal)
                except UsageError:  # nothing left to take back
                    return
                assert not undone.left

    def everything_is_there(self, action: Action) -> None:
        assert contents(self.tree) >= DATA
        if action.links:  # no file is absent, not for a moment
            assert set(everything(self.tree)) >= set(self.before)
        else:
            assert sum(map(len, (everything(folder) for folder in (self.tree, self.to, self.top / "data")))) >= 5 or (
                everything(self.top / "beside" / "spare")
            )

    def ends_clean(self, action: Action, again: bool) -> None:
        """By `undo`, or by a second `apply` first."""
        if again:
            self.apply(action)
            assert len([path for path in everything(self.tree) if not os.path.islink(path)]) in (3, 5)
            assert not leftovers(self.tree, self.to)
        self.undo()
        assert manifest(self.tree) == self.before
        assert not leftovers(self.tree, self.to)
        assert not contents(self.to)
        assert not contents(self.top / "beside" / "spare")


def each(tmp_path: Path, patch: pytest.MonkeyPatch, attempt: Callable[[Scene, int], bool]) -> int:
    """Attempt it with n = 1, 2, ... in a fresh scene each, until n is beyond the end; the number of attempts."""
    number = 1
    while attempt(Scene(tmp_path / f"{number}", patch), number):
        number += 1
    return number - 1


@pytest.mark.parametrize("action", [*ACTIONS, Action.REFLINK])
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "from then on"])
def test_each_file_operation_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Action, for_good: bool
) -> None:
    def attempt(scene: Scene, number: int) -> bool:
        with failing(lambda n: n >= number if for_good else n == number) as called:
            try:
                scene.apply(action)
                stopped = False
            except ActionError:
                stopped = True
        if action not in (Action.TRASH, Action.REFLINK):  # there is a second way to the one, and none to the other
            assert stopped == (len(called) >= number)
        scene.everything_is_there(action)
        if action is not Action.REFLINK:
            scene.ends_clean(action, again=number % 2 == 0)
        else:
            with suppress(ActionError):  # most file systems know no reflinks
                scene.apply(action)
            assert manifest(scene.tree) == scene.before
        return len(called) >= number

    assert each(tmp_path, monkeypatch, attempt) >= 10


@pytest.mark.parametrize("action", ACTIONS)
def test_each_file_operation_of_undo_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Action) -> None:
    def attempt(scene: Scene, number: int) -> bool:
        scene.apply(action)
        with Journal(scene.journal) as journal, failing(lambda n: n == number) as called:
            try:
                undo(journal)
            except ActionError as error:
                assert "taken back" in str(error)
        scene.everything_is_there(action)
        scene.ends_clean(action, again=False)
        return len(called) >= number

    assert each(tmp_path, monkeypatch, attempt) >= 6


def in_a_process_that_may_die(work: Callable[[], None]) -> bool:
    """Whether it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def dies_at(number: int) -> Callable[[int], bool]:
    """For `failing`: the process is killed right before the operation."""

    def at(n: int) -> bool:
        if n == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    return at


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_before_each_file_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Action) -> None:
    def attempt(scene: Scene, number: int) -> bool:
        def work() -> None:
            with failing(dies_at(number)):
                scene.apply(action)

        killed = in_a_process_that_may_die(work)
        scene.everything_is_there(action)
        scene.ends_clean(action, again=number % 2 == 0)
        return killed

    assert each(tmp_path, monkeypatch, attempt) >= 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("undoing", [False, True], ids=["apply", "undo"])
def test_killed_at_each_line_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Action, undoing: bool
) -> None:
    """Twice for each: when the line is on disk, and (odd and even numbers) when it is about to be."""
    sync = os.fsync

    def attempt(scene: Scene, number: int) -> bool:
        if undoing:
            scene.apply(action)

        def work() -> None:
            count = 0

            def counted(descriptor: int) -> None:
                nonlocal count
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                sync(descriptor)
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            os.fsync = counted
            scene.undo() if undoing else scene.apply(action)

        killed = in_a_process_that_may_die(work)
        scene.everything_is_there(action)
        scene.ends_clean(action, again=number % 4 < 2 and not undoing)
        return killed

    assert each(tmp_path, monkeypatch, attempt) >= 8


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("action", ACTIONS)
def test_the_disk_is_full_at_each_line_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Action, call: str
) -> None:
    """Half a line may be there by then."""
    real_write, real_sync = os.write, os.fsync

    def attempt(scene: Scene, number: int) -> bool:
        count = 0

        def is_full() -> bool:
            nonlocal count
            count += 1
            return count == number

        def write(descriptor: int, data: bytes) -> int:
            if is_full():
                real_write(descriptor, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real_write(descriptor, data)

        def sync(descriptor: int) -> None:
            if is_full():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real_sync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, write if call == "write" else sync)
            try:
                scene.apply(action)
            except ActionError as error:
                assert "No space left" in str(error)
                assert count >= number
            else:
                assert count < number
        scene.everything_is_there(action)
        scene.ends_clean(action, again=number % 2 == 0)
        return count >= number

    assert each(tmp_path, monkeypatch, attempt) >= 5


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def heed_permissions() -> None:
    """Have permissions count for this thread even if it is the superuser's: without CAP_DAC_OVERRIDE."""
    library = ctypes.CDLL(None, use_errno=True)
    header, data = _Header(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert library.capget(ctypes.byref(header), data) == 0
    for place in (0, 1):  # effective, permitted
        data[place] &= ~0b110
    assert library.capset(ctypes.byref(header), data) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="drops a capability of Linux")
@pytest.mark.parametrize("action", ACTIONS)
def test_a_read_only_folder_stops_it_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    scene = Scene(tmp_path, monkeypatch)
    os.chmod(scene.tree / "y", 0o555)
    errors: list[BaseException] = []

    def work() -> None:
        heed_permissions()
        try:
            scene.apply(action)
        except ActionError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    os.chmod(scene.tree / "y", 0o755)
    assert "Permission denied" in str(errors[0])
    assert "0 of 2" in str(errors[0])
    assert manifest(scene.tree) == scene.before
    assert not leftovers(scene.tree, scene.to)
