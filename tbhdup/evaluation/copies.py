"""Recall of edited copies at measured false-match rates: by code, by latent, and by both as a scan joins them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tbhdup import calibration, search
from tbhdup.errors import UsageError
from tbhdup.evaluation.encoding import Encoded, encode
from tbhdup.evaluation.truth import Truth
from tbhdup.model.bits import balance, spread
from tbhdup.model.encoding import BatchEncoder
from tbhdup.values import CODE_BITS, OnProgress, Progress, Skip, Thresholds, quiet

RATES = (1e-6, 1e-5, 1e-4, 1e-3)
CURVE = tuple(10 ** (-step / 4) for step in range(28, 7, -1))  # 1e-7 .. 1e-2
TAIL = 16  # bits; false-match rates of the code are told up to this radius

STEPS = 10_000  # a cosine is counted as floor(cosine * STEPS): its level
NO_PAIR = CODE_BITS + 1  # the distance of a copy that could not be read


@dataclass(frozen=True, slots=True)
class Pairs:
    """Some pairs of pictures. distance: (k,) bits; level: (k,) of their cosine."""

    distance: NDArray[np.int64]
    level: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pair passes when its distance is at most `radius` and its cosine at least `level` / STEPS."""

    radius: int = CODE_BITS  # -1: nothing passes
    level: int = -STEPS  # STEPS + 1: nothing passes

    def passes(self, pairs: Pairs) -> NDArray[np.bool_]:
        return np.asarray((pairs.distance <= self.radius) & (pairs.level >= self.level))


@dataclass(frozen=True, slots=True)
class Strangers:
    """Pairs of pictures of different sources, counted. counts: (65, 2 * STEPS + 1), by distance and level + STEPS."""

    counts: NDArray[np.int64]

    @property
    def pairs(self) -> int:
        return int(self.counts.sum())

    def passing(self, rule: Rule) -> int:
        """How many pairs pass the rule."""
        return int(self.counts[: rule.radius + 1, rule.level + STEPS :].sum())

    def code_rule(self, rate: float) -> Rule:
        """The largest radius that at most this share of the pairs is within."""
        return Rule(radius=_allowed(self.counts.sum(axis=1), rate * self.pairs) - 1)

    def latent_rule(self, rate: float, radius: int = CODE_BITS) -> Rule:
        """The least cosine that, within the radius, at most this share of all pairs reaches."""
        descending = self.counts[: radius + 1].sum(axis=0)[::-1]
        return Rule(radius, STEPS + 1 - _allowed(descending, rate * self.pairs))


def _allowed(counts: NDArray[np.int64], most: float) -> int:
    """How many of the first values hold together at most `most` pairs."""
    return int(np.searchsorted(np.cumsum(counts), np.floor(most + 1e-9), side="right"))


@dataclass(frozen=True, slots=True)
class Figure:
    """What one rule finds and lets in."""

    measure: str  # code, latent, product; scan: the candidates of a scan; verify-never: its thresholds without proof
    asked: float | None  # the false-match rate that the rule was chosen for; None: the record chose it
    radius: int  # bits, inclusive; 64: any distance, -1: nothing passes
    cosine: float  # least cosine; -1: any
    strangers: int  # pairs of strangers that pass
    rate: float  # as a share of all pairs of strangers
    family: int  # pairs within one family that pass
    found: int  # edited copies that pass together with their own original
    recall: float
    by_edit: Mapping[str, float]  # recall of each edit


@dataclass(frozen=True, slots=True)
class Copies:
    """All figures of one evaluation."""

    model: str
    files: int
    pictures: int  # different contents
    skips: tuple[Skip, ...]
    edits: Mapping[str, int]  # how many copies of each edit there are
    strangers: int  # pairs
    family: int  # pairs within one family
    figures: tuple[Figure, ...]
    curves: Mapping[str, tuple[tuple[float, float], ...]]  # measure -> (false-match rate asked, recall)
    bits: Mapping[str, float]
    tail: tuple[float, ...]  # share of pairs of strangers within 0, 1 .. TAIL bits

    @property
    def copies(self) -> int:
        return sum(self.edits.values())


def evaluate(
    truth: Truth, weights: Path | None = None, device: str = "auto", on_progress: OnProgress = quiet
) -> Copies:
    """Encode the files and compare every pair of strangers, and every copy with its own original.

    Strangers are pictures of different sources, neither of which belongs to a family; edited copies count among them.
    A copy that cannot be read is not found. Memory: the network, 20 MB for the counts, some 10 kB a picture.
    Raises WeightsError for bad weights, UsageError for fewer than two strangers.
    """
    encoder = BatchEncoder(weights, device)
    encoded = encode([file.path for file in truth.files], encoder, on_progress)
    thresholds = calibration.Calibration.from_record(encoder.record.calibration).operating_point
    size = len(encoded.codes)
    scan, never = thresholds(size, verify=True), thresholds(size, verify=False)
    known = _describe(truth, encoded)
    strangers = _strangers(encoded, known, on_progress)
    clean = (known.family == -1) & known.unedited
    if not strangers.pairs or clean.sum() < 2:
        raise UsageError("there are no two readable, unedited pictures outside the families")
    own, alike = _own(truth, encoded), _alike(encoded, known)
    edits = [truth.files[place].edit for place in truth.copies]

    def figure(measure: str, rule: Rule, asked: float | None = None) -> Figure:
        passed = strangers.passing(rule)
        hits = rule.passes(own)
        return Figure(
            measure, asked, rule.radius, rule.level / STEPS, passed, passed / strangers.pairs,
            int(rule.passes(alike).sum()), int(hits.sum()), float(hits.mean()), recall_by_edit(edits, hits.tolist()),
        )  # fmt: skip

    rules: dict[str, Callable[[float], Rule]] = {
        "code": strangers.code_rule,
        "latent": strangers.latent_rule,
        "product": lambda rate: strangers.latent_rule(rate, scan.radius),
    }
    return Copies(
        model=encoder.record.model_id,
        files=len(truth.files),
        pictures=size,
        skips=encoded.skips,
        edits=dict(sorted(Counter(edits).items())),
        strangers=strangers.pairs,
        family=len(alike.distance),
        figures=(
            *(figure(measure, rule(rate), rate) for measure, rule in rules.items() for rate in RATES),
            _candidates(truth, encoded, known, strangers.pairs, scan),
            figure("verify-never", Rule(never.radius, round(never.cosine * STEPS))),
        ),
        curves={
            measure: tuple((rate, float(rule(rate).passes(own).mean())) for rate in CURVE)
            for measure, rule in rules.items()
        },
        bits={**balance(_bits(encoded.codes[clean])), **spread(strangers.counts.sum(axis=1))},
        tail=tuple((np.cumsum(strangers.counts.sum(axis=1))[: TAIL + 1] / strangers.pairs).tolist()),
    )


def _candidates(truth: Truth, encoded: Encoded, known: _Described, strangers: int, point: Thresholds) -> Figure:
    """What a scan would prove: with the parts, and only the best few of every picture."""
    parts = search.Parts(encoded.part_codes, encoded.part_latents, encoded.part_of)
    pairs = search.candidates(
        encoded.codes,
        encoded.latents,
        point.radius,
        point.cosine,
        point.candidates,
        parts if len(parts.codes) else None,
    )
    i, j = pairs["i"], pairs["j"]
    apart = known.source[i] != known.source[j]
    ordinary = (known.family[i] == -1) & (known.family[j] == -1)
    one_family = (known.family[i] == known.family[j]) & ~ordinary
    copy, original = _copies_and_originals(truth, encoded)
    own = np.minimum(copy, original) * len(encoded.codes) + np.maximum(copy, original)
    hits = (np.isin(own, i * len(encoded.codes) + j) & (np.minimum(copy, original) >= 0)) | (
        (copy == original) & (copy >= 0)
    )
    passed = int((apart & ordinary).sum())
    by_edit = recall_by_edit([truth.files[place].edit for place in truth.copies], hits.tolist())
    return Figure(
        "scan", None, point.radius, point.cosine, passed, passed / strangers, int((apart & one_family).sum()),
        int(hits.sum()), float(hits.mean()), by_edit,
    )  # fmt: skip


def recall_by_edit(edits: Sequence[str], found: Sequence[bool]) -> dict[str, float]:
    """Found copies as a share of all, for each edit."""
    of = Counter(edits)
    hits = Counter(edit for edit, hit in zip(edits, found, strict=True) if hit)
    return {edit: hits[edit] / count for edit, count in sorted(of.items())}


@dataclass(frozen=True, slots=True)
class _Described:
    """What the contents are, (m,) each; of files with one content the first one speaks."""

    source: NDArray[np.int64]
    family: NDArray[np.int64]  # -1: none
    unedited: NDArray[np.bool_]


def _describe(truth: Truth, encoded: Encoded) -> _Described:
    present, first = np.unique(encoded.content, return_index=True)
    files = [truth.files[place] for place in first[present >= 0]]
    sources = np.unique([file.source for file in files], return_inverse=True)[1]
    names, families = np.unique([file.family for file in files], return_inverse=True)
    nameless = np.array([name == "" for name in names], bool)
    return _Described(
        sources.astype(np.int64),
        np.where(nameless[families], -1, families).astype(np.int64) if files else np.empty(0, np.int64),
        np.array([not file.copy for file in files], bool),
    )


def _strangers(encoded: Encoded, known: _Described, on_progress: OnProgress) -> Strangers:
    ordinary = known.family == -1
    codes, latents, source = encoded.codes[ordinary], encoded.latents[ordinary], known.source[ordinary]
    width = 2 * STEPS + 1
    counts = np.zeros((CODE_BITS + 1) * width, np.int64)
    for number, (distance, cosine) in enumerate(calibration.unrelated(codes, latents, source)):
        on_progress(Progress("search", min(number * calibration.ROWS, len(codes)), len(codes)))
        counts += np.bincount(distance.astype(np.int64) * width + _level(cosine) + STEPS, minlength=len(counts))
    on_progress(Progress("search", len(codes), len(codes)))
    return Strangers(counts.reshape(-1, width))


def _alike(encoded: Encoded, known: _Described) -> Pairs:
    """All pairs of different sources within one family."""
    members: Mapping[int, list[int]] = defaultdict(list)
    for content, family in enumerate(known.family.tolist()):
        if family >= 0:
            members[family].append(content)
    return _gather(
        block
        for rows in members.values()
        for block in calibration.unrelated(encoded.codes[rows], encoded.latents[rows], known.source[rows])
    )


def _gather(blocks: Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]) -> Pairs:
    found = [(np.empty(0, np.uint8), np.empty(0, np.float32)), *blocks]
    distance, cosine = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(distance.astype(np.int64), _level(cosine))


def _own(truth: Truth, encoded: Encoded) -> Pairs:
    """Every edited copy with its own original, in the order of the copies."""
    copy, original = _copies_and_originals(truth, encoded)
    a, b = encoded.latents[copy].astype(np.float64), encoded.latents[original].astype(np.float64)
    level = _level(calibration.cosines(np.vecdot(a, b), np.vecdot(a, a) * np.vecdot(b, b)))
    distance = np.bitwise_count(encoded.codes[copy] ^ encoded.codes[original]).astype(np.int64)
    level[copy == original] = STEPS  # equal bytes are found whatever the latent says
    distance[(copy < 0) | (original < 0)] = NO_PAIR
    return Pairs(distance, level)


def _copies_and_originals(truth: Truth, encoded: Encoded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The contents of all copies, and of each one's original; -1: it could not be read."""
    originals = [truth.originals[truth.files[place].source] for place in truth.copies]
    return encoded.content[truth.copies], encoded.content[originals]


def _level(cosine: NDArray[np.float32]) -> NDArray[np.int64]:
    # 0.71 as float32 is a little less than 0.71, and must stand on that level all the same.
    return np.floor(cosine.astype(np.float64) * STEPS + 1e-3).astype(np.int64)


def _bits(codes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    octets = codes.astype("<u8").view(np.uint8).reshape(len(codes), CODE_BITS // 8)
    return np.unpackbits(octets, axis=1, bitorder="little").astype(bool)
