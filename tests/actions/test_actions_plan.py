from __future__ import annotations

import os
from pathlib import Path

import pytest
from action_samples import copies, group, member, put, report

from tbhdup.actions import Action, Plan, Rule, Rules, make
from tbhdup.errors import UsageError
from tbhdup.values import Group, Kind


def gone(plan: Plan) -> dict[str, str]:
    """Names of the files to go, with the name of the one that stays for each."""
    return {Path(os.fsdecode(s.source)).name: Path(os.fsdecode(s.kept)).name for s in plan.steps}


def left(plan: Plan) -> dict[str, str]:
    return {Path(os.fsdecode(x.path)).name: x.reason for x in plan.left}


def test_only_identical_bytes_unless_duplicates_are_asked_for(tmp_path: Path) -> None:
    a, b, c, d = (put(tmp_path / n, data) for n, data in (("a", b"1"), ("b", b"1"), ("c", b"22"), ("d", b"22")))
    found = report(group(member(a), member(b, "identical bytes"), member(c, "cropped"), member(d, "cropped")))
    assert gone(make(found, Action.TRASH)) == {"b": "a", "d": "c"}
    assert gone(make(found, Action.TRASH, kind=Kind.DUPLICATE)) == {"b": "a", "c": "a", "d": "a"}
    plan = make(found, Action.HARDLINK)
    assert {(step.digest, step.kept_digest) for step in plan.steps} == {
        (m.digest, m.digest) for m in found.groups[0].members
    }


def test_what_is_only_similar_is_never_acted_on(tmp_path: Path) -> None:
    a, b, c = (put(tmp_path / n, data) for n, data in (("a", b"1"), ("b", b"2"), ("c", b"2")))
    found = report(Group(Kind.SIMILAR, a, (member(a), member(b), member(c))))
    assert gone(make(found, Action.TRASH, kind=Kind.DUPLICATE)) == {"c": "b"}
    with pytest.raises(UsageError):
        make(found, Action.TRASH, kind=Kind.SIMILAR)


def test_a_copy_stays_that_was_not_proven_against_the_file_that_stays(tmp_path: Path) -> None:
    centre, larger, part = (put(tmp_path / n, n.encode()) for n in ("centre", "larger", "part"))
    found = report(
        group(member(centre), member(larger, "resized", pixels=(800, 600)), member(part, "cropped", pixels=(40, 30)))
    )
    rules = Rules((Rule.RESOLUTION,))
    assert gone(make(found, Action.TRASH, kind=Kind.DUPLICATE, rules=rules)) == {"centre": "larger"}


@pytest.mark.parametrize("action", [Action.HARDLINK, Action.SYMLINK, Action.REFLINK])
def test_links_do_not_replace_other_bytes(action: Action) -> None:
    with pytest.raises(UsageError, match="identical bytes only"):
        make(report(), action, kind=Kind.DUPLICATE)


def test_move_and_its_folder_need_each_other() -> None:
    for action, to in ((Action.MOVE, None), (Action.TRASH, b"/x")):
        with pytest.raises(UsageError, match="--to"):
            make(report(), action, to=to)


def test_names_of_one_file_are_no_waste(tmp_path: Path) -> None:
    a, c = put(tmp_path / "a", b"12345"), put(tmp_path / "c", b"12345")
    os.link(a, tmp_path / "b")
    os.link(c, tmp_path / "elsewhere")
    plan = make(report(copies(a, os.fsencode(tmp_path / "b"), c)), Action.TRASH)
    assert gone(plan) == {"c": "a"}
    assert "one more name" in left(plan)["b"]
    assert plan.bytes == 0  # the other name of c goes on to hold its bytes
    os.unlink(tmp_path / "elsewhere")
    assert make(report(copies(a, c)), Action.TRASH).bytes == 5


def test_a_path_that_leads_to_the_kept_file_does_not_go(tmp_path: Path) -> None:
    a = put(tmp_path / "real" / "a", b"1")
    b = put(tmp_path / "real" / "b", b"1")
    (tmp_path / "way").symlink_to(tmp_path / "real")
    again, other = os.fsencode(tmp_path / "way" / "a"), os.fsencode(tmp_path / "way" / "b")
    plan = make(report(copies(a, again, b, other)), Action.TRASH)
    assert [step.source for step in plan.steps] == [b]


def test_a_file_that_another_group_keeps_does_not_go(tmp_path: Path) -> None:
    a, b, c = (put(tmp_path / name, b"1") for name in "abc")
    plan = make(report(copies(a, b), copies(b, c)), Action.TRASH, rules=Rules((Rule.MARKED,)))
    assert gone(plan) == {"c": "b"}
    assert "kept" in left(plan)["b"]


def test_references_and_pairs_stay(tmp_path: Path) -> None:
    ref = [put(tmp_path / "ref" / name, b"1") for name in ("x.jpg", "y.jpg")]
    jpeg, plain = put(tmp_path / "in" / "a.jpg", b"1"), put(tmp_path / "in" / "b.jpg", b"1")
    put(tmp_path / "in" / "a.NEF", b"raw")
    plan = make(
        report(copies(plain, jpeg, *ref)), Action.TRASH, rules=Rules(reference=(os.fsencode(tmp_path / "ref"),))
    )
    assert gone(plan) == {"b.jpg": "x.jpg"}
    assert set(left(plan)) == {"y.jpg", "a.jpg"}
    assert "a.NEF" in left(plan)["a.jpg"]


def test_marks_of_the_report_are_kept_all(tmp_path: Path) -> None:
    a, b, c = (put(tmp_path / name, b"1") for name in "abc")
    found = report(group(member(a), member(b, keep=True), member(c, keep=True)))
    plan = make(found, Action.TRASH, rules=Rules((Rule.MARKED,)))
    assert gone(plan) == {"a": "b"}
    assert set(left(plan)) == {"c"}


def test_files_that_are_not_as_reported_are_left_out(tmp_path: Path) -> None:
    a, b, c, d, e = (put(tmp_path / name, b"1") for name in "abcde")
    found = report(copies(a, b, c, d, e))
    put(a, b"22")
    os.unlink(b)
    os.unlink(c)
    os.symlink(d, c)
    plan = make(found, Action.TRASH)
    assert gone(plan) == {"e": "d"}
    assert set(left(plan)) == {"a", "b", "c"}


def test_moved_files_get_names_of_their_own(tmp_path: Path) -> None:
    to = tmp_path / "to"
    put(to / "same.jpg", b"taken")
    kept = put(tmp_path / "kept", b"1")
    sources = [put(tmp_path / folder / "same.jpg", b"1") for folder in "xyz"]
    inside = put(to / "below" / "inside.jpg", b"1")
    plan = make(report(copies(kept, *sources, inside)), Action.MOVE, to=os.fsencode(to))
    assert [os.path.basename(step.target or b"") for step in plan.steps] == [
        b"same-2.jpg",
        b"same-3.jpg",
        b"same-4.jpg",
    ]
    assert set(left(plan)) == {"inside.jpg"}


def test_links_across_file_systems_are_left_out(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system")
    kept, far = put(tmp_path / "a", b"1"), put(elsewhere / f"tbhdup-{os.getpid()}", b"1")
    try:
        assert not make(report(copies(kept, far)), Action.HARDLINK).steps
        assert len(make(report(copies(kept, far)), Action.SYMLINK).steps) == 1
    finally:
        os.unlink(far)
