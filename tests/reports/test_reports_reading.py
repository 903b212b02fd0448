"""What `write` writes, `read` reads; anything else is one clear error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.errors import ReportError
from tbhdup.reports import jsonl
from tbhdup.values import Group, Kind, Member, Reason, Report, Skip, Summary, Thresholds

few = settings(max_examples=60, deadline=None)
counts = st.integers(0, 2**63)
reals = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(max_size=9)
paths = st.one_of(st.binary(max_size=9), words.map(str.encode)).map(lambda name: b"/" + name.replace(b"\0", b"_"))
members = st.builds(
    Member,
    paths,
    st.binary(min_size=16, max_size=16),
    counts,
    counts,
    counts,
    counts,
    reals,
    words,
    reals,
    st.booleans(),
)
groups = st.builds(
    lambda kind, found: Group(kind, found[-1].path, tuple(found)),
    st.sampled_from(Kind),
    st.lists(members, min_size=1, max_size=3),
)
reports = st.builds(
    Report,
    words,
    words,
    st.builds(Thresholds, counts, reals, counts, words, reals),
    st.lists(groups, max_size=3).map(tuple),
    st.lists(st.builds(Skip, paths, st.sampled_from(Reason), words), max_size=3).map(tuple),
    st.builds(Summary, *[counts] * 14, st.dictionaries(words, reals, max_size=3)),
)


@few
@given(report=reports)
def test_a_report_comes_back_as_it_was(report: Report) -> None:
    assert jsonl.read(b"".join(jsonl.write(report)).splitlines(keepends=True)) == report
    assert jsonl.read(jsonl.write(report)) == report


def lines() -> list[bytes]:
    member = Member(b"/a \xff", bytes(16), 8, 6, 100, 0, 1.0, "cropped", 1.0, True)
    group = Group(Kind.DUPLICATE, member.path, (member,))
    skip = Skip(b"/b", Reason.EMPTY, "no bytes")
    return list(jsonl.write(Report("1", "m", Thresholds(1, 0.5, 5, "auto", 1.0), (group,), (skip,), Summary())))


@few
@given(at=st.integers(0, 3), place=st.floats(0, 1, exclude_max=True), put=st.binary(max_size=3), cut=st.integers(0, 9))
def test_damage_is_one_clear_error(at: int, place: float, put: bytes, cut: int) -> None:
    damaged = lines()
    where = int(place * len(damaged[at]))
    damaged[at] = damaged[at][:where] + put + damaged[at][where + cut :]
    try:
        jsonl.read(damaged)
    except ReportError as error:
        assert "\n" not in str(error)


def changed(at: int, **fields: object) -> list[bytes]:
    """A report with other fields in one line; None: without them. In the group's line they are its member's."""
    found = lines()
    value = json.loads(found[at])
    part = value["members"][0] if at == 1 else value
    for name, field in fields.items():
        part.pop(name) if field is None else part.update({name: field})
    found[at] = json.dumps(value).encode()
    return found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "cut off after line 0"),
        (lines()[:-1], "cut off after line 3"),
        (lines()[1:], "line 1"),
        ([*lines(), lines()[1]], "line 5"),
        ([b"[" * 100_000], "line 1"),
        ([b"\xff\xfe"], "line 1"),
        ([b"7"], "line 1"),
        (changed(0, schema=2), "schema 2"),
        (changed(0, model=7), "line 1"),
        (changed(1, digest="00"), "digest of 1 bytes"),
        (changed(1, digest="xy"), "line 2"),
        (changed(1, size="100"), "int"),
        (changed(1, size=True), "int"),
        (changed(1, width=None), "width"),
        (changed(1, path_bytes="!"), "line 2"),
        (changed(1, path_bytes=None), "centre"),
        (changed(1, path_bytes=None, path="a"), "no absolute path"),
        (changed(1, path_bytes=None, path="/a\0"), "no absolute path"),
        (changed(2, reason="bored"), "bored"),
        (changed(2, type="picture"), "line 3"),
    ],
)
def test_the_error_says_what_is_wrong_and_where(found: list[bytes], said: str) -> None:
    with pytest.raises(ReportError, match=said) as caught:
        jsonl.read(found)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
