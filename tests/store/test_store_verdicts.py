from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import digests, verdicts

from tbhdup.store import Store
from tbhdup.values import Relation, Verdict

pairs = st.tuples(digests, digests).filter(lambda pair: pair[0] != pair[1]).map(sorted).map(tuple)


@settings(max_examples=20, deadline=None)
@given(known=st.dictionaries(pairs, verdicts, max_size=8), other=pairs)
def test_verdicts_come_back_by_pair(
    tmp_path_factory: pytest.TempPathFactory, known: dict[tuple[bytes, bytes], Verdict], other: tuple[bytes, bytes]
) -> None:
    place = tmp_path_factory.mktemp("store")
    with Store.open(place) as opened:
        opened.put_verdicts("v1", known)
    with Store.open(place, write=False) as opened:
        assert opened.verdicts("v1", [*known, *known]) == known
        assert opened.verdicts("v1", [other]) == {pair: known[pair] for pair in [other] if pair in known}
        assert opened.verdicts("v2", known) == {}
        assert opened.info().verdicts == ({"v1": len(known)} if known else {})
        assert opened.check() == []


def test_a_verdict_can_be_changed_and_is_that_of_one_verifier(tmp_path: Path) -> None:
    pair = (b"a" * 16, b"b" * 16)
    no = Verdict(accepted=False, confidence=0.25, relation=None, reason="too few inliers")
    yes = Verdict(accepted=True, confidence=1.0, relation=Relation(("cropped", "mirrored"), 0.5))
    with Store.open(tmp_path) as opened:
        opened.put_verdicts("v1", {pair: no})
        opened.put_verdicts("v1", {pair: yes})
        opened.put_verdicts("v2", {pair: no})
        assert opened.verdicts("v1", [pair]) == {pair: yes}
        assert opened.verdicts("v2", [pair]) == {pair: no}


def test_pairs_in_the_other_order_are_refused(tmp_path: Path) -> None:
    swapped = (b"b" * 16, b"a" * 16)
    verdict = Verdict(accepted=False, confidence=0.5, relation=None)
    with Store.open(tmp_path) as opened:
        with pytest.raises(ValueError, match="smaller first"):
            opened.verdicts("v1", [swapped])
        with pytest.raises(ValueError, match="smaller first"):
            opened.put_verdicts("v1", {swapped: verdict})
        with pytest.raises(ValueError, match="400 bytes"):
            opened.put_verdicts("", {})
