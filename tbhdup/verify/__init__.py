"""The proof that two pictures are one picture, edited: a map from one to the other, and the tiles that agree under it.

Features and thumbnails only propose maps; the tile test decides.
"""

from __future__ import annotations

from tbhdup.verify.proof import VERSION, prove
from tbhdup.verify.relation import RELATIONS
from tbhdup.verify.threads import one_thread_a_proof
from tbhdup.verify.view import SIDE, View

__all__ = ["RELATIONS", "SIDE", "VERSION", "View", "one_thread_a_proof", "prove"]
