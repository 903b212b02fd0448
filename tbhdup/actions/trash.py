"""The system's trash: into it, and out of it again where it follows the freedesktop.org specification."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from tbhdup.actions import files
from tbhdup.actions.errors import Refused
from tbhdup.actions.files import Facts


def send(path: bytes) -> None:
    """Put a file into the trash. Raises OSError where that cannot be done."""
    from send2trash import send2trash

    send2trash(os.fsdecode(path))


def find(path: bytes, facts: Facts) -> tuple[bytes, bytes] | None:
    """A file that was put into the trash from a path: where it lies, and the note beside it.

    None: it is not there, or the system (macOS, Windows) does not tell.
    """
    if sys.platform in ("darwin", "win32"):
        return None
    for trash, top in _places(path):
        notes = os.path.join(trash, b"info")
        for name in sorted(files.names(notes)):
            stem, extension = os.path.splitext(name)
            note, place = os.path.join(notes, name), os.path.join(trash, b"files", stem)
            if extension == b".trashinfo" and _is(place, facts) and _origin(note, top) == _real(path):
                return place, note
    return None


def _places(path: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The trash folders that a file may be in, each with the folder that its relative paths start from."""
    data = os.fsencode(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"))
    yield os.path.join(data, b"Trash"), data
    top = os.path.realpath(os.path.dirname(path))
    while not os.path.ismount(top):
        top = os.path.dirname(top)
    user = b"%d" % os.getuid()
    yield os.path.join(top, b".Trash", user), top
    yield os.path.join(top, b".Trash-" + user), top


def _is(place: bytes, facts: Facts) -> bool:
    """Whether this is the file: renamed, it keeps its inode; brought from another file system, size and time."""
    try:
        there = files.look(place)
    except Refused:
        return False
    return (there.size, there.mtime_ns) == (facts.size, facts.mtime_ns)


def _origin(note: bytes, top: bytes) -> bytes | None:
    for line in files.content(note).splitlines():
        if line.startswith(b"Path="):
            return _real(os.path.join(top, unquote_to_bytes(line.removeprefix(b"Path="))))
    return None


def _real(path: bytes) -> bytes:
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
