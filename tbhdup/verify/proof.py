"""Prove that two pictures are one picture, edited, or say why not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tbhdup.values import Relation, Verdict
from tbhdup.verify import maps
from tbhdup.verify.propose import Proposal, aligned, by_features
from tbhdup.verify.relation import Evidence, describe
from tbhdup.verify.rules import Finding
from tbhdup.verify.trial import try_map
from tbhdup.verify.view import View

SAME_MAP = 0.005  # distance between maps, of the side: the same map need not be tried twice
SETTLED = 0.7  # share of agreeing tiles at which a map is right, and what differs is content: no other map will do
TRIED = 2  # proposals from features that get a trial
SAME_LEVELS = 4.0  # grey levels by which the views of equal pixels may differ, on average: decoders take short cuts
LEAST_SIDE = 24  # pixels: in less there is too little to see for a proof
LEAST_DETAIL = 10  # squares with texture in the whole picture


def prove(a: View, b: View) -> Verdict:
    """Whether one of two pictures was made from the other; `relation` tells how b was made from a.

    Deterministic; `accepted` does not depend on the order of the two. Never raises on odd pictures.
    """
    doubt = ""
    if _could_be_equal(a, b):
        try:
            equal = a.pixels() == b.pixels()
        except Exception as error:  # whatever a decoder raises: the pixels are not confirmed, and the views decide
            equal, doubt = False, f" (pixels not compared: {error})"
        if equal:
            return Verdict(True, 1.0, Relation(("identical pixels",)))
    if min(*a.shape, *b.shape) < LEAST_SIDE:
        return Verdict(False, 0.5, None, "too small to compare" + doubt)
    if min(int(view.textured.sum()) for view in (a, b)) < LEAST_DETAIL:
        return Verdict(False, 0.5, None, "too little detail" + doubt)
    swapped = _is_later(a, b)
    finding, evidence = _decide(b, a) if swapped else _decide(a, b)
    if evidence is None:
        return Verdict(False, finding.confidence, None, finding.reason + doubt)
    return Verdict(True, finding.confidence, describe(a, b, evidence.turned() if swapped else evidence))


def _could_be_equal(a: View, b: View) -> bool:
    if a.size != b.size or a.image.shape != b.image.shape:
        return False
    return float(np.abs(a.grey - b.grey).mean()) <= SAME_LEVELS


def _is_later(a: View, b: View) -> bool:
    """An order of pictures, so that a pair is always proven in one direction."""
    if a.size != b.size:
        return a.size > b.size
    return a.image.tobytes() > b.image.tobytes()


def _decide(a: View, b: View) -> tuple[Finding, Evidence | None]:
    """Try the proposals in turn, cheap ones first, until one is accepted."""
    best = Finding(False, 1.0, reason="no map between them")
    for proposal in _proposals(a, b):
        finding, evidence = try_map(a, b, proposal)
        if evidence is not None:
            return finding, evidence
        if finding.share >= best.share:
            best = finding
        if best.share >= SETTLED:
            break
    return best, None


def _proposals(a: View, b: View) -> Iterator[Proposal]:
    whole = aligned(a, b)
    if whole is not None:
        yield whole
    for proposal in by_features(a, b)[:TRIED]:
        if whole is None or maps.distance(proposal.map, whole.map) > SAME_MAP:
            yield proposal
