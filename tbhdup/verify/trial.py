"""The trial of one proposed map: frame, tile test, rules, and the map refined while that helps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tbhdup.verify import glance, maps
from tbhdup.verify.propose import Proposal
from tbhdup.verify.relation import Evidence, has_moved, shares
from tbhdup.verify.rules import Finding, exactness, is_spotted, is_sure, judge
from tbhdup.verify.tiles import (
    Frame,
    Tiles,
    astray,
    compare,
    make_frame,
    on_ground,
    reduced,
    refine,
    sharper,
    smoothed,
)
from tbhdup.verify.view import COARSE, SHADED, SIDE, View

LEAST_WHOLE = 0.6  # share of one of the pictures that the other must show: less is a part in common, not a copy
ROUNDS = 3  # of the tile test, while the map is refined
SMALL_ROUNDS = 2  # of that on the thumbnails
NOISY = 3.0  # grey levels of noise that hide detail of one pixel's size
STILL = 0.004  # distance between maps, of the side: a whole-frame map that would move by less is right as it is
WORTH = 0.01  # share of agreeing tiles that a round must gain for another one to be worth it
MOST_ENLARGED = 1.3  # times that a part may be enlarged to thumbnail size and still tell how sharp it is
PARALLAX = 0.35  # pixels by which parts of a scene lie astray under the best map: of a copy's few do
PARALLAX_ROUNDS = 5  # of refining, a pixel at a time, before they are said to
ANOTHER_SHOT = "perhaps another shot of the scene"
HOPE = 0.3  # share of agreeing tiles that makes a map worth refining


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared under a map, and what the tiles said.

    map        from a to b
    negative   b shows a's negative
    to_a       map from the unit square that the tiles divide to a's; to_b: to b's
    tiles      None: nothing was compared tile by tile at full size
    """

    map: maps.Map
    negative: bool
    to_a: maps.Map
    to_b: maps.Map
    tiles: Tiles | None

    @staticmethod
    def untried(proposal: Proposal) -> Compared:
        """A map that was taken, or given up, without a tile test."""
        return Compared(proposal.map, proposal.negative, np.eye(3), proposal.map, None)

    def turned(self) -> Compared:
        """The same, seen from b."""
        return Compared(np.linalg.inv(self.map), self.negative, self.to_b, self.to_a, self.tiles)


class Outcome(NamedTuple):
    """What comes of a proposal. No evidence: not accepted. Nothing compared: there is no map."""

    finding: Finding
    evidence: Evidence | None = None
    compared: Compared | None = None

    def turned(self) -> Outcome:
        """The same, seen from b."""
        evidence, compared = self.evidence, self.compared
        return Outcome(self.finding, evidence and evidence.turned(), compared and compared.turned())


def try_small(a: View, b: View, proposal: Proposal) -> Outcome | Proposal:
    """What comes of a proposal if the thumbnails settle it, as far more of them agrees than has to; no file is read.

    Else the proposal, with its map as far as it could be refined.
    """
    part_a, part_b = shares(proposal.map)
    if part_b > part_a:
        return try_small(b, a, proposal.turned()).turned()
    if part_a < LEAST_WHOLE or any(glance.ground(view).could_be_page for view in (a, b)):
        return proposal
    m = proposal.map
    for _ in range(SMALL_ROUNDS if proposal.inliers else 1):
        frame = make_frame(a.small, b.small, m, COARSE) if maps.is_sane(m) else None
        if frame is None:
            return proposal
        tiles = compare(frame, proposal.negative)
        finding = judge(tiles, on_ground(frame, glance.ground(a).level), False, shares(m))
        if finding.accepted and is_sure(tiles, finding, has_moved(a, b, m)):
            if proposal.inliers == 0 and not finding.overlaid:  # else the edges of a frame around it would count
                finding = replace(finding, overlaid=bool(tiles.differ.any()))
                if not finding.overlaid and is_spotted(tiles):
                    return proposal
            m = refine(tiles, frame, m)
            evidence, compared = _seen(proposal, m, frame, tiles, finding, _sharper(a, b, frame, m, COARSE))
            return Outcome(finding, evidence, replace(compared, tiles=None))
        m = refine(tiles, frame, m)
    return replace(proposal, map=m) if proposal.inliers and maps.is_sane(m) else proposal


@dataclass(frozen=True, slots=True)
class _Trial:
    map: maps.Map
    frame: Frame
    tiles: Tiles
    finding: Finding

    @property
    def merit(self) -> tuple[bool, bool, float]:
        return self.finding.accepted, not self.finding.overlaid, self.finding.share


def try_map(a: View, b: View, proposal: Proposal) -> Outcome:
    """What comes of one proposal; the frame is that of the picture that is shown more completely."""
    part_a, part_b = shares(proposal.map)
    if part_b > part_a:
        return try_map(b, a, proposal.turned()).turned()
    best = _best_trial(a, b, proposal)
    if best is None:
        return Outcome(Finding(False, 0.7, reason="they share a part only"), None, Compared.untried(proposal))
    finer = _sharper(a, b, best.frame, best.map, SIDE)
    evidence, compared = _seen(proposal, best.map, best.frame, best.tiles, best.finding, finer)
    if not best.finding.accepted:
        return Outcome(best.finding, None, compared)
    if has_moved(a, b, best.map) and not (a.block or b.block) and _has_parallax(a, b, best, proposal.negative):
        return Outcome(replace(best.finding, accepted=False, confidence=0.5, reason=ANOTHER_SHOT), None, compared)
    return Outcome(best.finding, evidence, compared)


def _has_parallax(a: View, b: View, trial: _Trial, negative: bool) -> bool:
    """Whether no one map takes all parts of the scene to their places, as near and far ones moved differently."""
    m, frame, tiles = trial.map, trial.frame, trial.tiles
    for _ in range(PARALLAX_ROUNDS):
        if astray(tiles) < PARALLAX:
            return False
        m = refine(tiles, frame, m)
        finer = make_frame(a.image, b.image, m) if maps.is_sane(m) else None
        if finer is None:
            return False
        frame, tiles = finer, compare(finer, negative)
    return astray(tiles) >= PARALLAX


def _seen(
    proposal: Proposal, m: maps.Map, frame: Frame, tiles: Tiles, finding: Finding, finer: float
) -> tuple[Evidence, Compared]:
    """What was found under a map that came of a proposal, and what was compared."""
    agreement = float(np.median(tiles.correlation[tiles.both])) if tiles.both.any() else 0.0
    exact = exactness(tiles.correlation[tiles.agree])
    evidence = Evidence(m, proposal.negative, proposal.inliers, agreement, exact, finding.overlaid, finer)
    return evidence, Compared(m, proposal.negative, frame.to_a, m @ frame.to_a, tiles)


def _sharper(a: View, b: View, frame: Frame, m: maps.Map, side: int) -> float:
    """How many times finer a's detail is than b's, at thumbnail size; 1 where a small part of one cannot tell.

    side: of what the frame was made from, pixels.
    """
    factor = max(frame.a.shape) / COARSE
    if max(_scales(a, b, frame, m)) * SIDE / side > MOST_ENLARGED * max(factor, 1):
        return 1.0
    small = reduced(frame, factor) if factor > 1 else frame
    return sharper(smoothed(small.a), smoothed(small.b))


def _best_trial(a: View, b: View, proposal: Proposal) -> _Trial | None:
    best: _Trial | None = None
    m = proposal.map
    for _ in range(ROUNDS):
        if not maps.is_sane(m):
            break
        parts = shares(m)
        frame = make_frame(a.image, b.image, m) if max(parts) >= LEAST_WHOLE else None
        if frame is None:
            break
        trial = _trial(a, b, frame, m, parts, proposal.negative)
        if not trial.finding.accepted and (factor := _coarseness(a, b, frame, m)) > 1:
            coarse = _trial(a, b, reduced(frame, factor), m, parts, proposal.negative)
            if coarse.finding.accepted and not coarse.finding.overlaid:
                return coarse
        gained = trial.finding.share - best.finding.share if best else 1.0
        if best is None or trial.merit > best.merit:
            best = trial
        plain = trial.finding.accepted and not trial.finding.overlaid
        if plain or trial.finding.share < HOPE or gained < WORTH:
            break
        before, m = m, refine(trial.tiles, frame, m)
        if proposal.inliers == 0 and maps.distance(before, m) < STILL:
            break
    return best


def _trial(a: View, b: View, frame: Frame, m: maps.Map, parts: tuple[float, float], negative: bool) -> _Trial:
    tiles = compare(frame, negative)
    level, taken = a.ground
    is_page = a.is_page or (b.is_page and taken > SHADED)
    return _Trial(m, frame, tiles, judge(tiles, on_ground(frame, level), is_page, parts))


def _coarseness(a: View, b: View, frame: Frame, m: maps.Map) -> float:
    """How much smaller the frame should be for what a pixelated or noisy picture still shows; 1: as it is."""
    blocks = max(np.array([a.block, b.block]) * _scales(a, b, frame, m))
    return max(float(blocks) / 2, 2.0 if max(a.noise, b.noise) >= NOISY else 1.0)


def _scales(a: View, b: View, frame: Frame, m: maps.Map) -> tuple[float, float]:
    """How many pixels of the frame a pixel of a's view is long, and one of b's."""
    height, width = frame.a.shape
    area_a, area_b = a.area, b.area
    on_a = width * height / (abs(np.linalg.det(frame.to_a)) * area_a)
    slope = maps.linearised(m, np.array([0.5, 0.5]))[:2, :2]
    growth = abs(np.linalg.det(slope)) * area_b / area_a
    return float(np.sqrt(on_a)), float(np.sqrt(on_a / growth))
