"""The trial of one proposed map: frame, tile test, rules, and the map refined while that helps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tbhdup.verify import glance, maps
from tbhdup.verify.propose import Proposal
from tbhdup.verify.relation import EXACT_BESIDE_ANOTHER, WHOLE, Evidence, has_moved, shares
from tbhdup.verify.rules import MANY_EXACT, Finding, exactness, is_spotted, is_sure, judge
from tbhdup.verify.tiles import (
    LEAST_TO_REFINE,
    Frame,
    Tiles,
    astray,
    compare,
    make_frame,
    median,
    on_ground,
    reduced,
    refine,
    sharper,
    smoothed,
)
from tbhdup.verify.view import COARSE, SHADED, SIDE, View

LEAST_WHOLE = 0.6  # share of one of the pictures that the other must show: less is a part in common, not a copy
MOST_FRAMED = 0.75  # share of a picture that another fills, and seams surround: of shots of shelves it is more
ROUNDS = 3  # of the tile test, while the map is refined
SMALL_ROUNDS = 2  # of that on the thumbnails
COARSEST = 6.0  # times that a frame is made smaller and still has tiles enough
NOISY = 3.0  # grey levels of noise that hide detail of one pixel's size
STILL = 0.004  # distance between maps, of the side: a whole-frame map that would move by less is right as it is
WORTH = 0.01  # share of agreeing tiles that a round must gain for another one to be worth it
MOST_ENLARGED = 1.3  # times that a part may be enlarged to thumbnail size and still tell how sharp it is
PARALLAX, PARALLAX_WHOLE = 0.15, 0.35  # pixels by which parts of a scene lie astray under the best map; of whole frames
# Of 4,800 edited copies 2 were refused for that.
PARALLAX_COVERED = 0.1  # the same of a whole frame that much seems to lie over, before its map is refined
COVERED = 0.85  # share of the agreeing tiles below which much does
HALF_EXACT = 0.5, 0.75  # share of them that is exact, then: of a copy more is; where less is, noise moves the tiles
PARALLAX_AREAS = 8  # along each side of the frame, in which that is told
PARALLAX_ROUNDS = 5  # of refining, a pixel at a time, before they are said to
DOUBT, DOUBT_WHOLE = 0.045, 0.06  # the same in pixels of thumbnails, where it is only asked for at full size,
MOST_DOUBT = 0.05  # and of a part, however much it was enlarged
DOUBT_AREAS, DOUBT_ROUNDS = 3, 2
ANOTHER_SHOT = "perhaps another shot of the scene"
HOPE = 0.3  # share of agreeing tiles that makes a map worth refining

# Whole frames whose detail noise, blocks or few colours hide: of 648 refused pairs of the nearest strangers none passes
COARSER = (3.0, 4.0)  # times that the frame is made smaller
MOST_KEPT = 0.3  # share of exact tiles at full size above which detail is there, and what differs is content
IN_PLACE = 0.01  # of the side: how far the corners may seem to lie from theirs
STEADY = 0.002  # of the side: how far parts of the scene may lie astray


Picture = NDArray[np.uint8]


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
        parts = shares(m)
        tiles = compare(frame, proposal.negative, measure_drift=min(parts) < WHOLE)
        finding = judge(tiles, on_ground(frame, glance.ground(a).level), False, parts)
        if finding.accepted and is_sure(tiles, finding, has_moved(a, b, m)):
            if proposal.inliers == 0 and not finding.overlaid:  # else the edges of a frame around it would count
                finding = replace(finding, overlaid=bool(tiles.differ.any()))
                if not finding.overlaid and is_spotted(tiles):
                    return proposal
            return _settled_small(a, b, proposal, _Trial(m, parts, frame, tiles, finding))
        m = refine(tiles, frame, m)
    return replace(proposal, map=m) if proposal.inliers and maps.is_sane(m) else proposal


@dataclass(frozen=True, slots=True)
class _Trial:
    map: maps.Map
    parts: tuple[float, float]  # of the two pictures that it shows
    frame: Frame
    tiles: Tiles
    finding: Finding

    @property
    def exact(self) -> float:
        return exactness(self.tiles.correlation[self.tiles.agree])

    def refined(self, a: Picture, b: Picture, negative: bool, side: int) -> _Trial:
        """The same of two pictures under the map that the drift of the tiles corrects; itself where there is none."""
        m = refine(self.tiles, self.frame, self.map)
        frame = make_frame(a, b, m, side) if maps.is_sane(m) else None
        if frame is None:
            return self
        return replace(self, map=m, parts=shares(m), frame=frame, tiles=compare(frame, negative, measure_drift=True))

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
    if best.finding.accepted:
        return _settled(a, b, proposal, best)
    coarse = _trial_in_place(a, b, proposal) if proposal.inliers == 0 and best.exact < MOST_KEPT else None
    if coarse is not None:
        return Outcome(coarse.finding, _evidence(a, b, proposal, coarse, SIDE), _compared(proposal, coarse))
    return Outcome(best.finding, None, _compared(proposal, best))


def _trial_in_place(a: View, b: View, proposal: Proposal) -> _Trial | None:
    """The trial of whole frames at a size at which nearly all agrees, and lies in its very place; None: at none.

    Two shots of a scene agree at such sizes, too, but never that exactly in place. A page's content is lost there.
    """
    frame = make_frame(a.image, b.image, proposal.map)
    if frame is None or a.is_page or b.is_page:
        return None
    for factor in COARSER:
        trial = _trial(a, b, reduced(frame, factor), proposal.map, shares(proposal.map), proposal.negative)
        plain = trial.finding.accepted and not trial.finding.overlaid
        if plain and np.count_nonzero(trial.tiles.agree) >= LEAST_TO_REFINE and _is_in_place(trial):
            return trial
    return None


def _is_in_place(trial: _Trial) -> bool:
    moved = maps.distance(trial.map, refine(trial.tiles, trial.frame, trial.map))
    return moved < IN_PLACE and astray(trial.tiles, DOUBT_AREAS) < STEADY * max(trial.frame.a.shape)


def _settled(a: View, b: View, proposal: Proposal, trial: _Trial) -> Outcome:
    """What comes of a trial that was accepted, at full size, under the map that refining leads to.

    It is refused where no one map takes all parts of the scene to their places, as near and far ones moved differently.
    """
    exact = EXACT_BESIDE_ANOTHER if max(trial.parts) < WHOLE else 0.0
    moved = _moved_beside_cover(a, b, trial)
    for _ in range(0 if moved else PARALLAX_ROUNDS):
        if trial.exact >= exact and not _has_parallax(a, b, trial):
            break
        trial = trial.refined(a.image, b.image, proposal.negative, SIDE)
    if moved or _has_parallax(a, b, trial):
        finding = replace(trial.finding, accepted=False, confidence=0.5, reason=ANOTHER_SHOT)
        return Outcome(finding, None, _compared(proposal, trial))
    return Outcome(trial.finding, _evidence(a, b, proposal, trial, SIDE), _compared(proposal, trial))


def _moved_beside_cover(a: View, b: View, trial: _Trial) -> bool:
    """Whether a scene moved as well as what seems to lie over it, as where another thing is held before one shelf."""
    covered = trial.finding.overlaid and trial.finding.share < COVERED and HALF_EXACT[0] <= trial.exact < HALF_EXACT[1]
    if not covered or min(trial.parts) < WHOLE or a.block or b.block:
        return False
    return astray(trial.tiles, PARALLAX_AREAS) >= PARALLAX_COVERED


def _has_parallax(a: View, b: View, trial: _Trial) -> bool:
    """Whether parts of the scene lie astray, which blocks would feign; a picture in a frame is no other shot."""
    if astray(trial.tiles, PARALLAX_AREAS) < (PARALLAX_WHOLE if min(trial.parts) >= WHOLE else PARALLAX):
        return False
    framed = max(trial.parts) >= WHOLE and min(trial.parts) < MOST_FRAMED and (a.is_joined or b.is_joined)
    return not (a.block or b.block or framed)


def _settled_small(a: View, b: View, proposal: Proposal, trial: _Trial) -> Outcome:
    """The same at thumbnail size; at full size where thumbnails leave a doubt whether parts of the scene lie astray."""
    for _ in range(DOUBT_ROUNDS):
        if not _is_doubtful(a, b, trial):
            break
        trial = trial.refined(a.small, b.small, proposal.negative, COARSE)
    if _is_doubtful(a, b, trial):
        return _settled(a, b, proposal, trial.refined(a.image, b.image, proposal.negative, SIDE))
    trial = replace(trial, map=refine(trial.tiles, trial.frame, trial.map))
    compared = replace(_compared(proposal, trial), tiles=None)
    return Outcome(trial.finding, _evidence(a, b, proposal, trial, COARSE), compared)


def _is_doubtful(a: View, b: View, trial: _Trial) -> bool:
    """Whether parts may lie astray at full size; what was enlarged lies so much the less exactly.

    Where either picture lacks a part of the other, the full size has to tell.
    """
    if max(trial.parts) < WHOLE:
        return True
    whole = min(trial.parts) >= WHOLE
    if whole and trial.exact >= MANY_EXACT:
        return False
    enlarged = max(max(_scales(a, b, trial.frame, trial.map)) * SIDE / COARSE, 1)
    limit = DOUBT_WHOLE * enlarged if whole else min(DOUBT * enlarged, MOST_DOUBT)
    return astray(trial.tiles, DOUBT_AREAS) > limit


def _compared(proposal: Proposal, trial: _Trial) -> Compared:
    to_a = trial.frame.to_a
    return Compared(trial.map, proposal.negative, to_a, trial.map @ to_a, trial.tiles)


def _evidence(a: View, b: View, proposal: Proposal, trial: _Trial, side: int) -> Evidence:
    """What an accepted trial found; side: of what its frame was made from, pixels."""
    tiles = trial.tiles
    agreement = median(tiles.correlation[tiles.both]) if tiles.both.any() else 0.0
    finer = _sharper(a, b, trial.frame, trial.map, side)
    overlaid = trial.finding.overlaid
    return Evidence(trial.map, proposal.negative, proposal.inliers, agreement, trial.exact, overlaid, finer)


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
    tiles = compare(frame, negative, measure_drift=True)
    level, taken = a.ground
    is_page = a.is_page or (b.is_page and taken > SHADED)
    return _Trial(m, parts, frame, tiles, judge(tiles, on_ground(frame, level), is_page, parts))


def _coarseness(a: View, b: View, frame: Frame, m: maps.Map) -> float:
    """How much smaller the frame should be for what a pixelated or noisy picture still shows; 1: as it is."""
    blocks = max(np.array([a.block, b.block]) * _scales(a, b, frame, m))
    return max(min(float(blocks) / 2, COARSEST), 2.0 if max(a.noise, b.noise) >= NOISY else 1.0)


def _scales(a: View, b: View, frame: Frame, m: maps.Map) -> tuple[float, float]:
    """How many pixels of the frame a pixel of a's view is long, and one of b's."""
    height, width = frame.a.shape
    area_a, area_b = a.area, b.area
    on_a = width * height / (abs(np.linalg.det(frame.to_a)) * area_a)
    slope = maps.linearised(m, np.array([0.5, 0.5]))[:2, :2]
    growth = abs(np.linalg.det(slope)) * area_b / area_a
    return float(np.sqrt(on_a)), float(np.sqrt(on_a / growth))
