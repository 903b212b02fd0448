"""From codes and latents to confirmed pairs: candidates by code, filtered by latent, decided on pixels."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tbhdup import groups, search, sources, verify
from tbhdup.store import Store
from tbhdup.values import Digest, Kind, Match, OnProgress, Progress, Thresholds, Verdict

Pair = tuple[Digest, Digest]
CHUNK = 32  # pairs proven at a time; between chunks, pairs that have become connected are left out
VIEWS = 320  # views kept in memory, about 1.5 MB each with their features
LEAST_DETAIL = 8  # of 256 blocks; a picture with less matches nothing without the proof
ROUNDS = 3  # of asking whether a centre also matches what it reaches only through others


class Views:
    """Views of pictures for the proof, read when first asked for; the least recently used go."""

    def __init__(self, paths: Mapping[Digest, Sequence[bytes]]) -> None:
        self._paths = paths
        self._kept: OrderedDict[Digest, verify.View | str] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: Digest) -> verify.View | str:
        """The view, or why there is none."""
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        view = self._load(digest)
        with self._lock:
            self._kept[digest] = view
            while len(self._kept) > VIEWS:
                self._kept.popitem(last=False)
        return view

    def _load(self, digest: Digest) -> verify.View | str:
        why = "no file of it is there"
        for path in self._paths.get(digest, ()):
            try:
                data = sources.read(path)
                if sources.digest(data) != digest:
                    why = "its file has changed since"
                    continue
                picture = sources.decode(data, verify.SIDE)
            except sources.Unusable as error:
                why = f"{error.reason}: {error.detail}"
                continue
            return view_of(picture, path)
        return why


def view_of(picture: sources.Decoded, path: bytes) -> verify.View:
    """What the proof looks at; the whole picture is decoded again only when two could be equal."""

    def pixels() -> bytes:
        return sources.digest(sources.decode(sources.read(path)).image.tobytes())

    return verify.View(sources.fit(picture, verify.SIDE), (picture.width, picture.height), pixels)


@dataclass(slots=True)
class Confirmed:
    """Pairs that belong together, and how they were found."""

    matches: list[Match]
    candidates: int = 0
    proven: int = 0
    recalled: int = 0


def confirm(
    pictures: NDArray[np.void],
    paths: Mapping[Digest, Sequence[bytes]],
    rank: groups.Rank,
    thresholds: Thresholds,
    store: Store,
    threads: int,
    on_progress: OnProgress,
) -> Confirmed:
    """The confirmed pairs among pictures (PICTURE rows, sorted by digest)."""
    digests = [row.tobytes() for row in pictures["digest"]]
    on_progress(Progress("search", 0, len(digests)))
    found = search.candidates(
        pictures["code"].astype(np.uint64),
        pictures["latent"],
        thresholds.radius,
        thresholds.cosine,
        thresholds.candidates,
    )
    on_progress(Progress("search", len(digests), len(digests)))
    if thresholds.verify == "never":
        plain = (pictures["detail"][found["i"]] < LEAST_DETAIL) | (pictures["detail"][found["j"]] < LEAST_DETAIL)
        matches = [
            Match(digests[i], digests[j], Kind.DUPLICATE, int(d), float(c), None, float(c))
            for i, j, d, c in found[~plain].tolist()
        ]
        return Confirmed(matches, len(found))
    proof = _Proof(pictures, digests, Views(paths), store, threads, on_progress)
    proof.total = len(found)
    with ThreadPoolExecutor(threads) as pool:
        proof.decide(_by_neighbourhood(found, digests), pool.map)
        for _ in range(ROUNDS):
            asked = groups.missing_spokes(proof.matches, rank, proof.verdicts.keys())
            spokes = [(min(pair), max(pair)) for pair in asked]
            if not spokes:
                break
            proof.total += len(spokes)
            proof.decide(iter(spokes), pool.map, skip_connected=False)
    return Confirmed(proof.matches, len(found), proof.proven, proof.recalled)


def _by_neighbourhood(found: NDArray[np.void], digests: Sequence[Digest]) -> Iterator[Pair]:
    """Candidate pairs, each picture's best first, walking from neighbour to neighbour so that views are used again."""
    edges: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for i, j, _, cosine in found.tolist():
        edges[i].append((-cosine, j))
        edges[j].append((-cosine, i))
    visited: set[int] = set()
    for start in sorted(edges):
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
                    yield min(a, b), max(a, b)
            todo.extend(there for _, there in reversed(near))


class _Connected:
    """Which pictures are linked by confirmed pairs (union by path halving)."""

    def __init__(self) -> None:
        self._parent: dict[Digest, Digest] = {}

    def root(self, digest: Digest) -> Digest:
        parent = self._parent.setdefault(digest, digest)
        while parent != digest:
            self._parent[digest] = self._parent[parent]
            digest, parent = parent, self._parent[parent]
        return digest

    def join(self, pair: Pair) -> None:
        self._parent[self.root(pair[0])] = self.root(pair[1])


@dataclass(slots=True)
class _Proof:
    """Verdicts from the store where there are any, by proof otherwise."""

    pictures: NDArray[np.void]
    digests: list[Digest]
    views: Views
    store: Store
    threads: int
    on_progress: OnProgress
    total: int = 0
    done: int = 0
    proven: int = 0
    recalled: int = 0
    matches: list[Match] = field(default_factory=list)
    verdicts: dict[Pair, Verdict] = field(default_factory=dict)
    connected: _Connected = field(default_factory=_Connected)

    def decide(
        self, pairs: Iterator[Pair], map_: Callable[..., Iterator[Verdict]], skip_connected: bool = True
    ) -> None:
        """Decide pairs in chunks of a fixed size, so that the outcome does not depend on the threads."""
        chunk: list[Pair] = []
        for pair in pairs:
            if skip_connected and self.connected.root(pair[0]) == self.connected.root(pair[1]):
                self.done += 1
                continue
            chunk.append(pair)
            if len(chunk) == CHUNK:
                self._decide_chunk(chunk, map_)
                chunk = []
        self._decide_chunk(chunk, map_)
        self.store.commit()

    def _decide_chunk(self, chunk: list[Pair], map_: Callable[..., Iterator[Verdict]]) -> None:
        known = self.store.verdicts(verify.VERSION, chunk)
        new = [pair for pair in chunk if pair not in known]
        fresh = dict(zip(new, map_(self._prove, new), strict=True))
        # A file that is away today may be back tomorrow: only what was seen is remembered.
        self.store.put_verdicts(verify.VERSION, {p: v for p, v in fresh.items() if not v.reason.startswith(ABSENT)})
        self.recalled += len(known)
        self.proven += len(fresh)
        for pair in chunk:
            verdict = known.get(pair) or fresh[pair]
            self.verdicts[pair] = verdict
            if verdict.accepted:
                self.connected.join(pair)
                self.matches.append(self._match(pair, verdict))
        self.done += len(chunk)
        self.on_progress(Progress("prove", min(self.done, self.total), self.total, "pairs"))

    def _prove(self, pair: Pair) -> Verdict:
        views = [self.views.get(digest) for digest in self._larger_first(pair)]
        for view in views:
            if isinstance(view, str):
                return Verdict(False, 0.0, None, f"{ABSENT}: {view}")
        return verify.prove(*views)  # type: ignore[arg-type]  # strings were sent back above

    def _larger_first(self, pair: Pair) -> Pair:
        """The likely original first: the relation tells how the smaller picture was made from the larger one."""
        sizes = [self.pictures[_place(self.digests, digest)][["width", "height"]].tolist() for digest in pair]
        first, second = (width * height for width, height in sizes)
        return pair if first >= second else (pair[1], pair[0])

    def _match(self, pair: Pair, verdict: Verdict) -> Match:
        pair = self._larger_first(pair)
        a, b = (self.pictures[_place(self.digests, digest)] for digest in pair)
        distance = int(np.bitwise_count(np.uint64(a["code"]) ^ np.uint64(b["code"])))
        cosine = cosine_of(a["latent"], b["latent"])
        return Match(pair[0], pair[1], Kind.DUPLICATE, distance, cosine, verdict.relation, verdict.confidence)


ABSENT = "not seen"


def cosine_of(a: NDArray[np.int8], b: NDArray[np.int8]) -> float:
    """Cosine of two int8 latents (128,), -1..1; 0 where one has no direction."""
    x, y = a.astype(np.int64), b.astype(np.int64)
    length = float(np.sqrt(float(x @ x) * float(y @ y)))
    return float(x @ y) / length if length else 0.0


def _place(digests: Sequence[Digest], digest: Digest) -> int:

    return bisect_left(digests, digest)
