"""Prove that two pictures are one picture, edited, or say why not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tbhdup.values import Relation, Verdict
from tbhdup.verify import glance, maps
from tbhdup.verify.propose import PLENTY, Proposal, aligned, by_coarse_features, by_features
from tbhdup.verify.relation import Evidence, describe, is_another_shot
from tbhdup.verify.rules import SETTLED, Finding, other_page
from tbhdup.verify.tiles import count
from tbhdup.verify.trial import ANOTHER_SHOT, Compared, Outcome, try_map, try_small
from tbhdup.verify.view import SIDE, View

SAME_MAP = 0.005  # distance between maps, of the side: the same map need not be tried twice
TRIED = 2  # proposals from features that get a trial
SAME_LEVELS = 3.0  # by which squares of equal pixels may differ, on average, if one was drafted
# (446 photographs as JPEG and as PNG: 2.7 at most)
LEAST_SIDE = 24  # pixels: in less there is too little to see for a proof
LEAST_DETAIL = 10  # squares with texture in the whole picture
UNCHANGED = Proposal(np.eye(3), False, 0)
IDENTICAL = Relation(("identical pixels",))


def prove(a: View, b: View) -> Verdict:
    """Whether one of two pictures was made from the other; `relation` tells how b was made from a.

    Deterministic; `accepted` does not depend on the order of the two. Never raises on odd pictures.
    """
    return examine(a, b)[0]


def examine(a: View, b: View) -> tuple[Verdict, Compared | None]:
    """The verdict, and what it was found under: of a refused pair the map that comes nearest; None: there is none."""
    doubt = ""
    if _could_be_equal(a, b):
        try:
            equal = a.pixels() == b.pixels()
        except Exception as error:  # whatever a decoder raises: the pixels are not confirmed, and the views decide
            equal, doubt = False, f" (pixels not compared: {error})"
        if equal:
            return Verdict(True, 1.0, IDENTICAL), Compared.untried(UNCHANGED)
    if min(map(_least_side, (a, b))) < LEAST_SIDE:
        return Verdict(False, 0.5, None, "too small to compare" + doubt), None
    finding, evidence, compared = _decide(b, a).turned() if _is_later(a, b) else _decide(a, b)
    if evidence is None:
        return Verdict(False, finding.confidence, None, finding.reason + doubt), compared
    relation = describe(a, b, evidence)
    if is_another_shot(a, b, relation, evidence):
        return Verdict(False, 0.5, None, ANOTHER_SHOT + doubt), compared
    return Verdict(True, finding.confidence, relation), compared


def _could_be_equal(a: View, b: View) -> bool:
    if a.size != b.size or a.square.shape != b.square.shape:
        return False
    if a.drafted == b.drafted:
        return bool(np.array_equal(a.square, b.square))
    return float(np.abs(a.square.astype(np.int16) - b.square).mean()) <= SAME_LEVELS


def _least_side(view: View) -> float:
    """The shorter side of the loaded view, pixels, without loading it."""
    return min(view.size) * min(1.0, SIDE / max(view.size))


def _is_later(a: View, b: View) -> bool:
    """An order of pictures, so that a pair is always proven in one direction."""
    if a.size != b.size:
        return a.size > b.size
    return a.square.tobytes() > b.square.tobytes()


def _decide(a: View, b: View) -> Outcome:
    """Try the proposals in turn, cheap ones first, until one is accepted."""
    whole = aligned(a, b)
    if whole is not None:
        seen = glance.look(a, b, whole)
        if seen.same:
            finding = Finding(True, 0.5 + 0.5 * seen.exact, share=1.0)
            evidence = Evidence(whole.map, whole.negative, 0, seen.agreement, seen.exact, False, seen.sharper)
            return Outcome(finding, evidence, Compared.untried(whole))
        if seen.other_page:
            return Outcome(other_page(seen.share), None, Compared.untried(whole))
        if seen.hopeless:
            whole = None
    plain = any(glance.is_plain(view) for view in (a, b))
    best = Outcome(Finding(False, 1.0, reason="too little detail" if plain else "no map between them"))
    for proposal, is_firm in _proposals(a, b, whole):
        small = try_small(a, b, proposal)
        if isinstance(small, Outcome):
            return small
        if not is_firm:
            continue
        tried = try_map(a, b, small)
        if tried.evidence is not None:
            if min(count(view.textured) for view in (a, b)) < LEAST_DETAIL:
                return Outcome(Finding(False, 0.5, reason="too little detail"), None, tried.compared)
            return tried
        if tried.finding.share >= best.finding.share:
            best = tried
        if best.finding.share >= SETTLED:
            break
    return best


def _proposals(a: View, b: View, whole: Proposal | None) -> Iterator[tuple[Proposal, bool]]:
    """Each with whether it is worth a trial at full size; the best of each kind first."""
    if whole is not None:
        yield whole, True
    coarse = by_coarse_features(a, b)
    if coarse.proposals and coarse.proposals[0].inliers < PLENTY:
        yield coarse.proposals[0], False
    for proposal in by_features(a, b, coarse)[:TRIED]:
        if whole is None or maps.distance(proposal.map, whole.map) > SAME_MAP:
            yield proposal, True
