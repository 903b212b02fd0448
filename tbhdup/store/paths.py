"""Paths as bytes, which pathlib does not take."""
# ruff: noqa: PTH117, PTH118, PTH120

from __future__ import annotations

import os
from collections.abc import Sequence


def parent(path: bytes) -> tuple[bytes, bytes]:
    """Folder and name of a file. Raises ValueError unless the path is absolute and names something."""
    folder, name = os.path.split(path)
    if not (os.path.isabs(path) and name):
        raise ValueError(f"the store needs absolute paths of files, not {path!r}")
    return folder, name


def inside(folder: bytes) -> bytes:
    """What the paths of everything in a folder begin with."""
    return os.path.join(folder, b"")


class Tops:
    """The files and folders that someone asked for; None: everything."""

    def __init__(self, paths: Sequence[bytes] | None) -> None:
        self._all = paths is None
        self._paths = {os.path.normpath(path) for path in paths or ()}
        self._parents = {os.path.dirname(path) for path in self._paths}

    def cover(self, path: bytes) -> bool:
        """Whether the path itself, or a folder that it lies in, was asked for."""
        if self._all:
            return True
        while path not in self._paths:
            above = os.path.dirname(path)
            if above == path:
                return False
            path = above
        return True

    def touch(self, folder: bytes) -> bool:
        """Whether a file right inside the folder may have been asked for."""
        return folder in self._parents or self.cover(folder)
