"""The first look: two pictures squeezed to small squares, compared tile by tile under a map of the whole frames.

Most copies of a collection are whole frames that were saved, resized, turned or toned, and are exact at this size.
What is not, and what could be a page, is left to the trials.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tbhdup.verify.propose import Proposal, seen_through
from tbhdup.verify.rules import LEAST_ALIKE, LEAST_SEEN, SETTLED, exactness
from tbhdup.verify.tiles import AGREE, Moments, correlate, count, median, sharper, smoothed
from tbhdup.verify.view import (
    FLAT,
    LETTERED_AT_A_GLANCE,
    LIT,
    SHADED,
    TEXTURE,
    THING_AT_A_GLANCE,
    View,
    commonest,
    paper,
    paper_evenly_lit,
)

LEAST_TO_SEE = 4  # tiles in a picture that is not plain
LEAST_EXACT = 0.6  # share of the tiles that are exact: two shots of one scene are not
HOPELESS = 0.55  # share of the tiles that agree below which the frames are seldom one picture: features will tell
OTHER_PAGE = 0.9  # share below which pages are other pages: more agrees at this size than does at a larger one


class Ground(NamedTuple):
    """What the commonest grey of a picture makes of it."""

    level: float
    share: float  # of the picture that it takes
    paper: float  # of what is to be seen that it takes, or would if it were lit evenly; 0 where that is next to nothing

    @property
    def is_page(self) -> bool:
        """Whether the picture is a page."""
        return self.share > FLAT and self.paper > LETTERED_AT_A_GLANCE

    @property
    def could_be_page(self) -> bool:
        """Whether there may be lettering, too small to be told at a glance."""
        return self.paper > THING_AT_A_GLANCE


class Glance(NamedTuple):
    """What the tiles say."""

    same: bool  # one picture, for sure
    share: float  # of the tiles that agree
    page: bool  # one of the two is a page
    agreement: float  # median correlation
    exact: float  # share of the tiles that are exact
    sharper: float  # how many times finer a's detail is than b's

    @property
    def hopeless(self) -> bool:
        """Whether the map is likely wrong, or the pictures are others."""
        return self.share < HOPELESS

    @property
    def other_page(self) -> bool:
        """Whether the map is right, and the pages differ in content."""
        return self.page and SETTLED <= self.share < OTHER_PAGE


def look(a: View, b: View, proposal: Proposal) -> Glance:
    """Compare two pictures under a map of the whole frames."""
    left, right = a.once(_moments), b.once(_moments)
    sign = np.float32(-1 if proposal.negative else 1)
    turned = (seen_through(x, proposal.map) for x in (right.picture, right.mean, right.variance))
    right = Moments(*map(np.ascontiguousarray, turned))
    correlation = sign * correlate(left, right)
    seen = np.maximum(left.variance, right.variance) > TEXTURE**2
    values = correlation[seen]
    grounds = [ground(view) for view in (a, b)]
    if len(values) < LEAST_SEEN:
        return Glance(False, 1.0, False, 0.0, 0.0, 1.0)
    exact = exactness(values)
    same = float(values.min()) >= LEAST_ALIKE and exact >= LEAST_EXACT and not any(x.could_be_page for x in grounds)
    page = any(x.is_page for x in grounds) and min(x.share for x in grounds) > SHADED
    finer = sharper(left, right) if same else 1.0
    return Glance(same, count(values > AGREE) / len(values), page, median(values), exact, finer)


def ground(view: View) -> Ground:
    """The picture's commonest grey."""
    return view.once(_ground)


def is_plain(view: View) -> bool:
    """Whether there is next to nothing to see."""
    return count(view.once(_moments).variance > TEXTURE**2) < LEAST_TO_SEE


def _ground(view: View) -> Ground:
    level, share = commonest(view.glance)
    tiles = view.once(_moments).variance[::2, ::2] > TEXTURE**2
    found = paper(view.glance, tiles, level) if share > SHADED else 0.0
    if LIT <= share <= FLAT:
        lettered = paper_evenly_lit(view.glance, tiles)
        found = max(found, lettered) if lettered > LETTERED_AT_A_GLANCE else found
    return Ground(level, share, found)


def _moments(view: View) -> Moments:
    return smoothed(view.glance)
