"""The parts of rich that draw, loaded when something is drawn: what is written for scripts needs none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbhdup.lazy import lazily

if TYPE_CHECKING:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
    from rich.table import Table

__all__ = [
    "SIMPLE_HEAD",
    "BarColumn",
    "Console",
    "Progress",
    "Table",
    "TaskID",
    "TextColumn",
    "TimeRemainingColumn",
    "escape",
]

__getattr__ = lazily(
    __name__,
    {
        "SIMPLE_HEAD": "rich.box",
        "Console": "rich.console",
        "Table": "rich.table",
        "escape": "rich.markup",
        **dict.fromkeys(("BarColumn", "Progress", "TaskID", "TextColumn", "TimeRemainingColumn"), "rich.progress"),
    },
)
