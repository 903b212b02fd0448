"""Act on a report: which file stays (`keep`), what would be done (`plan`), doing it (`apply`), taking it back (`undo`).

Every change of the file system goes through `files` and `trash`, and stands in the `journal` before it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbhdup.lazy import lazily

if TYPE_CHECKING:
    from tbhdup.actions.errors import Refused
    from tbhdup.actions.files import Folders
    from tbhdup.actions.journal import Journal
    from tbhdup.actions.keep import DEFAULT, Pattern, Rule, Rules, best, parse, under, waste, with_keep
    from tbhdup.actions.plan import Action, Left, Plan, Step, make

__all__ = [
    "DEFAULT",
    "Action",
    "Folders",
    "Journal",
    "Left",
    "Pattern",
    "Plan",
    "Refused",
    "Rule",
    "Rules",
    "Step",
    "best",
    "make",
    "parse",
    "under",
    "waste",
    "with_keep",
]

__getattr__ = lazily(
    __name__,
    {
        "DEFAULT": "tbhdup.actions.keep",
        "Action": "tbhdup.actions.plan",
        "Folders": "tbhdup.actions.files",
        "Journal": "tbhdup.actions.journal",
        "Left": "tbhdup.actions.plan",
        "Pattern": "tbhdup.actions.keep",
        "Plan": "tbhdup.actions.plan",
        "Refused": "tbhdup.actions.errors",
        "Rule": "tbhdup.actions.keep",
        "Rules": "tbhdup.actions.keep",
        "Step": "tbhdup.actions.plan",
        "best": "tbhdup.actions.keep",
        "make": "tbhdup.actions.plan",
        "parse": "tbhdup.actions.keep",
        "under": "tbhdup.actions.keep",
        "waste": "tbhdup.actions.keep",
        "with_keep": "tbhdup.actions.keep",
    },
)
