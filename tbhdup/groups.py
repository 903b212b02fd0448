"""From confirmed pairs to groups: every member matches its group's centre directly.

Chains are not groups: A ~ B ~ C without A ~ C would let one weak link join what does not belong together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from tbhdup.values import Digest, Match

Rank = Mapping[Digest, tuple[Any, ...]]
Pair = tuple[Digest, Digest]


def centred(matches: Sequence[Match], rank: Rank) -> list[list[tuple[Digest, Match | None]]]:
    """Groups as lists of (digest, its match to the centre); the centre stands first, with None.

    The picture with the most matches becomes a centre first, then the one whose matches are strongest, then the one
    that comes first in `rank`. What is left forms further groups. The order of `matches` does not matter.
    """
    links = _links(matches)
    groups = []
    while links:
        centre = min(links, key=lambda digest: (_weight(links[digest]), rank[digest]))
        spokes = links[centre]
        members = sorted(spokes, key=lambda digest: (-spokes[digest].confidence, rank[digest]))
        groups.append([(centre, None), *((digest, spokes[digest]) for digest in members)])
        _remove(links, {centre, *members})
    return sorted(groups, key=lambda group: rank[group[0][0]])


def missing_spokes(matches: Sequence[Match], rank: Rank, tried: AbstractSet[Pair]) -> list[Pair]:
    """Pairs (smaller digest first) of a centre and a picture that it reaches only through others, not tried yet.

    A copy of a copy may look unlike its origin to the latent, and still be proven directly once someone asks.
    """
    links = _links(matches)
    wanted = set()
    for component in _components(links):
        centre = min(component, key=lambda digest: (_weight(links[digest]), rank[digest]))
        for digest in component - {centre} - set(links[centre]):
            pair = (min(centre, digest), max(centre, digest))
            if pair not in tried:
                wanted.add(pair)
    return sorted(wanted)


def _links(matches: Sequence[Match]) -> dict[Digest, dict[Digest, Match]]:
    links: dict[Digest, dict[Digest, Match]] = defaultdict(dict)
    for match in matches:
        links[match.a][match.b] = match
        links[match.b][match.a] = match
    return dict(links)


def _weight(spokes: Mapping[Digest, Match]) -> tuple[int, float]:
    """Sorts the picture with the most and the strongest matches first."""
    return -len(spokes), -round(sum(match.confidence + match.cosine for match in spokes.values()), 6)


def _remove(links: dict[Digest, dict[Digest, Match]], gone: set[Digest]) -> None:
    """Take pictures out, and those that have no match left."""
    touched = {other for digest in gone for other in links.pop(digest)} - gone
    for digest in touched:
        links[digest] = {other: match for other, match in links[digest].items() if other not in gone}
        if not links[digest]:
            del links[digest]


def _components(links: Mapping[Digest, Mapping[Digest, Match]]) -> list[set[Digest]]:
    seen: set[Digest] = set()
    out = []
    for start in links:
        if start in seen:
            continue
        component, todo = {start}, [start]
        while todo:
            for other in links[todo.pop()]:
                if other not in component:
                    component.add(other)
                    todo.append(other)
        seen |= component
        out.append(component)
    return out
