"""Act on a report: which file stays (`keep`), what would be done (`plan`), doing it (`apply`), taking it back (`undo`).

Every change of the file system goes through `files` and `trash`, and stands in the `journal` before it is made.
"""

from __future__ import annotations

from tbhdup.actions.apply import Outcome, apply
from tbhdup.actions.errors import Refused
from tbhdup.actions.files import Folders
from tbhdup.actions.journal import Journal
from tbhdup.actions.keep import DEFAULT, Pattern, Rule, Rules, best, parse, under, waste, with_keep
from tbhdup.actions.plan import Action, Left, Plan, Step, make
from tbhdup.actions.undo import Undone, undo

__all__ = [
    "DEFAULT",
    "Action",
    "Folders",
    "Journal",
    "Left",
    "Outcome",
    "Pattern",
    "Plan",
    "Refused",
    "Rule",
    "Rules",
    "Step",
    "Undone",
    "apply",
    "best",
    "make",
    "parse",
    "under",
    "undo",
    "waste",
    "with_keep",
]
