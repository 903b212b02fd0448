"""Maps worth testing: of the whole frames, when the thumbnails correlate, and from matched features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tbhdup.verify import features, maps
from tbhdup.verify.view import View

ALIGNED = 0.6  # correlation of the thumbnails that makes the whole-frame map worth a tile test
NEAR = 4.0  # pixels of the target's view: how far from its place an inlier may lie
ROUGH = 0.1  # how wrong the similarity of a single match may be, as a share of the distance from that match
LEAST = 8  # inliers that make a map worth a tile test
PLENTY = 25  # inliers that make it needless to look for another map
ENOUGH = 20  # coarse features in which a common part would show, as at least
HINT = 4  # matches that agree roughly
TRIED = 5  # single matches whose similarity is refined
EARNED = 1.15  # a homography must find this many times the inliers of the affine map
SCALES = (1 / 5, 5.0)  # of the target's lengths to the source's, in pixels of the views

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A map from a to b, and what speaks for it."""

    map: maps.Map
    negative: bool  # b shows a's negative
    inliers: int  # features that agree; 0: none were needed

    def turned(self) -> Proposal:
        """The same, from b to a."""
        return Proposal(np.linalg.inv(self.map), self.negative, self.inliers)


def aligned(a: View, b: View) -> Proposal | None:
    """The best of the eight whole-frame maps, positive or negative, if the thumbnails correlate under it."""
    options = maps.orientations()
    turned = np.empty((len(options), *b.thumb.shape), np.float32)
    for place, m in zip(turned, options, strict=True):
        place[:] = seen_through(b.thumb, m)
    correlations = turned.reshape(len(options), -1) @ a.thumb.ravel()
    best = int(np.abs(correlations).argmax())
    if abs(correlations[best]) < ALIGNED:
        return None
    return Proposal(options[best], bool(correlations[best] < 0), 0)


def seen_through(square: NDArray[np.float32], m: maps.Map) -> NDArray[np.float32]:
    """The square t with t[p] = square[m(p)], for a whole-frame map."""
    x, y = m[0], m[1]
    if x[0] == 0:
        square = square.T
        x, y = y, x
    # now x depends on x alone, y on y alone
    return square[:: int(y[1]), :: int(x[0])]


class Agreement(NamedTuple):
    """What the features of two pictures agree on."""

    proposals: list[Proposal]  # maps that at least LEAST of them agree on, the best first; one alone if PLENTY do
    hint: int  # matches that agree, if only roughly


def by_coarse_features(a: View, b: View) -> Agreement:
    """Maps that many coarse features agree on: plain, mirrored, and of the negative."""
    return _agreed(a.coarse, b.coarse)


def by_features(a: View, b: View, coarse: Agreement) -> list[Proposal]:
    """The maps that those by coarse features leave to be tried, the best first.

    One that PLENTY of them agree on is as good as any; where there are ENOUGH of them, and not even a HINT of a map,
    finer ones would find none either: of 14 copies that these found, all had 4 such matches, and of 310 pairs of
    strangers 53.
    """
    if coarse.proposals and coarse.proposals[0].inliers >= PLENTY:
        return coarse.proposals
    if not coarse.proposals and coarse.hint < HINT and min(len(a.coarse), len(b.coarse)) >= ENOUGH:
        return []
    return _agreed(a.fine, b.fine).proposals


def one_scene(a: View, b: View) -> bool:
    """Whether PLENTY of local features agree on one map, whatever the pixels between them say.

    That holds for edited copies, and as well for another shot of the same thing and for another page of one letterhead.
    """
    return any(proposal.inliers >= PLENTY for proposal in by_features(a, b, by_coarse_features(a, b)))


def _agreed(a: features.Features, b: features.Features) -> Agreement:
    found = []
    hint = 0
    mirror = np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1]], np.float64)
    for flip in (False, True):
        source = features.mirrored(a) if flip else a
        for negative in (False, True):
            wanted = features.inverted(source) if negative else source
            m, agree = fit(wanted, b, features.match(wanted, b))
            hint = max(hint, agree)
            if m is None:
                continue
            m = maps.from_pixels(m, a.shape, b.shape)
            m = m @ mirror if flip else m
            if maps.is_sane(m):
                found.append(Proposal(m, negative, agree))
                if agree >= PLENTY:
                    return Agreement([found[-1]], hint)
    return Agreement(sorted(found, key=lambda p: -p.inliers), hint)


def fit(a: features.Features, b: features.Features, pairs: NDArray[np.intp]) -> tuple[maps.Map | None, int]:
    """The map in pixels that most matches agree on, and how many do; None: too few, and how many agree roughly.

    Nothing is drawn at random: a match of two features, with their scales and directions, is a similarity by itself.
    The similarities that most other matches support are refined to affine maps by least squares.
    """
    if len(pairs) < HINT:
        return None, len(pairs)
    source, target = (f.places[pairs[:, k]].astype(np.float64) for k, f in enumerate((a, b)))
    scale = (b.scales[pairs[:, 1]] / a.scales[pairs[:, 0]]).astype(np.float64)
    turn = (b.angles[pairs[:, 1]] - a.angles[pairs[:, 0]]).astype(np.float64)
    supports = _supports(source, target, scale, turn)
    supporters = supports.sum(axis=1)
    most = int(supporters.max())
    order = np.argsort(-supporters, kind="stable")[:TRIED]
    m: maps.Map = np.eye(3)
    agree, count = np.zeros(len(pairs), np.bool_), 0
    for row in order[supporters[order] >= LEAST]:
        if agree[row]:
            continue  # the map that is there already says what this match says
        refined = _refine(source, target, supports[row])
        if refined is not None and (found := _count(target, refined[1])) > count:
            (m, agree), count = refined, found
    if count < LEAST:
        return None, most
    hopeful = _count(target, np.ones_like(agree)) > EARNED * count
    bent = _homography(source, target, agree) if hopeful else None
    if bent is not None and (found := _count(target, bent[1])) > EARNED * count:
        m, count = bent[0], found
    return m, count


def _supports(
    source: Points, target: Points, scale: NDArray[np.float64], turn: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(N, N) whether match j lies where the similarity of match i puts it."""
    # complex numbers: a similarity is a multiplication
    p, q = source @ (1, 1j), target @ (1, 1j)
    factor = scale * np.exp(1j * turn)
    arms = factor[:, None] * (p[None, :] - p[:, None])
    error = np.abs(arms - (q[None, :] - q[:, None]))
    sane = (scale > SCALES[0]) & (scale < SCALES[1])
    return np.asarray((error < NEAR + ROUGH * np.abs(arms)) & sane[:, None])


def _refine(source: Points, target: Points, agree: NDArray[np.bool_]) -> tuple[maps.Map, NDArray[np.bool_]] | None:
    """Least-squares affine map of the matches that agree, which are chosen anew, more strictly, a few times."""
    m = np.eye(3)
    for near in (4 * NEAR, 2 * NEAR, NEAR, NEAR):
        if _count(target, agree) < LEAST:
            return None
        known = np.column_stack([source[agree], np.ones(np.count_nonzero(agree))])
        m[:2] = np.linalg.lstsq(known, target[agree], rcond=None)[0].T
        agree = np.linalg.norm(maps.apply(m, source) - target, axis=1) < near
    stretch = np.linalg.svd(m[:2, :2], compute_uv=False)
    if np.linalg.det(m[:2, :2]) <= 0 or stretch[0] > SCALES[1] or stretch[1] < SCALES[0] or stretch[0] > 3 * stretch[1]:
        return None
    return m, agree


def _homography(source: Points, target: Points, agree: NDArray[np.bool_]) -> tuple[maps.Map, NDArray[np.bool_]] | None:
    """Least-squares homography that starts from the affine map's inliers."""
    m: maps.Map = np.eye(3)
    for near in (2 * NEAR, NEAR, NEAR):
        if np.count_nonzero(agree) < LEAST:
            return None
        m = maps.direct_homography(source[agree], target[agree])
        if not np.isfinite(m).all():
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.linalg.norm(maps.apply(m, source) - target, axis=1)
        agree = error < near
    return m, agree


def _count(target: Points, agree: NDArray[np.bool_]) -> int:
    """Different places, in whole pixels, among the matches that agree."""
    return len(set((np.round(target[agree]) @ (1, 1j)).tolist()))
