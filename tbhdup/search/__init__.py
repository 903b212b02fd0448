"""Which pictures lie within a Hamming radius of each other, and which of those are worth a closer look."""

from __future__ import annotations

from tbhdup.search.candidates import CANDIDATE, Candidates, Parts, candidates
from tbhdup.search.choice import choose, neighbours, self_join
from tbhdup.search.linear import PAIR
from tbhdup.search.multi_index import FOUND, PERSISTED_TABLES, Index, probes

__all__ = [
    "CANDIDATE",
    "FOUND",
    "PAIR",
    "PERSISTED_TABLES",
    "Candidates",
    "Index",
    "Parts",
    "candidates",
    "choose",
    "neighbours",
    "probes",
    "self_join",
]
