"""The proof that two pictures are one picture, edited: a map from one to the other, and the tiles that agree under it.

Features and thumbnails only propose maps; the tile test decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbhdup.lazy import lazily

if TYPE_CHECKING:
    from tbhdup.verify.proof import prove
    from tbhdup.verify.propose import one_scene
    from tbhdup.verify.relation import RELATIONS
    from tbhdup.verify.shown import Shown, show, whole
    from tbhdup.verify.threads import one_thread_a_proof
    from tbhdup.verify.view import SIDE, View

VERSION = "14"
"""Changes whenever a verdict could change; verdicts are kept under it. Asking for it does not load OpenCV."""

__all__ = [
    "RELATIONS",
    "SIDE",
    "VERSION",
    "Shown",
    "View",
    "one_scene",
    "one_thread_a_proof",
    "prove",
    "show",
    "whole",
]

__getattr__ = lazily(
    __name__,
    {
        "RELATIONS": "tbhdup.verify.relation",
        "SIDE": "tbhdup.verify.view",
        "Shown": "tbhdup.verify.shown",
        "View": "tbhdup.verify.view",
        "one_scene": "tbhdup.verify.propose",
        "one_thread_a_proof": "tbhdup.verify.threads",
        "prove": "tbhdup.verify.proof",
        "show": "tbhdup.verify.shown",
        "whole": "tbhdup.verify.shown",
    },
)
