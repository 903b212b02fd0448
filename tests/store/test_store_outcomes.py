"""What a matching came to is kept until newer ones take its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbhdup.store import Store
from tbhdup.store.records import OUTCOMES_KEPT
from tbhdup.values import Outcome

FIRST = Outcome(7, 5, ((b"a" * 16, b"b" * 16), (b"c" * 16, b"d" * 16)))
NONE = Outcome(0, 0, ())


def question(first: int, rest: bytes = b"?") -> bytes:
    return bytes([first]) + rest * 15


def test_an_outcome_comes_back_to_its_question_alone(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        assert opened.outcome(question(1)) is None
        opened.put_outcome(question(1), FIRST)
        opened.put_outcome(question(2), NONE)
    with Store.open(tmp_path, write=False) as opened:
        assert opened.outcome(question(1)) == FIRST
        assert opened.outcome(question(2)) == NONE
        assert opened.outcome(question(1, b"!")) is None
        assert opened.check() == []


def test_a_few_are_kept(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened:
        for first in range(3 * OUTCOMES_KEPT):
            opened.put_outcome(question(first), Outcome(first, 0, ()))
        known = [opened.outcome(question(first)) for first in range(3 * OUTCOMES_KEPT)]
    assert known[: 2 * OUTCOMES_KEPT] == [None] * 2 * OUTCOMES_KEPT
    assert known[2 * OUTCOMES_KEPT :] == [
        Outcome(first, 0, ()) for first in range(2 * OUTCOMES_KEPT, 3 * OUTCOMES_KEPT)
    ]


def test_a_question_is_a_digest(tmp_path: Path) -> None:
    with Store.open(tmp_path) as opened, pytest.raises(ValueError, match="16 bytes"):
        opened.put_outcome(b"short", NONE)
