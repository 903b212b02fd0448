"""Real files are acted on and given back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from action_samples import contents, copies, group, leftovers, member, put, report, use_trash
from trees import manifest

from tbhdup.actions import Action, Journal, Plan, Step, make, trash
from tbhdup.actions.apply import apply
from tbhdup.actions.files import look
from tbhdup.actions.journal import Entry
from tbhdup.actions.undo import undo
from tbhdup.errors import ActionError, UsageError
from tbhdup.values import Kind, Report

ODD = (b"two\nlines.jpg", b"not utf-8 \xff.jpg", b"-rf", b"x" * 251 + b".jpg", "写真 ü.jpg".encode())


class Place:
    """A tree of files with a report on it, a journal and the folders that files go to."""

    def __init__(self, top: Path) -> None:
        self.tree, self.to, self.spare = top / "tree", top / "to", top / "beside" / "tbhdup-trash"
        self.journal = top / "beside" / "journal.jsonl"
        odd = [put(os.path.join(os.fsencode(self.tree), b"odd", name), b"odd") for name in (b"!", *ODD)]
        one = [put(self.tree / folder / "one.jpg", b"one" * 1000, 10**18 + n) for n, folder in enumerate("abc")]
        os.link(one[1], self.tree / "b" / "twin.jpg")
        os.chmod(one[2], 0o444)
        empty = [put(self.tree / "empty" / name, b"") for name in "ab"]
        (self.tree / "link.jpg").symlink_to(os.fsdecode(one[0]))
        self.report = report(copies(*odd), copies(*one, os.fsencode(self.tree / "b" / "twin.jpg")), copies(*empty))

    def plan(self, action: Action, found: Report | None = None) -> Plan:
        return make(found or self.report, action, to=os.fsencode(self.to) if action is Action.MOVE else None)

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.journal.read_bytes().splitlines()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    use_trash(tmp_path / "data", monkeypatch)
    return Place(tmp_path)


@pytest.mark.parametrize("action", [Action.MOVE, Action.HARDLINK, Action.SYMLINK, Action.TRASH])
def test_undo_gives_the_very_same_tree_back(place: Place, action: Action) -> None:
    before = manifest(place.tree)
    with Journal(place.journal) as journal:
        plan = place.plan(action)
        outcome = apply(plan, journal, os.fsencode(place.spare))
    assert len(plan.steps) == len(outcome.done) == 5 + 3 + 1
    assert not outcome.refused
    after = manifest(place.tree)
    gone = {step.source for step in plan.steps}
    assert {path for path in before if before[path] != after.get(path)} >= gone
    for step in plan.steps:
        if action.links:
            assert os.path.samefile(step.source, step.kept)
            assert os.path.islink(step.source) == (action is Action.SYMLINK)
        else:
            assert not os.path.lexists(step.source)
    assert not leftovers(place.tree, place.to)
    assert [line["type"] for line in place.lines()] == ["run"] + ["begin", "done"] * len(plan.steps)

    with Journal(place.journal) as journal:
        undone = undo(journal)
    assert (undone.run, len(undone.done), undone.left) == (outcome.run, len(plan.steps), ())
    assert manifest(place.tree) == before
    assert not leftovers(place.tree, place.to)
    with Journal(place.journal) as journal, pytest.raises(UsageError, match="nothing"):
        undo(journal)


def test_trash_notes_go_with_their_files(place: Place, tmp_path: Path) -> None:
    with Journal(place.journal) as journal:
        plan = place.plan(Action.TRASH)
        apply(plan, journal, os.fsencode(place.spare))
        info, held = tmp_path / "data" / "Trash" / "info", tmp_path / "data" / "Trash" / "files"
        assert len(os.listdir(info)) == len(os.listdir(held)) == len(plan.steps) - 1
        assert contents(place.spare) == {b"odd"}  # a note's name would be longer than a name can be
        undo(journal)
        assert os.listdir(info) == os.listdir(held) == []


def test_what_the_trash_does_not_take_goes_to_a_folder_and_comes_back(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("no folder for a trash")  # so send2trash itself fails
    before = manifest(place.tree)
    with Journal(place.journal) as journal:
        outcome = apply(place.plan(Action.TRASH), journal, os.fsencode(place.spare))
        assert len(outcome.done) == 9
        assert contents(place.spare / outcome.run) == {b"odd", b"one" * 1000, b""}
        undo(journal, outcome.run)
    assert manifest(place.tree) == before


def test_a_move_to_another_file_system_is_a_compared_copy(place: Place) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == place.tree.stat().st_dev:
        pytest.skip("no second file system")
    place.to = elsewhere / f"tbhdup-{os.getpid()}"
    found = report(copies(*(put(place.tree / "far" / name, b"far" * 700_000) for name in ("a", "b", "c"))))
    before = manifest(place.tree)
    try:
        with Journal(place.journal) as journal:
            plan = place.plan(Action.MOVE, found)
            apply(plan, journal, os.fsencode(place.spare))
            assert contents(place.to) == {b"far" * 700_000}
            assert look(os.fsencode(place.to / "b")).mtime_ns == plan.steps[0].facts.mtime_ns
            undo(journal)
        assert os.listdir(place.to) == []
    finally:
        for path in place.to.iterdir():
            path.unlink()
        place.to.rmdir()
    assert manifest(place.tree) == before


@pytest.mark.skipif(sys.platform != "linux", reason="reflinks are tried on Linux")
def test_reflink_shares_or_changes_nothing(place: Place) -> None:
    before = manifest(place.tree)
    with Journal(place.journal) as journal:
        try:
            outcome = apply(place.plan(Action.REFLINK), journal, os.fsencode(place.spare))
        except ActionError as error:
            assert "reflink" in str(error)
            assert [line["type"] for line in place.lines()] == ["run", "begin", "failed"]
        else:
            assert len(undo(journal, outcome.run).done) == len(outcome.done)
    now = manifest(place.tree)
    assert {path: facts[:-1] for path, facts in now.items()} == {path: facts[:-1] for path, facts in before.items()}


def test_a_second_apply_has_nothing_left_to_do(place: Place) -> None:
    with Journal(place.journal) as journal:
        apply(place.plan(Action.HARDLINK), journal, os.fsencode(place.spare))
    plan = place.plan(Action.HARDLINK)
    assert not plan.steps
    assert plan.bytes == 0


def test_proven_copies_by_their_digests(place: Place) -> None:
    a, b = put(place.tree / "whole", b"whole"), put(place.tree / "part", b"part")
    found = report(group(member(a, keep=True), member(b, "cropped")))
    before = manifest(place.tree)
    plan = make(found, Action.TRASH, kind=Kind.DUPLICATE)
    with Journal(place.journal) as journal:
        assert len(apply(plan, journal, os.fsencode(place.spare)).done) == 1
        assert not os.path.exists(b)
        undo(journal)
        assert manifest(place.tree) == before
        for path, data in ((a, b"WHOLE"), (b, b"PART")):
            old = os.stat(path)
            plan = make(found, Action.TRASH, kind=Kind.DUPLICATE)
            put(path, data, old.st_mtime_ns)  # other bytes, everything else as it was
            outcome = apply(plan, journal, os.fsencode(place.spare))
            assert not outcome.done
            assert "bytes" in outcome.refused[0].reason
            put(path, data.lower(), old.st_mtime_ns)


def _other_content(path: bytes) -> None:
    put(path, b"other", os.stat(path).st_mtime_ns + 1)


def _other_bytes_alone(path: bytes) -> None:
    old = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"X")
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


def _link(path: bytes) -> None:
    os.rename(path, path + b".away")
    os.symlink(path + b".away", path)


def _fifo(path: bytes) -> None:
    os.unlink(path)
    os.mkfifo(path)


def _folder(path: bytes) -> None:
    os.unlink(path)
    os.mkdir(path)


SWAPS = [_other_content, _other_bytes_alone, _link, _fifo, _folder, os.unlink]


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("action", [Action.MOVE, Action.HARDLINK, Action.SYMLINK, Action.TRASH])
def test_a_file_swapped_after_the_plan_is_refused(place: Place, action: Action, swap: Callable[[bytes], None]) -> None:
    paths = [put(place.tree / "swap" / name, b"1234") for name in "abcd"]
    plan = place.plan(action, report(copies(*paths[:2]), copies(*paths[2:])))
    swap(paths[1])  # one that is to go
    swap(paths[2])  # one that is to stay
    before = [os.lstat(path) if os.path.lexists(path) else None for path in paths]
    with Journal(place.journal) as journal:
        outcome = apply(plan, journal, os.fsencode(place.spare))
        assert not outcome.done
        assert [left.path for left in outcome.refused] == [paths[1], paths[3]]
        assert "kept file" in outcome.refused[1].reason or "file to keep" in outcome.refused[1].reason
        assert [line["type"] for line in place.lines()] == ["run", "refused", "refused"]
    now = [os.lstat(path) if os.path.lexists(path) else None for path in paths]
    assert [s and (s.st_ino, s.st_mtime_ns, s.st_mode) for s in now] == [
        s and (s.st_ino, s.st_mtime_ns, s.st_mode) for s in before
    ]


@pytest.mark.parametrize("swap", [swap for swap in SWAPS if swap is not _other_bytes_alone])  # its facts are the same
@pytest.mark.parametrize("action", [Action.MOVE, Action.HARDLINK, Action.SYMLINK, Action.TRASH])
def test_a_file_swapped_after_it_was_compared_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, action: Action, swap: Callable[[bytes], None]
) -> None:
    paths = [put(place.tree / "swap" / name, b"1234") for name in "abcd"]
    plan = place.plan(action, report(copies(*paths[:2]), copies(*paths[2:])))
    begin = Journal.begin

    def swapped(journal: Journal, run: str, number: int, step: Step) -> Entry:
        entry = begin(journal, run, number, step)
        swap(paths[number])  # one that is to go, then one that is to stay
        return entry

    monkeypatch.setattr(Journal, "begin", swapped)
    with Journal(place.journal) as journal:
        outcome = apply(plan, journal, os.fsencode(place.spare))
        assert not outcome.done
        assert [left.path for left in outcome.refused] == [paths[1], paths[3]]
        assert journal.entries() == []
    assert all(Path(os.fsdecode(path)).read_bytes() == b"1234" for path in (paths[0], paths[3]))
    assert not leftovers(place.tree, place.to)


def test_undo_overwrites_nothing_and_says_what_stays(place: Place) -> None:
    paths = [put(place.tree / "u" / name, b"1234") for name in "abc"]
    with Journal(place.journal) as journal:
        apply(place.plan(Action.MOVE, report(copies(*paths))), journal, os.fsencode(place.spare))
        put(paths[1], b"new")
        (place.to / "c").unlink()
        undone = undo(journal)
        assert not undone.done
        assert {left.path for left in undone.left} == set(paths[1:])
        assert contents(place.tree / "u") == {b"1234", b"new"}
        os.unlink(paths[1])
        assert undo(journal).done == (paths[1],)


def test_undo_of_links_needs_the_link_and_the_bytes(place: Place) -> None:
    paths = [put(place.tree / "u" / name, b"1234") for name in "abcd"]
    with Journal(place.journal) as journal:
        for action, change in (
            (Action.SYMLINK, lambda: put(paths[0], b"4321")),
            (Action.HARDLINK, lambda: _other_bytes_alone(paths[0])),
            (Action.SYMLINK, lambda: os.unlink(paths[0])),
        ):
            for path in paths:
                if os.path.lexists(path):
                    os.unlink(path)
                put(path, b"1234")
            apply(place.plan(action, report(copies(*paths[:2]))), journal, os.fsencode(place.spare))
            change()
            assert [left.path for left in undo(journal).left] == [paths[1]]
        apply(place.plan(Action.HARDLINK, report(copies(*paths[2:]))), journal, os.fsencode(place.spare))
        os.unlink(paths[3])
        assert "link" in undo(journal).left[0].reason or "gone" in undo(journal).left[0].reason
        assert not os.path.exists(paths[3])


def test_undo_makes_the_folder_again_and_finds_a_named_run(place: Place) -> None:
    paths = [put(place.tree / folder / "x", b"1234") for folder in ("a", "go/deep")]
    with Journal(place.journal) as journal:
        first = apply(place.plan(Action.MOVE, report(copies(*paths))), journal, os.fsencode(place.spare)).run
        apply(place.plan(Action.MOVE), journal, os.fsencode(place.spare))
        os.removedirs(place.tree / "go" / "deep")
        assert undo(journal, first).done == (paths[1],)
        assert os.path.exists(paths[1])
        with pytest.raises(UsageError, match=first):
            undo(journal, "yesterday")


def test_one_journal_is_for_one_process(place: Place) -> None:
    with Journal(place.journal), pytest.raises(ActionError, match="another"):
        Journal(place.journal)
    place.journal.unlink()
    place.journal.mkdir()
    with pytest.raises(ActionError, match="cannot be opened"):
        Journal(place.journal)


def test_a_line_that_was_cut_off_gives_way_and_damage_is_told(place: Place) -> None:
    paths = [put(place.tree / "u" / name, b"1234") for name in "ab"]
    with Journal(place.journal) as journal:
        apply(place.plan(Action.MOVE, report(copies(*paths))), journal, os.fsencode(place.spare))
    whole = place.journal.read_bytes()
    place.journal.write_bytes(whole + b'{"type": "beg')
    with Journal(place.journal) as journal:
        assert undo(journal).done == (paths[1],)
    assert place.journal.read_bytes().startswith(whole)
    assert [line["type"] for line in place.lines()][-2:] == ["undoing", "undone"]
    place.journal.write_bytes(whole.replace(b"done", b"dine"))
    with Journal(place.journal) as journal, pytest.raises(ActionError, match="line 3"):
        undo(journal)


def test_the_trash_of_another_file_system_and_foreign_notes(place: Place, tmp_path: Path) -> None:
    path = put(place.tree / "t" / "a b%.jpg", b"1234")
    notes, held = tmp_path / "data" / "Trash" / "info", tmp_path / "data" / "Trash" / "files"
    put(notes / "a.trashinfo", b"[Trash Info]\nDeletionDate=2026-01-01T00:00:00\n")
    put(held / "a", b"1234")
    put(notes / "none.trashinfo", b"[Trash Info]\nPath=/nowhere\n")
    put(notes / "readme", b"")
    facts = look(path)
    assert trash.find(path, facts) is None
    trash.send(path)
    assert trash.find(path, facts) == (os.fsencode(held / "a b%.jpg"), os.fsencode(notes / "a b%.jpg.trashinfo"))
