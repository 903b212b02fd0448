"""What can go wrong with one step."""

from __future__ import annotations


class Refused(Exception):
    """One step is not made, or not taken back, because something is not as it was; the message says what."""
