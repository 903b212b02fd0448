"""From confirmed matches to groups: stars, not chains.

A group has a centre that every member matches directly. That B is a copy of A and C a copy of B does not put C beside
A: the pair (A, C) has to be confirmed itself, and `missing_spokes` names the pairs that are worth the attempt.
Pairs that someone has set apart, `apart`, each with the smaller digest first, are in no group together, even if both
match its centre: the one with the weaker match is left out. So it is with two pictures that show different parts of the
centre and nothing in common: a collage does not make one of its pictures.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence, Set
from math import fsum
from typing import Any

from tbhdup.values import Digest, Kind, Match

Pairs = Set[tuple[Digest, Digest]]
Window = tuple[float, float, float, float]
"""Left, top, right, bottom, 0..1."""

MOST_OF_A_PART = 0.7  # of the whole that it is a part of
LEAST_IN_COMMON = 0.05  # of the smaller of two parts: less, and they show different things

Rank = Mapping[Digest, tuple[Any, ...]]
"""Which picture goes first where matches do not decide: the smaller tuple. All tuples must compare with each other."""


class Connected:
    """Which pictures are linked, directly or by chains: union-find by path halving. Each connected part has a root."""

    def __init__(self) -> None:
        self._parent: dict[Digest, Digest] = {}

    def root(self, digest: Digest) -> Digest:
        parent = self._parent.setdefault(digest, digest)
        while parent != digest:
            self._parent[digest] = self._parent[parent]
            digest, parent = parent, self._parent[parent]
        return digest

    def join(self, a: Digest, b: Digest, root: Digest | None = None) -> None:
        """Make one part of two. root: one of its pictures, to be its root; None: that of a's part."""
        roots = self.root(a), self.root(b)
        first = roots[0] if root is None else root
        for digest in (*roots, first):
            self._parent[digest] = first


def centred(
    matches: Sequence[Match], rank: Rank, apart: Pairs = frozenset()
) -> list[list[tuple[Digest, Match | None]]]:
    """Groups of pictures, each as [(centre, None), (member, its match with the centre), ...].

    The centre is the picture with the most matches, then with the strongest (see `_Graph.first`), then of the first
    rank. Its matches are its members, but for those set apart; what is left forms further groups in the same way, and
    pictures that lost all their partners to them are in none. Every digest is in one group at most. Groups come in the
    order of their centres' rank, members in the order of their own; the order of `matches` plays no part.
    A match is handed on as it came, so that the centre may be its `a` or its `b`, and its relation leads from a to b.
    Raises ValueError for a match of a picture with itself, KeyError for a digest without rank.
    """
    graph = _Graph(matches, rank, apart)
    groups = []
    while (centre := graph.first()) is not None:
        members = graph.members(centre)
        groups.append([(centre, None), *((member, members[member]) for member in sorted(members, key=graph.order))])
        graph.remove([centre, *members])
    return sorted(groups, key=lambda group: graph.order(group[0][0]))


def missing_spokes(
    matches: Sequence[Match], rank: Rank, tried: Pairs, apart: Pairs = frozenset()
) -> list[tuple[Digest, Digest]]:
    """The pairs (centre, member) that others connect, but that are neither matched nor tried yet.

    tried: pairs in either order. Proving the pairs, adding what is confirmed to `matches` and everything to `tried`,
    and asking again until the list is empty gives every picture that is connected to a centre its chance to join it.
    Only the centre of a connected part asks for pairs, so that a part of n pictures costs n - 1 proofs and not n**2;
    what the centre has turned down forms parts of its own. Sorted as `centred` sorts.
    """
    graph = _Graph(matches, rank, apart)
    missing = []
    while (centre := graph.first()) is not None:
        members = graph.members(centre)
        asked = [
            other
            for other in graph.connected(centre)
            if other != centre
            and other not in graph.neighbours(centre)
            and (centre, other) not in tried
            and (other, centre) not in tried
            and (min(centre, other), max(centre, other)) not in apart
        ]
        missing += [(centre, other) for other in asked]
        graph.remove([centre, *members, *asked])  # if a proof fails, the next round has it among those left over
    return sorted(missing, key=lambda pair: (graph.order(pair[0]), graph.order(pair[1])))


class _Graph:
    """The matches among the pictures that have no group yet."""

    def __init__(self, matches: Iterable[Match], rank: Rank, apart: Pairs) -> None:
        self._rank = rank
        self._apart: dict[Digest, set[Digest]] = {}
        for a, b in apart:
            self._apart.setdefault(a, set()).add(b)
            self._apart.setdefault(b, set()).add(a)
        self._edges: dict[Digest, dict[Digest, Match]] = {}
        for match in matches:
            if match.a == match.b:
                raise ValueError(f"a picture cannot match itself: {match.a.hex()}")
            if match.b in self._apart.get(match.a, ()):
                continue
            for one, other in ((match.a, match.b), (match.b, match.a)):
                known = self._edges.setdefault(one, {})
                known[other] = max(known[other], match, key=_merit) if other in known else match
        self._heap = [self._entry(digest) for digest in self._edges]
        heapq.heapify(self._heap)

    def order(self, digest: Digest) -> tuple[Any, ...]:
        return self._rank[digest], digest

    def neighbours(self, digest: Digest) -> dict[Digest, Match]:
        return self._edges[digest]

    def members(self, centre: Digest) -> dict[Digest, Match]:
        """The neighbours that go into one group: the strongest first, and none that is set apart from one before."""
        near = self._edges[centre]
        windows = {digest: _window(centre, match) for digest, match in near.items() if _is_part(match)}
        if len(windows) < 2 and not any(digest in self._apart for digest in near):
            return near
        taken: dict[Digest, Match] = {}
        by_rank = sorted(near, key=self.order)
        for digest in sorted(by_rank, key=lambda digest: _strength(near[digest]), reverse=True):
            beside = digest in windows and any(
                _shared(windows[digest], windows[other]) < LEAST_IN_COMMON for other in windows.keys() & taken.keys()
            )
            if not beside and self._apart.get(digest, set()).isdisjoint(taken):
                taken[digest] = near[digest]
        return taken

    def first(self) -> Digest | None:
        """The picture with the most matches, then with the most confidence, cosine and nearness summed over them.

        Removals only ever lower a picture's place, so an entry is looked at again when it comes up, and not before.
        """
        while self._heap:
            entry = heapq.heappop(self._heap)
            digest: Digest = entry[-1]
            now = len(self._edges.get(digest, ()))
            if now and now == -entry[0]:
                return digest
            if now:
                heapq.heappush(self._heap, self._entry(digest))
        return None

    def remove(self, digests: Iterable[Digest]) -> None:
        for digest in digests:
            for other in self._edges.pop(digest):
                if other in self._edges:
                    del self._edges[other][digest]

    def connected(self, digest: Digest) -> set[Digest]:
        """Every picture that a chain of matches leads to, and the picture itself."""
        reached, open_ends = {digest}, [digest]
        while open_ends:
            new = self._edges[open_ends.pop()].keys() - reached
            reached |= new
            open_ends += new
        return reached

    def _entry(self, digest: Digest) -> tuple[Any, ...]:
        matches = self._edges[digest].values()
        return (
            -len(matches),
            -fsum(match.confidence for match in matches),  # fsum: the same whatever the order of its terms
            -fsum(match.cosine for match in matches),
            sum(match.distance for match in matches),
            *self.order(digest),
        )


def _is_part(match: Match) -> bool:
    """Whether one of the two shows so little of the other that it could be one of its parts."""
    return match.relation is not None and min(match.relation.share_a, match.relation.share_b) < MOST_OF_A_PART


def _window(centre: Digest, match: Match) -> Window:
    """The part of the centre that the other picture shows: the box around it, in units of the centre's sides."""
    assert match.relation is not None
    x, y, t, u, v, w = match.relation.transform
    corners: list[tuple[float, float]] = [(0, 0), (1, 0), (1, 1), (0, 1)]
    if centre == match.a:  # the map leads away from the centre: back from the other's corners
        scale = x * v - y * u
        corners = [((v * (p - t) - y * (q - w)) / scale, (x * (q - w) - u * (p - t)) / scale) for p, q in corners]
    else:
        corners = [(x * p + y * q + t, u * p + v * q + w) for p, q in corners]
    across, down = zip(*(((min(max(p, 0.0), 1.0), min(max(q, 0.0), 1.0)) for p, q in corners)), strict=True)
    return min(across), min(down), max(across), max(down)


def _shared(one: Window, other: Window) -> float:
    """What two windows have in common, as a share of the smaller one."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((right - left) * (bottom - top) for left, top, right, bottom in (one, other))
    return max(0.0, width) * max(0.0, height) / smaller if smaller > 0 else 1.0


def _strength(match: Match) -> tuple[Any, ...]:
    return -list(Kind).index(match.kind), match.confidence, match.cosine, -match.distance


def _merit(match: Match) -> tuple[Any, ...]:
    """Which of two matches of one pair is kept: the stronger, and never by chance."""
    return *_strength(match), match.relation is not None, match.a, repr(match.relation)
