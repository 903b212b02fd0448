"""A report that was read back, on real files that have changed or not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xxhash

from tbhdup.actions import Rule, Rules
from tbhdup.errors import UsageError
from tbhdup.pipeline import saved
from tbhdup.reports import jsonl
from tbhdup.values import Group, Kind, Member, Reason, Report, Summary, Thresholds


def put(path: Path, data: bytes, relation: str = "", keep: bool = False) -> Member:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    digest = xxhash.xxh3_128_digest(data)
    return Member(os.fsencode(path), digest, 8, 6, len(data), 3, 0.9, relation, 0.8, keep)


def report(*groups: tuple[Member, ...]) -> Report:
    made = []
    for members in groups:
        kind = Kind.IDENTICAL if len({m.digest for m in members}) == 1 else Kind.DUPLICATE
        made.append(Group(kind, members[0].path, members))
    return Report("1", "m", Thresholds(1, 0.5, 5, "auto", 1.0), tuple(made), (), Summary(files=9))


def names(found: Report) -> list[list[str]]:
    return [[os.path.basename(os.fsdecode(member.path)) for member in group.members] for group in found.groups]


def test_nothing_has_changed(tmp_path: Path) -> None:
    found = report((put(tmp_path / "a", b"1", keep=True), put(tmp_path / "b", b"2", "cropped")))
    same, gone = saved.unchanged(found)
    assert gone == ()
    assert names(same) == names(found)
    assert same.summary.duplicates == 1
    assert same.summary.files == 9


def test_changed_files_are_dropped_with_a_reason(tmp_path: Path) -> None:
    members = [put(tmp_path / name, b"1" if name < "c" else b"2", "cropped", name == "a") for name in "abcdef"]
    pair = put(tmp_path / "x", b"3", keep=True), put(tmp_path / "y", b"3", "identical bytes")
    (tmp_path / "c").write_bytes(b"9")  # of the same size
    (tmp_path / "d").write_bytes(b"99")
    (tmp_path / "e").unlink()
    (tmp_path / "y").unlink()
    (tmp_path / "y").mkdir()
    found, gone = saved.unchanged(report(tuple(members), pair))
    assert [(os.path.basename(skip.path), skip.reason) for skip in gone] == [
        (b"c", Reason.CHANGED),
        (b"d", Reason.CHANGED),
        (b"e", Reason.VANISHED),
        (b"y", Reason.NOT_A_FILE),
    ]
    assert names(found) == [["a", "b", "f"]]
    assert found.summary.groups == 1
    assert found.summary.duplicates == 2
    assert found.summary.duplicate_bytes == 2


def test_another_file_of_the_centres_bytes_takes_its_place(tmp_path: Path) -> None:
    members = (
        put(tmp_path / "a", b"1", keep=True),
        put(tmp_path / "b", b"2", "cropped"),
        put(tmp_path / "c", b"1", "identical bytes"),
    )
    (tmp_path / "a").unlink()
    found, _ = saved.unchanged(report(members))
    (group,) = found.groups
    assert names(found) == [["c", "b"]]
    assert group.kind is Kind.DUPLICATE
    assert group.centre == members[2].path
    assert [(m.relation, m.keep) for m in group.members] == [("", True), ("cropped", False)]


def test_without_the_centre_only_equal_bytes_stay_together(tmp_path: Path) -> None:
    members = tuple(
        put(tmp_path / name, data, "cropped") for name, data in (("a", b"1"), ("b", b"2"), ("c", b"3"), ("d", b"3"))
    )
    (tmp_path / "a").unlink()
    found, _ = saved.unchanged(report(members))
    (group,) = found.groups
    assert names(found) == [["c", "d"]]
    assert group.kind is Kind.IDENTICAL
    assert [(m.relation, m.distance, m.cosine, m.keep) for m in group.members] == [
        ("", 0, 1.0, True),
        ("identical bytes", 0, 1.0, False),
    ]


def test_filters_take_groups_whole(tmp_path: Path) -> None:
    found = report(
        (put(tmp_path / "p" / "a", b"1" * 10), put(tmp_path / "q" / "b", b"2", "cropped, mirrored")),
        (put(tmp_path / "q" / "c", b"3"), put(tmp_path / "q" / "d", b"3", "identical bytes")),
    )
    first, second = ["a", "b"], ["c", "d"]
    for wanted, expected in (
        (saved.Filter(), [first, second]),
        (saved.Filter(kind=Kind.IDENTICAL), [second]),
        (saved.Filter(under=os.fsencode(tmp_path / "p")), [first]),
        (saved.Filter(relation="mirrored"), [first]),
        (saved.Filter(relation="mirror"), []),
        (saved.Filter(min_size=10), [first]),
        (saved.Filter(relation="cropped", min_size=10), []),
    ):
        assert names(saved.select(found, wanted)) == expected, wanted


def test_marks_follow_the_rules(tmp_path: Path) -> None:
    found = report((put(tmp_path / "a", b"1", keep=True), put(tmp_path / "b", b"1")))
    os.utime(tmp_path / "a", ns=(2, 2))
    os.utime(tmp_path / "b", ns=(1, 1))
    chosen = saved.marked(found, Rules((Rule.OLDEST,)))
    assert [member.keep for member in chosen.groups[0].members] == [False, True]
    (tmp_path / "a").unlink()
    assert saved.marked(found, Rules((Rule.NEWEST,))).groups[0].members[1].keep


def test_a_file_is_read_or_the_reason_told(tmp_path: Path) -> None:
    found = report((put(tmp_path / "a", b"1"), put(tmp_path / "b", b"1")))
    (tmp_path / "report.jsonl").write_bytes(b"".join(jsonl.write(found)))
    assert saved.load(tmp_path / "report.jsonl") == found
    with pytest.raises(UsageError, match="nowhere"):
        saved.load(tmp_path / "nowhere")


def test_what_was_set_apart_since_leaves_its_group(tmp_path: Path) -> None:
    a, b, c, d = (put(tmp_path / name, name.encode(), "cropped", name == "a") for name in "abcd")
    pair = put(tmp_path / "x", b"x"), put(tmp_path / "y", b"y", "cropped", True)
    apart = {tuple(sorted((m.digest, n.digest))) for m, n in ((a, b), (d, c), pair)}
    found = saved.heeding(report((a, b, c, d), pair), apart)
    assert names(found) == [["a", "c"]]
    assert found.summary.groups == found.summary.duplicates == 1
    assert found.groups[0].members[1].relation == "cropped"
    assert saved.heeding(report((a, b), pair), frozenset()).groups == report((a, b), pair).groups
