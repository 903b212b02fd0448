from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.actions import DEFAULT, Pattern, Rule, Rules, best, parse, waste, with_keep
from tbhdup.actions.keep import companion, under
from tbhdup.errors import UsageError
from tbhdup.values import Group, Kind, Member, Taken


def file(path: bytes, relation: str = "", pixels: int = 100, size: int = 10, keep: bool = False) -> Member:
    return Member(path, path.ljust(16, b"\0")[:16], pixels, 1, size, 0, 1.0, relation, 1.0, keep)


def no_time(path: bytes) -> int:
    raise AssertionError(f"{path!r} was asked for its time")


def first(rule: str, *members: Member, **times: int) -> bytes:
    modified = {b"/" + name.encode(): time for name, time in times.items()}
    return best(Group(Kind.DUPLICATE, members[0].path, members), Rules(parse(rule)), modified.__getitem__)[0].path


def test_each_rule_keeps_what_it_says() -> None:
    assert first("resolution", file(b"/a"), file(b"/b", pixels=200)) == b"/b"
    assert first("bytes", file(b"/a"), file(b"/b", size=11)) == b"/b"
    assert first("format", file(b"/a.jpg"), file(b"/b.PNG")) == b"/b.PNG"
    assert first("format", file(b"/a.png"), file(b"/b.nef")) == b"/b.nef"
    assert first("oldest", file(b"/a"), file(b"/b"), a=2, b=1) == b"/b"
    assert first("newest", file(b"/a"), file(b"/b"), a=1, b=2) == b"/b"
    assert first("marked", file(b"/a"), file(b"/b", keep=True)) == b"/b"
    assert first("path", file(b"/b"), file(b"/a")) == b"/a"
    assert first("least-edited", file(b"/b"), file(b"/a", "cropped")) == b"/b"


def test_a_later_rule_decides_what_the_earlier_ones_leave_open() -> None:
    members = file(b"/a", size=5), file(b"/b", size=9), file(b"/c", pixels=1, size=99)
    assert first("resolution,bytes", *members) == b"/b"
    assert first(" resolution , path", *members) == b"/a"


def test_unknown_rule_is_named() -> None:
    for wrong in ("biggest", "path:", "bytes:*", ""):
        with pytest.raises(UsageError, match=f"called '{wrong}'.*path:PATTERN".replace("*", r"\*", wrong.count("*"))):
            parse(f"path,{wrong}")


def test_a_pattern_is_about_the_whole_path() -> None:
    members = file(b"/p/a"), file(b"/p/originals/deep/b"), file(b"/p/Originals/c"), file(b"/p/x\xff\n1")
    assert first("path:*/originals/*", *members) == b"/p/originals/deep/b"
    assert first("path:/p/[A-Z]*", *members) == b"/p/Originals/c"
    assert first("path:originals", *members) == b"/p/Originals/c"  # fits none: first by name
    assert first("path:*x??1,path", *members) == b"/p/x\xff\n1"
    assert parse("path:*\udcff")[0] == Pattern(b"*\xff")


class Asked:
    """Metadata by path, and which paths were asked for."""

    def __init__(self, **told: Taken) -> None:
        self.told = {b"/" + name.encode(): taken for name, taken in told.items()}
        self.paths: list[bytes] = []

    def __call__(self, path: bytes) -> Taken:
        self.paths.append(path)
        return self.told.get(path, Taken())


def test_metadata_decides_and_is_read_only_where_it_does() -> None:
    asked = Asked(b=Taken(dated=True), c=Taken(dated=True, located=True))
    members = file(b"/a"), file(b"/b"), file(b"/c"), file(b"/small", pixels=5)
    group = Group(Kind.DUPLICATE, b"/a", members)
    rules = Rules(parse("resolution,has-date,has-gps"), taken=asked)
    assert [m.path for m in best(group, rules, no_time)] == [b"/c", b"/b", b"/a", b"/small"]
    assert sorted(asked.paths) == [b"/a", b"/b", b"/c"]  # each once, and the small one never

    same = tuple(Member(path, b"1" * 16, 1, 1, 1, 0, 1.0, "", 1.0, False) for path in (b"/b", b"/a"))
    asked.paths.clear()
    assert best(Group(Kind.IDENTICAL, b"/b", same), rules, no_time)[0].path == b"/a"
    assert asked.paths == []  # equal bytes tell the same
    with pytest.raises(ValueError, match="metadata"):
        Rules((Rule.HAS_GPS,))


def test_halves_of_pairs_are_kept_as_well(tmp_path: Path) -> None:
    for name in ("IMG_1.CR2", "IMG_1.JPG", "IMG_1 (copy).JPG", "IMG_2.heic", "IMG_2.MOV"):
        (tmp_path / name).write_bytes(b"1")
    paths = [os.fsencode(tmp_path / n) for n in ("IMG_1.CR2", "IMG_1.JPG", "IMG_1 (copy).JPG", "IMG_2.heic")]
    marked = with_keep(Group(Kind.DUPLICATE, paths[0], tuple(map(file, paths))), Rules((Rule.FORMAT,)))
    assert [m.keep for m in marked.members] == [True, True, False, True]
    assert waste([marked]) == (1, 10)


def test_hard_links_are_no_waste(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    os.link(tmp_path / "a", tmp_path / "a2")
    os.link(tmp_path / "b", tmp_path / "b2")
    paths = [os.fsencode(tmp_path / name) for name in ("a", "a2", "b", "b2", "gone")]
    members = tuple(file(path, keep=path.endswith(b"/a")) for path in paths)
    group = Group(Kind.IDENTICAL, paths[0], members)
    assert waste([group]) == (2, 20)
    assert waste([Group(Kind.IDENTICAL, paths[0], members[:2])]) == (0, 0)


def test_harmless_changes_are_no_edits_and_several_edits_are_more_than_one() -> None:
    members = (
        file(b"/d", "cropped, mirrored"),
        file(b"/c", "framed"),
        file(b"/b", "resized, re-encoded"),
        file(b"/a", "tone changed"),
    )
    centre = file(b"/z", "")
    ranked = best(Group(Kind.DUPLICATE, b"/z", (centre, *members)), Rules((Rule.LEAST_EDITED,)), no_time)
    assert [member.path for member in ranked] == [b"/b", b"/z", b"/a", b"/c", b"/d"]


def test_the_words_of_a_larger_member_are_about_the_centre() -> None:
    centre, larger, smaller = file(b"/c"), file(b"/l", "framed", pixels=200), file(b"/s", "grey", pixels=50)
    ranked = best(Group(Kind.DUPLICATE, b"/c", (centre, smaller, larger)), Rules((Rule.LEAST_EDITED,)), no_time)
    assert [member.path for member in ranked] == [b"/l", b"/c", b"/s"]


def test_preferred_folders_come_in_their_order_and_after_references() -> None:
    members = [file(b"/big", pixels=900), file(b"/q/a"), file(b"/p/a"), file(b"/ref/a")]
    group = Group(Kind.DUPLICATE, b"/big", tuple(members))
    rules = Rules(prefer=(b"/p", b"/q"), reference=(b"/ref",))
    assert [m.path for m in best(group, rules, no_time)] == [b"/ref/a", b"/p/a", b"/q/a", b"/big"]
    assert [m.path for m in members if rules.protects(m)] == [b"/ref/a"]


def test_a_folder_is_no_prefix_of_names() -> None:
    assert under(b"/a/b", b"/a")
    assert under(b"/a", b"/a")
    assert under(b"/a", b"/")
    assert not under(b"/ab", b"/a")


@pytest.mark.parametrize(
    ("path", "names", "half"),
    [
        (b"/x/IMG_1.JPG", [b"IMG_1.JPG", b"IMG_1.CR2"], b"IMG_1.CR2"),
        (b"/x/IMG_1.cr2", [b"IMG_1.jpeg", b"IMG_1.cr2"], b"IMG_1.jpeg"),
        (b"/x/IMG_1.HEIC", [b"IMG_1.HEIC", b"IMG_1.MOV"], b"IMG_1.MOV"),
        (b"/x/IMG_1.jpg", [b"IMG_1.jpg", b"IMG_1.png", b"IMG_2.cr2"], None),
        (b"/x/IMG_1.png", [b"IMG_1.png", b"IMG_1.cr2"], None),
        (b"/x/IMG_1", [b"IMG_1", b"IMG_1.cr2"], None),
    ],
)
def test_halves_of_a_pair(path: bytes, names: list[bytes], half: bytes | None) -> None:
    assert companion(path, names) == half


members = st.lists(
    st.builds(
        file,
        st.binary(min_size=1, max_size=4).map(lambda name: b"/" + name),
        st.sampled_from(["", "identical bytes", "cropped", "cropped, grey"]),
        st.integers(1, 3),
        st.integers(1, 3),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda member: member.path,
)
orders = st.lists(st.sampled_from(sorted(Rule)), max_size=4).map(tuple)


@settings(max_examples=200, deadline=None)
@given(found=members, order=orders, data=st.data())
def test_the_choice_is_the_same_whatever_the_order_of_the_files(
    found: list[Member], order: tuple[Rule, ...], data: st.DataObject
) -> None:
    times = {member.path: data.draw(st.integers(0, 2)) for member in found}
    rules = Rules(order or DEFAULT, taken=lambda path: Taken(path[-1] % 2 == 0, path[-1] % 3 == 0))
    centre = found[0].path
    ranked = best(Group(Kind.DUPLICATE, centre, tuple(found)), rules, times.__getitem__)
    shuffled = data.draw(st.permutations(found))
    assert sorted(m.path for m in ranked) == sorted(m.path for m in found)
    assert best(Group(Kind.DUPLICATE, centre, tuple(shuffled)), rules, times.__getitem__) == ranked
