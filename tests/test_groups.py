"""Groups have a centre that every member matches directly, whatever the order of the matches."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tbhdup.groups import centred, missing_spokes
from tbhdup.values import Kind, Match

NAMES = [bytes([n]) * 16 for n in range(9)]
RANK = {name: (number,) for number, name in enumerate(NAMES)}


def match(a: bytes, b: bytes, confidence: float = 1.0) -> Match:
    return Match(min(a, b), max(a, b), Kind.DUPLICATE, 0, 1.0, None, confidence)


pairs = st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda p: p[0] < p[1]), max_size=20)


@given(pairs, st.randoms())
@settings(deadline=None)
def test_members_match_their_centre_and_stand_once(links, random) -> None:
    matches = [match(NAMES[a], NAMES[b]) for a, b in sorted(links)]
    groups = centred(matches, RANK)
    seen = [digest for group in groups for digest, _ in group]
    assert len(seen) == len(set(seen))
    known = {(m.a, m.b) for m in matches}
    for group in groups:
        centre = group[0][0]
        assert group[0][1] is None
        assert len(group) > 1
        for digest, found in group[1:]:
            assert found is not None
            assert (min(centre, digest), max(centre, digest)) in known
    shuffled = list(matches)
    random.shuffle(shuffled)
    assert centred(shuffled, RANK) == groups


def test_chains_are_split() -> None:
    a, b, c, d = NAMES[:4]
    groups = centred([match(a, b), match(b, c), match(c, d)], RANK)
    assert [[digest for digest, _ in group] for group in groups] == [[b, a, c]]


def test_missing_spokes_asks_for_what_the_centre_reaches_through_others() -> None:
    a, b, c, d = NAMES[:4]
    matches = [match(a, b), match(b, c), match(c, d)]
    assert missing_spokes(matches, RANK, set()) == [(b, d)]
    assert missing_spokes(matches, RANK, {(b, d)}) == []
