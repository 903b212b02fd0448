"""Real files, reports on them as a scan makes them, and what a tree of files looks like."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import xxhash
from trees import everything

from tbhdup.actions import files, trash
from tbhdup.values import Group, Kind, Member, Report, Summary, Thresholds


def put(path: Path | bytes, data: bytes, mtime_ns: int = 1_600_000_000_123_456_789) -> bytes:
    name = os.fsencode(path)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(data)
    os.utime(name, ns=(mtime_ns, mtime_ns))
    return name


def member(path: Path | bytes, relation: str = "", keep: bool = False, pixels: tuple[int, int] = (80, 60)) -> Member:
    name = os.fsencode(path)
    with open(name, "rb") as file:
        data = file.read()
    return Member(name, xxhash.xxh3_128_digest(data), *pixels, len(data), 0, 1.0, relation, 1.0, keep)


def group(*members: Member) -> Group:
    kind = Kind.IDENTICAL if len({m.digest for m in members}) == 1 else Kind.DUPLICATE
    return Group(kind, members[0].path, members)


def report(*groups: Group) -> Report:
    return Report("1", "m", Thresholds(1, 0.5, 5, "auto", 1.0), groups, (), Summary(groups=len(groups)))


def copies(*paths: bytes) -> Group:
    """Identical files, the first of which is to stay."""
    return group(*(member(path, "identical bytes" if number else "", number == 0) for number, path in enumerate(paths)))


def contents(*folders: Path) -> set[bytes]:
    """The bytes of every regular file below the folders."""
    found = set()
    for path in (path for folder in folders for path in everything(folder)):
        if not os.path.islink(path):
            with open(path, "rb") as file:
                found.add(file.read())
    return found


def leftovers(*folders: Path) -> list[bytes]:
    return [path for folder in folders for path in everything(folder) if b".tbhdup" in path]


@contextmanager
def failing(at: Callable[[int], bool]) -> Iterator[list[str]]:
    """While inside, the file operations whose number (from 1) `at` holds for raise the error of a broken disk.

    Gives the names of all that were called. The operations themselves are the real ones.
    """
    called: list[str] = []

    def broken(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def operation(*arguments: object) -> object:
            called.append(name)
            if at(len(called)):
                raise OSError(5, "injected", name)
            return function(*arguments)

        return operation

    with pytest.MonkeyPatch.context() as patch:
        for module in (files, trash):
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ == module.__name__ and not name.startswith("_"):
                    patch.setattr(module, name, broken(f"{module.__name__}.{name}", function))
        yield called


def use_trash(home: Path, patch: pytest.MonkeyPatch) -> None:
    """Have the trash in a folder of the test's own, as the variable would before the first import."""
    import send2trash.plat_other

    patch.setenv("XDG_DATA_HOME", str(home))
    patch.setattr(send2trash.plat_other, "XDG_DATA_HOME", os.fsencode(home))
    patch.setattr(send2trash.plat_other, "HOMETRASH_B", os.fsencode(home / "Trash"))
    patch.setattr(send2trash.plat_other, "HOMETRASH", str(home / "Trash"))
    patch.setattr("send2trash.send2trash", send2trash.plat_other.send2trash)


def states(lines: Sequence[dict[str, object]]) -> list[str]:
    return [str(line["type"]) for line in lines]
