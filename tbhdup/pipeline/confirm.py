"""From codes and latents to confirmed pairs: candidates by code, filtered by latent, decided on pixels."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128

from tbhdup import groups, search, verify
from tbhdup.calibration import cosines
from tbhdup.pipeline.provers import Inquiry, Pair, Provers
from tbhdup.pipeline.views import ABSENT, Again, KnownContents
from tbhdup.store import Store
from tbhdup.values import Digest, File, Kind, Match, OnProgress, Outcome, Progress, Thresholds, Verdict

MANY = 1000  # pictures that are new: of so many, pairs will have to be proven
WINDOW = 256  # pairs of a neighbourhood among which the next ones are chosen
AT_ONCE = 8  # pairs that are chosen at a time where a neighbourhood has more than a window of them
LEAST_DETAIL = 8  # of 256 blocks; a picture with less matches nothing without the proof
PAIRS_AT_ONCE = 1 << 14  # whose latents are compared
NEARNESS = 8  # power of the cosine that counts: many strangers half as near must not weigh as much as one copy
REFUSALS = 2  # failed proofs between two connected parts, the first of their likely centres, that end the asking for a
# close pair, nearer than halfway from the least cosine to 1; for any other the first one does
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
    new: int = 0,
) -> Confirmed:
    """The confirmed pairs among pictures (PICTURE rows, sorted by digest), but for those that someone set apart.

    parts: PART rows of these pictures; without the proof they are not looked at, as a part in common is no proof.
    again: reads the files that the proof looks at. new: how many of the pictures have just come into the store.
    What comes of it hangs on the pictures, their ranks, the thresholds and `apart` alone: the store keeps it, and it is
    not worked out twice.
    """
    digests = [row.tobytes() for row in pictures["digest"]]
    look = partial(_search, pictures, digests, thresholds, apart, on_progress)
    if thresholds.verify == "never":
        return _unproven(look(parts[:0]), pictures, digests)
    proof = _Proof(pictures, files, store, on_progress)
    question = _question(pictures, parts, rank, thresholds, apart)
    if (recalled := proof.recall(question)) is not None:
        return recalled
    with Provers(KnownContents(files, again, store), threads, many=new >= MANY) as provers:
        found = look(parts)
        likely = _likely_centres(found, pictures, digests, rank)
        proof.total = len(found)
        decide = (
            proof.decide_all
            if thresholds.verify == "always"
            else partial(_connect, proof, likely, apart, thresholds.cosine)
        )
        provers.settle(_inquire(proof, decide(near), rank, apart) for near in _neighbourhoods(found, digests, likely))
    store.commit()
    if not proof.away:
        confirmed = tuple((min(match.a, match.b), max(match.a, match.b)) for match in proof.matches)
        store.put_outcome(question, Outcome(len(found), proof.proven + proof.recalled, confirmed))
    return Confirmed(_in_order(proof.matches), len(found), proof.proven, proof.recalled)


def _question(
    pictures: NDArray[np.void],
    parts: NDArray[np.void],
    rank: groups.Rank,
    thresholds: Thresholds,
    apart: groups.Pairs,
) -> Digest:
    """A digest of all that the confirmed pairs hang on."""
    by_rank: list[Digest] = sorted(rank, key=rank.__getitem__)
    state = xxh3_128(repr((verify.VERSION, thresholds, len(pictures), len(parts))).encode())
    for piece in (pictures.tobytes(), parts.tobytes(), *by_rank, *sorted(a + b for a, b in apart)):
        state.update(piece)
    return state.digest()


def _search(
    pictures: NDArray[np.void],
    digests: Sequence[Digest],
    thresholds: Thresholds,
    apart: groups.Pairs,
    on_progress: OnProgress,
    parts: NDArray[np.void],
) -> search.Candidates:
    """The candidates that nobody set apart."""
    on_progress(Progress("search", 0, len(digests)))
    found = candidates(pictures, parts, thresholds)
    if apart:
        found = found[np.array([(digests[i], digests[j]) not in apart for i, j, *_ in found.tolist()], bool)]
    on_progress(Progress("search", len(digests), len(digests)))
    return found


def _unproven(found: search.Candidates, pictures: NDArray[np.void], digests: Sequence[Digest]) -> Confirmed:
    """Every candidate as a match, but for pictures in which there is next to nothing to see."""
    plain = (pictures["detail"][found["i"]] < LEAST_DETAIL) | (pictures["detail"][found["j"]] < LEAST_DETAIL)
    matches = [
        Match(digests[i], digests[j], Kind.DUPLICATE, int(d), float(c), None, float(c))
        for i, j, d, c in found[~plain].tolist()
    ]
    return Confirmed(matches, len(found))


def _in_order(matches: Sequence[Match]) -> list[Match]:
    """Whichever neighbourhood came first."""
    return sorted(matches, key=lambda match: (match.a, match.b))


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


Near = Mapping[Pair, float]
"""Candidate pairs, the smaller digest of each first, in the order in which they are looked at, with their cosines."""


def _neighbourhoods(found: search.Candidates, digests: Sequence[Digest], rank: groups.Rank) -> Iterator[Near]:
    """The candidate pairs of each connected neighbourhood.

    Those of its first picture by rank come first, and so on, so that what is near a centre meets it before it meets the
    others there; a picture's best pairs come first.
    """
    order = np.array([rank[digest][0] for digest in digests])
    first, second = np.sort([order[found["i"]], order[found["j"]]], axis=0)
    found = found[np.lexsort((second, -found["cosine"], first))]
    connected = groups.Connected()
    for i, j in zip(found["i"].tolist(), found["j"].tolist(), strict=True):
        connected.join(digests[i], digests[j])
    numbers: dict[Digest, int] = {}
    number = np.array([numbers.setdefault(connected.root(digests[i]), len(numbers)) for i in found["i"].tolist()])
    together = np.argsort(number, kind="stable")
    for some in np.split(found[together], np.flatnonzero(np.diff(number[together])) + 1):
        pairs = ((digests[i], digests[j], cosine) for i, j, _, cosine in some.tolist())
        yield {(min(a, b), max(a, b)): cosine for a, b, cosine in pairs}


Deciding = Generator[Sequence[Pair], Sequence[Verdict], dict[Pair, Verdict]]
"""Asks for proofs as an Inquiry does, and ends with the verdicts of all pairs that it looked at."""


@dataclass(slots=True)
class _Proof:
    """Verdicts from the store where there are any, by proof otherwise."""

    pictures: NDArray[np.void]
    files: Mapping[Digest, Sequence[File]]
    store: Store
    on_progress: OnProgress
    total: int = 0
    done: int = 0
    proven: int = 0
    recalled: int = 0
    away: int = 0  # pairs that could not be looked at
    matches: list[Match] = field(default_factory=list)
    places: dict[Digest, int] = field(init=False)
    sizes: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.places = {row.tobytes(): place for place, row in enumerate(self.pictures["digest"])}
        self.sizes = self.pictures[["width", "height"]].tolist()

    def decide(self, pairs: Sequence[Pair]) -> Deciding:
        """Decide some pairs, side by side."""
        known = self.store.verdicts(verify.VERSION, pairs)
        new = [pair for pair in pairs if pair not in known]
        fresh: dict[Pair, Verdict] = {}
        if new:
            fresh.update(zip(new, (yield [self._original_first(pair) for pair in new]), strict=True))
        # A file that is away today may be back tomorrow: only what was seen is remembered.
        there = {pair: verdict for pair, verdict in fresh.items() if not verdict.reason.startswith(ABSENT)}
        self.store.put_verdicts(verify.VERSION, there)
        self.away += len(fresh) - len(there)
        self.recalled += len(known)
        self.proven += len(fresh)
        return {pair: known.get(pair) or fresh[pair] for pair in pairs}

    def decide_all(self, near: Near) -> Deciding:
        """Decide every pair, whether others connect it or not."""
        pairs = list(near)
        verdicts: dict[Pair, Verdict] = {}
        for start in range(0, len(pairs), WINDOW):
            some = pairs[start : start + WINDOW]
            verdicts |= yield from self.decide(some)
            self.advance(len(some))
        return verdicts

    def advance(self, pairs: int) -> None:
        """So many more pairs are settled."""
        self.done += pairs
        self.on_progress(Progress("prove", self.done, self.total, "pairs"))

    def recall(self, question: Digest) -> Confirmed | None:
        """What came of it before; None: that is not known."""
        outcome = self.store.outcome(question)
        if outcome is None:
            return None
        verdicts = self.store.verdicts(verify.VERSION, outcome.confirmed)
        if len(verdicts) < len(outcome.confirmed):
            return None
        return Confirmed(_in_order(self.matches_among(verdicts)), outcome.candidates, 0, outcome.asked)

    def matches_among(self, verdicts: Mapping[Pair, Verdict]) -> list[Match]:
        """The pairs that were accepted."""
        return [self._match(pair, verdict) for pair, verdict in verdicts.items() if verdict.accepted]

    def _original_first(self, pair: Pair) -> Pair:
        first, second = sorted(pair, key=self._precedence)
        return first, second

    def _precedence(self, digest: Digest) -> tuple[int, int, Digest]:
        return *precedence(*self.sizes[self.places[digest]], self.files[digest][0].size), digest

    def _match(self, pair: Pair, verdict: Verdict) -> Match:
        pair = self._original_first(pair)
        a, b = (self.pictures[self.places[digest]] for digest in pair)
        distance = int(np.bitwise_count(np.uint64(a["code"]) ^ np.uint64(b["code"])))
        cosine = self.cosine(*pair)
        return Match(pair[0], pair[1], Kind.DUPLICATE, distance, cosine, verdict.relation, verdict.confidence)

    def cosine(self, a: Digest, b: Digest) -> float:
        """Of two pictures as wholes, whether a search would propose them or not."""
        return cosine_of(*(self.pictures[self.places[digest]]["latent"] for digest in (a, b)))


def _inquire(proof: _Proof, deciding: Deciding, rank: groups.Rank, apart: groups.Pairs) -> Inquiry:
    """Find the matches of a neighbourhood; at the end, whether a centre also matches what others connect to it."""
    verdicts = yield from deciding
    matches = proof.matches_among(verdicts)
    for _ in range(ROUNDS):
        spokes = groups.missing_spokes(matches, rank, verdicts.keys(), apart)
        if not spokes:
            break
        proof.total += len(spokes)
        further = yield from proof.decide([(min(pair), max(pair)) for pair in spokes])
        proof.advance(len(spokes))
        matches += proof.matches_among(further)
        verdicts |= further
    proof.matches += matches


def _connect(proof: _Proof, rank: groups.Rank, apart: groups.Pairs, least: float, near: Near) -> Deciding:
    """Find what is connected in a neighbourhood, by few proofs.

    rank: of the likely centres. least: cosine of candidates.

    What would join two connected parts is first asked of their roots, the likely centres, which every member has to
    match in the end. So that parts grow around them, a small neighbourhood asks for one pair at a time, a large one for
    pairs of parts that no other pair could join meanwhile.
    """
    parts = _Parts(rank, apart, near, least, proof.cosine)
    at_once = 1 if len(near) <= WINDOW else AT_ONCE
    left, waiting = iter(near), list[Pair]()
    while waiting := waiting + list(islice(left, WINDOW - len(waiting))):
        before = len(waiting)
        chosen, waiting = parts.choose(waiting, at_once)
        proof.advance(before - len(waiting))
        verdicts = yield from proof.decide(chosen)
        for pair, verdict in verdicts.items():
            parts.note(pair, verdict)
    return parts.verdicts


class _Parts:
    """The connected parts of a neighbourhood, as far as they are known. Their roots are the likely centres."""

    def __init__(
        self,
        rank: groups.Rank,
        apart: groups.Pairs,
        near: Near,
        least: float,
        cosine: Callable[[Digest, Digest], float],
    ) -> None:
        self.verdicts: dict[Pair, Verdict] = {}
        self._rank = rank
        self._apart = apart
        self._near = near
        self._least = least
        self._cosine = cosine  # of any two pictures
        self._connected = groups.Connected()
        self._refused: Counter[frozenset[Digest]] = Counter()  # between the parts of two roots

    def choose(self, waiting: Sequence[Pair], limit: int) -> tuple[list[Pair], list[Pair]]:
        """The next pairs to decide, and those that go on waiting; what others have settled is left out.

        In a pair's place its roots are asked for, unless they were already: then the pair itself.
        """
        chosen: list[Pair] = []
        waits: list[Pair] = []
        touched: set[Digest] = set()
        for number, pair in enumerate(waiting):
            if len(chosen) == limit:
                return chosen, waits + list(waiting[number:])
            roots = self._roots(pair)
            if pair in self.verdicts or len(roots) == 1 or self._refused[roots] >= self._refusals(pair):
                continue
            one, other = sorted(roots)
            itself = (one, other) in self.verdicts or (one, other) in self._apart
            if not itself and self._is_hopeless(pair, one, other):
                continue
            waits.append(pair)
            if touched.isdisjoint(roots):
                touched |= roots
                chosen.append(pair if itself else (one, other))
        return chosen, waits

    def _refusals(self, pair: Pair) -> int:
        """How many end the asking: a pair is close that is nearer than halfway from the least cosine to 1."""
        return REFUSALS if self._near[pair] >= (1 + self._least) / 2 else 1

    def _is_hopeless(self, pair: Pair, one: Digest, other: Digest) -> bool:
        """Whether the roots of a pair are no candidates and, taken together with it, not near enough to be."""
        return (one, other) not in self._near and self._near[pair] + self._cosine(one, other) < 2 * self._least

    def note(self, pair: Pair, verdict: Verdict) -> None:
        """A picture that matches what a root did not is the better root; else the first by rank is."""
        roots = self._roots(pair)
        self.verdicts[pair] = verdict
        if not verdict.accepted:
            self._refused[roots] += 1
        else:
            better = [digest for digest in pair if digest not in roots]
            self._connected.join(*pair, min(better or roots, key=self._rank.__getitem__))

    def _roots(self, pair: Pair) -> frozenset[Digest]:
        return frozenset(map(self._connected.root, pair))


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
