"""Names, sizes and counts as people read them, on the terminal and on a page."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def visible(text: str) -> str:
    """Text without anything that could hide: control, direction and other unprintable characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def name(path: bytes) -> str:
    r"""A path as printable text; bytes that are not UTF-8 as \xff."""
    return visible(path.decode("utf-8", "backslashreplace"))


def size(count: int) -> str:
    """Bytes, in the unit that suits them."""
    value, power = float(count), 0
    while value >= 1000 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.0f} {_UNITS[power]}" if power == 0 or value >= 100 else f"{value:.1f} {_UNITS[power]}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 file, 1,200 files."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
