"""What can go wrong with an action."""

from __future__ import annotations

from tbhdup.errors import TbhdupError


class ActionError(TbhdupError):
    """A run had to stop; the message says where, why, and what was done until then."""


class Refused(Exception):
    """One step is not made, or not taken back, because something is not as it was; the message says what."""


def shown(path: bytes) -> str:
    """A path for a message: one line, whatever the name holds."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
