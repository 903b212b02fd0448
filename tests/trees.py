"""What a tree of files looks like, to tell whether it is the very same afterwards."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import xxhash


def everything(folder: Path) -> list[bytes]:
    """The paths of all that is no folder, in order."""
    top = os.fsencode(folder)
    return sorted(os.path.join(at, name) for at, _, names in os.walk(top) for name in names)


def manifest(folder: Path) -> dict[bytes, tuple[object, ...]]:
    """All names below a folder: digest, time, mode and owner, where links lead, and which names are one file."""
    found: dict[bytes, tuple[object, ...]] = {}
    names: dict[int, list[bytes]] = defaultdict(list)
    for path in everything(folder):
        status = os.lstat(path)
        if os.path.islink(path):
            found[path] = ("link", os.readlink(path))
            continue
        names[status.st_ino].append(path)
        found[path] = (digest(path), status.st_mtime_ns, status.st_mode, status.st_uid, status.st_gid)
    for same in names.values():
        for path in same:
            found[path] += (tuple(sorted(same)),)
    return found


def digests(*folders: Path) -> set[str]:
    """The contents of all regular files below the folders."""
    paths = (path for folder in folders for path in everything(folder))
    return {digest(path) for path in paths if not os.path.islink(path)}


def digest(path: bytes) -> str:
    with open(path, "rb") as file:
        return xxhash.xxh3_128_hexdigest(file.read())
