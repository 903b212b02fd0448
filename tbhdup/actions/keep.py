"""Which file of a group stays: rules over its members, the first one that tells two files apart decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tbhdup.errors import UsageError
from tbhdup.values import Group, Member

RAW = frozenset(
    b".3fr .arw .cr2 .cr3 .crw .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .sr2 .srf .srw "
    b".x3f".split()
)
LOSSLESS = frozenset(b".png .tif .tiff .bmp".split())

_PHOTOGRAPH = frozenset(b".jpg .jpeg .jpe .heic .heif .hif".split())
_MOVING = frozenset([b".mov"])
_NO_EDIT = frozenset(["", "identical bytes", "identical pixels", "re-encoded", "resized"])


class Rule(StrEnum):
    """What is kept."""

    MARKED = "marked"  # what the report marks to keep
    LEAST_EDITED = "least-edited"  # what is not cropped, framed, recoloured ... by the words of the proof
    RESOLUTION = "resolution"  # most pixels
    BYTES = "bytes"  # most bytes
    FORMAT = "format"  # camera raw before lossless before the others, by the name's extension
    OLDEST = "oldest"  # by time of modification
    NEWEST = "newest"
    PATH = "path"  # first by name


DEFAULT = (Rule.LEAST_EDITED, Rule.RESOLUTION, Rule.PATH)


@dataclass(frozen=True, slots=True)
class Rules:
    """How to choose.

    order       what counts, most important first; the path decides what is equal by all of them
    prefer      folders whose files are kept before others, whatever `order` says; the first of them most
    reference   folders whose files are kept before all others, and never proposed for removal
    """

    order: tuple[Rule, ...] = DEFAULT
    prefer: tuple[bytes, ...] = ()
    reference: tuple[bytes, ...] = ()

    def protects(self, member: Member) -> bool:
        """Whether a file must not go, whatever else its group holds."""
        return any(under(member.path, folder) for folder in self.reference) or (
            Rule.MARKED in self.order and member.keep
        )


def parse(text: str) -> tuple[Rule, ...]:
    """The rules of a list like "format,resolution,oldest". Raises UsageError for an unknown one."""
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in set(Rule)]
    if unknown:
        raise UsageError(f"no keep rule called {unknown[0]!r}: use a list of {', '.join(Rule)}")
    return tuple(Rule(word) for word in words)


def best(group: Group, rules: Rules, times: Mapping[bytes, int]) -> list[Member]:
    """The members of a group, the one to keep first.

    times: when the paths were modified, ns; only `oldest` and `newest` ask for it.
    """
    edits = _edits(group)
    values: dict[Rule, Callable[[Member], int | bytes]] = {
        Rule.MARKED: lambda member: not member.keep,
        Rule.LEAST_EDITED: lambda member: edits[member.path],
        Rule.RESOLUTION: lambda member: -member.width * member.height,
        Rule.BYTES: lambda member: -member.size,
        Rule.FORMAT: lambda member: _format(member.path),
        Rule.OLDEST: lambda member: times.get(member.path, 0),
        Rule.NEWEST: lambda member: -times.get(member.path, 0),
        Rule.PATH: lambda member: member.path,
    }
    order = [*rules.order, Rule.PATH]

    def key(member: Member) -> tuple[int | bytes, ...]:
        first = (_place(member.path, rules.reference) == len(rules.reference), _place(member.path, rules.prefer))
        return (*first, *(values[rule](member) for rule in order))

    return sorted(group.members, key=key)


def with_keep(group: Group, rules: Rules) -> Group:
    """The group with the file to keep chosen by these rules."""
    timed = {Rule.OLDEST, Rule.NEWEST} & set(rules.order)
    times = {member.path: _modified(member.path) for member in group.members} if timed else {}
    keep = best(group, rules, times)[0].path
    return replace(group, members=tuple(replace(m, keep=m.path == keep) for m in group.members))


def _modified(path: bytes) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except FileNotFoundError:
        return 0


def under(path: bytes, folder: bytes) -> bool:
    """Whether a path is a folder, or lies in it or below."""
    return path == folder or path.startswith(os.path.join(folder, b""))


def companion(path: bytes, names: Collection[bytes]) -> bytes | None:
    """The other half of a pair that belongs together: RAW and JPEG, or a photograph and its moving part.

    names: of the files in the path's folder. Halves have one stem; None: there is no other half.
    """
    stem, extension = os.path.splitext(os.path.basename(path))
    if extension.lower() in RAW:
        others = _PHOTOGRAPH
    elif extension.lower() in _PHOTOGRAPH:
        others = RAW | _MOVING
    else:
        return None
    spellings = (stem + spelt for other in sorted(others) for spelt in (other, other.upper(), b"." + other[1:].title()))
    return next((name for name in spellings if name in names), None)


def _edits(group: Group) -> dict[bytes, int]:
    """How many edits lie between each file and the original, as far as the group tells.

    A relation says how the picture with fewer pixels was made from the other one. So where a member has more than the
    centre, the words are the centre's, and add to those of the members that are smaller.
    """
    centre = next(member for member in group.members if member.path == group.centre)
    larger = [member for member in group.members if _pixels(member) > _pixels(centre)]
    own = max((_words(member) for member in larger), default=0)
    return {member.path: 0 if _pixels(member) > _pixels(centre) else own + _words(member) for member in group.members}


def _words(member: Member) -> int:
    return len(set(member.relation.split(", ")) - _NO_EDIT)


def _pixels(member: Member) -> int:
    return member.width * member.height


def _format(path: bytes) -> int:
    extension = os.path.splitext(path)[1].lower()
    return 0 if extension in RAW else 1 if extension in LOSSLESS else 2


def _place(path: bytes, folders: Sequence[bytes]) -> int:
    return next((place for place, folder in enumerate(folders) if under(path, folder)), len(folders))
