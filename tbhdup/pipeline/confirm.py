"""From codes and latents to confirmed pairs: candidates by code, filtered by latent, decided on pixels."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tbhdup import groups, search, verify
from tbhdup.calibration import cosines
from tbhdup.pipeline.provers import Pair, Provers
from tbhdup.pipeline.views import ABSENT, Again, KnownContents
from tbhdup.store import Store
from tbhdup.values import Digest, File, Kind, Match, OnProgress, Progress, Thresholds, Verdict

CHUNK = 32  # pairs proven at a time
FEW = 8  # if they come from fewer neighbourhoods
WINDOW = 256  # pairs among which they are chosen
LEAST_DETAIL = 8  # of 256 blocks; a picture with less matches nothing without the proof
PAIRS_AT_ONCE = 1 << 14  # whose latents are compared
NEARNESS = 8  # power of the cosine that counts: many strangers half as near must not weigh as much as one copy
REFUSALS = 2  # failed proofs between two connected parts, the first of their likely centres, that end the asking
ROUNDS = 3  # of asking whether a centre also matches what it reaches only through others


@dataclass(slots=True)
class Confirmed:
    """Pairs that belong together, and how they were found."""

    matches: list[Match]
    candidates: int = 0
    proven: int = 0
    recalled: int = 0


def confirm(
    pictures: NDArray[np.void],
    parts: NDArray[np.void],
    files: Mapping[Digest, Sequence[File]],
    again: Again,
    rank: groups.Rank,
    thresholds: Thresholds,
    store: Store,
    threads: int,
    on_progress: OnProgress,
    apart: groups.Pairs = frozenset(),
) -> Confirmed:
    """The confirmed pairs among pictures (PICTURE rows, sorted by digest), but for those that someone set apart.

    parts: PART rows of these pictures; without the proof they are not looked at, as a part in common is no proof.
    again: reads the files that the proof looks at.
    """
    digests = [row.tobytes() for row in pictures["digest"]]
    on_progress(Progress("search", 0, len(digests)))
    found = candidates(pictures, parts[:0] if thresholds.verify == "never" else parts, thresholds)
    if apart:
        found = found[np.array([(digests[i], digests[j]) not in apart for i, j, *_ in found.tolist()], bool)]
    on_progress(Progress("search", len(digests), len(digests)))
    if thresholds.verify == "never":
        plain = (pictures["detail"][found["i"]] < LEAST_DETAIL) | (pictures["detail"][found["j"]] < LEAST_DETAIL)
        matches = [
            Match(digests[i], digests[j], Kind.DUPLICATE, int(d), float(c), None, float(c))
            for i, j, d, c in found[~plain].tolist()
        ]
        return Confirmed(matches, len(found))
    likely = _likely_centres(found, pictures, digests, rank)
    with Provers(KnownContents(files, again, store), threads) as provers:
        proof = _Proof(pictures, digests, files, provers, store, on_progress, likely, apart, len(found))
        pairs = _by_neighbourhood(found, digests, likely)
        if thresholds.verify == "always":
            proof.decide_all([pair for _, pair in pairs])
        else:
            proof.decide(pairs)
        for _ in range(ROUNDS):
            asked = groups.missing_spokes(proof.matches, rank, proof.verdicts.keys(), apart)
            spokes = [(min(pair), max(pair)) for pair in asked]
            if not spokes:
                break
            proof.total += len(spokes)
            proof.decide_all(spokes)
    return Confirmed(proof.matches, len(found), proof.proven, proof.recalled)


def candidates(pictures: NDArray[np.void], parts: NDArray[np.void], thresholds: Thresholds) -> search.Candidates:
    """The pairs of pictures worth a look (CANDIDATE rows of their positions), by the best of their wholes and parts."""
    digests = [row.tobytes() for row in pictures["digest"]]
    owners = np.array([_place(digests, row.tobytes()) for row in parts["digest"]], np.int64)
    return search.candidates(
        pictures["code"].astype(np.uint64),
        pictures["latent"],
        thresholds.radius,
        thresholds.cosine,
        thresholds.candidates,
        search.Parts(parts["code"].astype(np.uint64), parts["latent"], owners) if len(parts) else None,
    )


def _likely_centres(
    found: search.Candidates, pictures: NDArray[np.void], digests: Sequence[Digest], rank: groups.Rank
) -> groups.Rank:
    """The digests' places among the likely centres of groups: near to most of their candidates, then by rank.

    An original is nearer to its copies than these are to each other, and from it most of them are whole frames, which
    are cheap to prove. What is near for its parts, as collages are, makes no centre.
    """
    near = np.zeros(len(digests))
    for start in range(0, len(found), PAIRS_AT_ONCE):
        some = found[start : start + PAIRS_AT_ONCE]
        a, b = (pictures["latent"][some[side]].astype(np.float32) for side in ("i", "j"))
        whole = cosines(np.vecdot(a, b).astype(np.float64), (np.vecdot(a, a) * np.vecdot(b, b)).astype(np.float64))
        for side in ("i", "j"):
            np.add.at(near, some[side], np.maximum(whole, 0) ** NEARNESS)
    order = sorted(range(len(digests)), key=lambda place: (-near[place], rank[digests[place]]))
    return {digests[place]: (number,) for number, place in enumerate(order)}


def _by_neighbourhood(
    found: NDArray[np.void], digests: Sequence[Digest], rank: groups.Rank
) -> Iterator[tuple[int, Pair]]:
    """Candidate pairs with the number of their connected neighbourhood.

    Each neighbourhood is walked from its first picture by rank to neighbour after neighbour, so that views are used
    again; each picture's best pairs come first.
    """
    edges: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for i, j, _, cosine in found.tolist():
        edges[i].append((-cosine, j))
        edges[j].append((-cosine, i))
    visited: set[int] = set()
    for number, start in enumerate(sorted(edges, key=lambda place: rank[digests[place]])):
        todo = [start]
        while todo:
            here = todo.pop()
            if here in visited:
                continue
            visited.add(here)
            near = sorted(edges[here])
            for _, there in near:
                if there not in visited:
                    a, b = digests[here], digests[there]
                    yield number, (min(a, b), max(a, b))
            todo.extend(there for _, there in reversed(near))


@dataclass(slots=True)
class _Proof:
    """Verdicts from the store where there are any, by proof otherwise."""

    pictures: NDArray[np.void]
    digests: list[Digest]
    files: Mapping[Digest, Sequence[File]]
    provers: Provers
    store: Store
    on_progress: OnProgress
    rank: groups.Rank
    apart: groups.Pairs
    total: int
    done: int = 0
    proven: int = 0
    recalled: int = 0
    matches: list[Match] = field(default_factory=list)
    verdicts: dict[Pair, Verdict] = field(default_factory=dict)
    connected: groups.Connected = field(default_factory=groups.Connected)  # the roots are the likely centres
    refused: Counter[frozenset[Digest]] = field(default_factory=Counter)  # between the parts of two roots

    def decide(self, pairs: Iterator[tuple[int, Pair]]) -> None:
        """Decide pairs, given with their neighbourhood, but for those that others connect."""
        waiting: list[tuple[int, Pair]] = []
        while waiting := waiting + list(islice(pairs, WINDOW - len(waiting))):
            before = len(waiting)
            waiting = [item for item in waiting if not self._is_settled(item[1])]
            self.done += before - len(waiting)
            self._decide_chunk(self._choose(waiting))
        self.store.commit()

    def _is_settled(self, pair: Pair) -> bool:
        roots = self._roots(pair)
        return pair in self.verdicts or len(roots) == 1 or self.refused[roots] >= REFUSALS

    def _roots(self, pair: Pair) -> frozenset[Digest]:
        return frozenset(map(self.connected.root, pair))

    def _choose(self, waiting: Sequence[tuple[int, Pair]]) -> list[Pair]:
        """The next pairs to prove side by side; the choice does not depend on the threads.

        What would join two connected parts is first asked of their roots, the likely centres, which every member has to
        match in the end. So that parts grow around their centres, each neighbourhood gives its next pair only; where
        there are few neighbourhoods, further pairs of parts that no other pair could join meanwhile.
        """
        next_ones: dict[int, Pair] = {}
        further = [pair for number, pair in waiting if next_ones.setdefault(number, pair) is not pair]
        chunk: list[Pair] = []
        touched: set[Digest] = set()
        for pairs, limit in ((next_ones.values(), CHUNK), (further, FEW)):
            for pair in pairs:
                roots = sorted(self.connected.root(digest) for digest in pair)
                if len(chunk) < limit and touched.isdisjoint(roots):
                    touched.update(roots)
                    spoke = (roots[0], roots[1])
                    chunk.append(pair if spoke in self.verdicts or spoke in self.apart else spoke)
        return chunk

    def _join(self, pair: Pair) -> None:
        """A picture that matches what a root did not is the better root; else the first by rank is."""
        roots = {self.connected.root(digest) for digest in pair}
        better = [digest for digest in pair if digest not in roots]
        self.connected.join(*pair, min(better or roots, key=self.rank.__getitem__))

    def decide_all(self, pairs: Sequence[Pair]) -> None:
        """Decide pairs whether others connect them or not."""
        for start in range(0, len(pairs), CHUNK):
            self._decide_chunk(pairs[start : start + CHUNK])
            self.done += CHUNK
        self.store.commit()

    def _decide_chunk(self, chunk: Sequence[Pair]) -> None:
        known = self.store.verdicts(verify.VERSION, chunk)
        new = [pair for pair in chunk if pair not in known]
        fresh = dict(zip(new, self.provers.map([self._original_first(pair) for pair in new]), strict=True))
        # A file that is away today may be back tomorrow: only what was seen is remembered.
        self.store.put_verdicts(verify.VERSION, {p: v for p, v in fresh.items() if not v.reason.startswith(ABSENT)})
        self.recalled += len(known)
        self.proven += len(fresh)
        for pair in chunk:
            verdict = known.get(pair) or fresh[pair]
            self.verdicts[pair] = verdict
            if not verdict.accepted:
                self.refused[self._roots(pair)] += 1
            else:
                self._join(pair)
                self.matches.append(self._match(pair, verdict))
        self.on_progress(Progress("prove", min(self.done, self.total), self.total, "pairs"))

    def _original_first(self, pair: Pair) -> Pair:
        first, second = sorted(pair, key=self._precedence)
        return first, second

    def _precedence(self, digest: Digest) -> tuple[int, int, Digest]:
        row = self.pictures[_place(self.digests, digest)]
        return *precedence(int(row["width"]), int(row["height"]), self.files[digest][0].size), digest

    def _match(self, pair: Pair, verdict: Verdict) -> Match:
        pair = self._original_first(pair)
        a, b = (self.pictures[_place(self.digests, digest)] for digest in pair)
        distance = int(np.bitwise_count(np.uint64(a["code"]) ^ np.uint64(b["code"])))
        cosine = cosine_of(a["latent"], b["latent"])
        return Match(pair[0], pair[1], Kind.DUPLICATE, distance, cosine, verdict.relation, verdict.confidence)


def precedence(width: int, height: int, size: int) -> tuple[int, int]:
    """What sorts the likely original of two pictures first: more pixels, then more bytes (`size`).

    A verdict's relation, and its map, lead from that one to the other; where both are equal, from the smaller digest.
    """
    return -width * height, -size


def cosine_of(a: NDArray[np.int8], b: NDArray[np.int8]) -> float:
    """Cosine of two int8 latents (128,), -1..1; 0 where one has no direction."""
    x, y = a.astype(np.int64), b.astype(np.int64)
    length = float(np.sqrt(float(x @ x) * float(y @ y)))
    return float(x @ y) / length if length else 0.0


def _place(digests: Sequence[Digest], digest: Digest) -> int:
    return bisect_left(digests, digest)
