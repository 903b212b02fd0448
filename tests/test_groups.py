"""Groups have a centre that every member matches directly, whatever the order of the matches."""

from __future__ import annotations

import dataclasses
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.groups import centred, missing_spokes
from tbhdup.values import Digest, Kind, Match, Relation

NAMES = [bytes([n]) * 16 for n in range(9)]
RANK = {name: (number,) for number, name in enumerate(NAMES)}
A, B, C, D, E, F = NAMES[:6]


def match(a: Digest, b: Digest, confidence: float = 1.0, **more: object) -> Match:
    return dataclasses.replace(Match(a, b, Kind.DUPLICATE, 0, 1.0, None, confidence), **more)


def digests_of(groups: list[list[tuple[Digest, Match | None]]]) -> list[list[Digest]]:
    return [[digest for digest, _ in group] for group in groups]


@st.composite
def matches(draw: st.DrawFn) -> list[Match]:
    """Matches among nine pictures, in either direction, of several strengths; a pair may come more than once."""
    digest = st.sampled_from(NAMES)
    ends = st.tuples(digest, digest).filter(lambda pair: pair[0] != pair[1])
    return [
        match(a, b, confidence, distance=distance, cosine=cosine, kind=kind)
        for (a, b), confidence, distance, cosine, kind in draw(
            st.lists(
                st.tuples(
                    ends,
                    st.sampled_from([0.1, 0.2, 0.7, 1.0]),
                    st.integers(0, 20),
                    st.sampled_from([0.1, 0.8, 0.9]),
                    st.sampled_from(list(Kind)),
                ),
                max_size=25,
            )
        )
    ]


@given(matches())
@settings(deadline=None, max_examples=200)
def test_every_member_matches_its_centre_and_no_digest_comes_twice(found: list[Match]) -> None:
    groups = centred(found, RANK)
    seen = [digest for group in groups for digest, _ in group]
    assert len(seen) == len(set(seen))
    for (centre, none), *members in groups:
        assert none is None
        assert members
        for digest, own in members:
            assert own in found
            assert {own.a, own.b} == {centre, digest}
        assert [digest for digest, _ in members] == sorted(digest for digest, _ in members)
    centres = [group[0][0] for group in groups]
    assert centres == sorted(centres)


@given(matches())
@settings(deadline=None, max_examples=200)
def test_nothing_that_could_make_a_group_is_left_over(found: list[Match]) -> None:
    grouped = {digest for group in digests_of(centred(found, RANK)) for digest in group}
    assert all(pair.a in grouped or pair.b in grouped for pair in found)


@given(matches(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=200)
def test_the_order_of_the_matches_plays_no_part(found: list[Match], random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert centred(shuffled, RANK) == centred(found, RANK)
    tried = {(pair.a, pair.b) for pair in found[::3]}
    assert missing_spokes(shuffled, RANK, tried) == missing_spokes(found, RANK, tried)


@given(matches())
@settings(deadline=None, max_examples=200)
def test_the_first_centre_has_the_most_matches(found: list[Match]) -> None:
    degree = {name: len({m.a for m in found if m.b == name} | {m.b for m in found if m.a == name}) for name in NAMES}
    sizes = [len(group) - 1 for group in centred(found, RANK)]
    assert max(sizes, default=0) == max(degree.values())


def test_chains_are_split() -> None:
    chain = [match(A, B), match(B, C), match(C, D), match(D, E), match(E, F)]
    assert digests_of(centred(chain, RANK)) == [[B, A, C], [E, D, F]]


def test_equal_centres_are_told_apart_by_strength_then_rank() -> None:
    chain = [match(A, B, 0.5), match(B, C, 0.5), match(C, D, 0.9)]
    assert digests_of(centred(chain, RANK)) == [[C, B, D]]
    by_cosine = [match(A, B), match(B, C), match(C, D, cosine=0.9)]
    assert digests_of(centred(by_cosine, RANK)) == [[B, A, C]]
    by_distance = [match(A, B, distance=3), match(B, C), match(C, D)]
    assert digests_of(centred(by_distance, RANK)) == [[C, B, D]]
    pair = [match(A, B)]
    assert digests_of(centred(pair, RANK)) == [[A, B]]
    assert digests_of(centred(pair, {A: (2, "a"), B: (1, "b")})) == [[B, A]]
    assert digests_of(centred(pair, {A: (1,), B: (1,)})) == [[A, B]]  # equal ranks: the digest decides


def test_a_match_is_handed_on_as_it_came() -> None:
    one = match(C, A, relation=Relation(("cropped",), share_a=0.5))
    assert centred([one], RANK) == [[(A, None), (C, one)]]


def test_of_two_matches_of_one_pair_the_stronger_counts() -> None:
    weak, strong = match(A, B, 0.4), match(B, A, 0.9)
    similar = match(A, B, 1.0, kind=Kind.SIMILAR)
    for order in ([weak, strong, similar], [similar, strong, weak]):
        assert centred(order, RANK) == [[(A, None), (B, strong)]]


def test_nothing_and_nonsense() -> None:
    assert centred([], RANK) == []
    assert missing_spokes([], RANK, set()) == []
    with pytest.raises(ValueError, match="itself"):
        centred([match(A, A)], RANK)
    with pytest.raises(KeyError):
        centred([match(A, b"x" * 16)], RANK)


def test_missing_spokes_are_asked_for_until_tried() -> None:
    chain = [match(A, B), match(B, C), match(C, D), match(D, E)]
    assert missing_spokes(chain, RANK, set()) == [(B, D), (B, E)]
    for tried in ({(B, D)}, {(D, B)}):
        assert missing_spokes(chain, RANK, tried) == [(B, E)]
    # what the centre has turned down gets a centre of its own, with its own missing spokes
    assert missing_spokes([*chain, match(E, F)], RANK, {(B, D), (B, E), (B, F)}) == []
    longer = [*chain, match(E, F), match(F, NAMES[6])]
    tried = {(B, other) for other in (D, E, F, NAMES[6])}
    assert missing_spokes(longer, RANK, tried) == [(E, NAMES[6])]
    assert missing_spokes([match(A, B), match(C, D)], RANK, set()) == []


@given(matches(), st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))))
@settings(deadline=None, max_examples=200)
def test_asking_comes_to_an_end_and_joins_all_that_belong_together(found: list[Match], same: set) -> None:
    """Whatever the proof says of the spokes: each is asked for once, and in the end none is missing."""
    known, tried = list(found), {(pair.a, pair.b) for pair in found}
    for _ in range(len(NAMES) ** 2):
        spokes = missing_spokes(known, RANK, tried)
        if not spokes:
            break
        assert len({frozenset(pair) for pair in spokes}) == len(spokes)
        assert not any(pair in tried or pair[::-1] in tried for pair in spokes)
        tried |= set(spokes)
        known += [match(*pair) for pair in spokes if pair in same or pair[::-1] in same]
    assert missing_spokes(known, RANK, tried) == []


@given(matches())
@settings(deadline=None, max_examples=100)
def test_where_every_spoke_holds_a_connected_part_is_one_group(found: list[Match]) -> None:
    spokes = missing_spokes(found, RANK, set())
    whole = [*found, *(match(*pair) for pair in spokes)]
    assert missing_spokes(whole, RANK, set()) == []
    part = {name: name for name in NAMES}
    for pair in found:
        old, new = part[pair.a], part[pair.b]
        part = {name: new if label == old else label for name, label in part.items()}
    parts = {frozenset(n for n in NAMES if part[n] == label) for label in part.values()}
    assert {frozenset(group) for group in digests_of(centred(whole, RANK))} == {p for p in parts if len(p) > 1}


def test_large_stars_and_long_chains_take_no_time() -> None:
    names = [number.to_bytes(16) for number in range(20_000)]
    rank = {name: (name,) for name in names}
    star = [match(names[0], name) for name in names[1:]]
    chain = [match(a, b) for a, b in zip(names, names[1:], strict=False)]
    start = time.perf_counter()
    assert [len(group) for group in centred(star, rank)] == [20_000]
    assert missing_spokes(star, rank, set()) == []
    assert len(centred(chain, rank)) > 5_000
    assert len(missing_spokes(chain, rank, set())) == 20_000 - 3
    assert time.perf_counter() - start < 20


def crop_of(whole: Digest, part: Digest, window: tuple[float, float, float, float], turned: bool = False) -> Match:
    """A match in which `part` shows a window (left, top, right, bottom) of `whole`; turned: told from the part."""
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    if turned:
        relation = Relation(("padded",), 1.0, width * height, transform=(width, 0, left, 0, height, top))
        return match(part, whole, relation=relation)
    away = (1 / width, 0, -left / width, 0, 1 / height, -top / height)
    return match(whole, part, relation=Relation(("cropped",), width * height, 1.0, transform=away))


@pytest.mark.parametrize("turned", [False, True])
def test_a_collage_does_not_make_one_of_its_pictures(turned: bool) -> None:
    halves = [crop_of(A, B, (0, 0, 0.5, 1)), crop_of(A, C, (0.51, 0, 1, 1), turned)]
    assert digests_of(centred(halves, RANK)) == [[A, B]]
    # A copy of the second half goes with it.
    assert digests_of(centred([*halves, match(C, D)], RANK)) == [[A, B], [C, D]]


@pytest.mark.parametrize("turned", [False, True])
def test_crops_that_overlap_and_copies_of_the_whole_are_one_group(turned: bool) -> None:
    overlapping = [crop_of(A, B, (0, 0, 0.6, 1), turned), crop_of(A, C, (0.4, 0.2, 1, 1))]
    assert digests_of(centred(overlapping, RANK)) == [[A, B, C]]
    large = [crop_of(A, B, (0, 0, 0.3, 0.3)), crop_of(A, C, (0.05, 0.05, 1, 1), turned), match(A, D)]
    assert digests_of(centred(large, RANK)) == [[A, B, C, D]]


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 2, st.booleans()), min_size=2, max_size=5, unique=True))
def test_parts_of_one_group_have_something_in_common(corners: list[tuple[int, int, bool]]) -> None:
    windows = {NAMES[n + 1]: (x / 20, y / 20, x / 20 + 0.5, y / 20 + 0.5) for n, (x, y, _) in enumerate(corners)}
    found = [crop_of(A, name, window, corners[n][2]) for n, (name, window) in enumerate(windows.items())]
    (_, *members), *_ = centred(found, RANK)
    for one, _ in members:
        for other, _ in members:
            a, b = windows[one], windows[other]
            width, height = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1))
            assert max(0, width) * max(0, height) / 0.25 > 0.05 - 1e-9
