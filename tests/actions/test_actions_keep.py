from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.actions import DEFAULT, Rule, Rules, best, parse
from tbhdup.actions.keep import companion, under
from tbhdup.errors import UsageError
from tbhdup.values import Group, Kind, Member


def file(path: bytes, relation: str = "", pixels: int = 100, size: int = 10, keep: bool = False) -> Member:
    return Member(path, path.ljust(16, b"\0")[:16], pixels, 1, size, 0, 1.0, relation, 1.0, keep)


def first(rule: str, *members: Member, **times: int) -> bytes:
    modified = {b"/" + name.encode(): time for name, time in times.items()}
    return best(Group(Kind.DUPLICATE, members[0].path, members), Rules(parse(rule)), modified)[0].path


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
    with pytest.raises(UsageError, match="biggest"):
        parse("path,biggest")


def test_harmless_changes_are_no_edits_and_several_edits_are_more_than_one() -> None:
    members = (
        file(b"/d", "cropped, mirrored"),
        file(b"/c", "framed"),
        file(b"/b", "resized, re-encoded"),
        file(b"/a", "tone changed"),
    )
    centre = file(b"/z", "")
    ranked = best(Group(Kind.DUPLICATE, b"/z", (centre, *members)), Rules((Rule.LEAST_EDITED,)), {})
    assert [member.path for member in ranked] == [b"/b", b"/z", b"/a", b"/c", b"/d"]


def test_the_words_of_a_larger_member_are_about_the_centre() -> None:
    centre, larger, smaller = file(b"/c"), file(b"/l", "framed", pixels=200), file(b"/s", "grey", pixels=50)
    ranked = best(Group(Kind.DUPLICATE, b"/c", (centre, smaller, larger)), Rules((Rule.LEAST_EDITED,)), {})
    assert [member.path for member in ranked] == [b"/l", b"/c", b"/s"]


def test_preferred_folders_come_in_their_order_and_after_references() -> None:
    members = [file(b"/big", pixels=900), file(b"/q/a"), file(b"/p/a"), file(b"/ref/a")]
    group = Group(Kind.DUPLICATE, b"/big", tuple(members))
    rules = Rules(prefer=(b"/p", b"/q"), reference=(b"/ref",))
    assert [m.path for m in best(group, rules, {})] == [b"/ref/a", b"/p/a", b"/q/a", b"/big"]
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
    rules = Rules(order or DEFAULT)
    centre = found[0].path
    ranked = best(Group(Kind.DUPLICATE, centre, tuple(found)), rules, times)
    shuffled = data.draw(st.permutations(found))
    assert sorted(m.path for m in ranked) == sorted(m.path for m in found)
    assert best(Group(Kind.DUPLICATE, centre, tuple(shuffled)), rules, times) == ranked
