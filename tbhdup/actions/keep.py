"""Which file of a group stays: rules over its members, the first one that tells two files apart decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from tbhdup.actions import files
from tbhdup.actions.errors import Refused
from tbhdup.errors import UsageError
from tbhdup.values import Group, Member, Taken

RAW = frozenset(
    b".3fr .arw .cr2 .cr3 .crw .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .sr2 .srf .srw "
    b".x3f".split()
)
LOSSLESS = frozenset(b".png .tif .tiff .bmp".split())

_PHOTOGRAPH = frozenset(b".jpg .jpeg .jpe .heic .heif .hif".split())
_MOVING = frozenset([b".mov"])
_HALVES = RAW | _PHOTOGRAPH
_BESIDE_RAW, _BESIDE_PHOTOGRAPH = (
    [spelt for other in sorted(others) for spelt in (other, other.upper(), b"." + other[1:].title())]
    for others in (_PHOTOGRAPH, RAW | _MOVING)
)
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
    HAS_DATE = "has-date"  # what tells in its EXIF when it was taken
    HAS_GPS = "has-gps"  # and where
    PATH = "path"  # first by name


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rule that keeps the files whose absolute path fits a pattern: `*` any characters, `/` too, `?` one, `[ab]`."""

    glob: bytes

    def fits(self, path: bytes) -> bool:
        """Whether the whole path is of this form. Case counts."""
        return fnmatchcase(path, self.glob)


_Key = Callable[[Member], Any]  # what can be ordered; less is better
_BY_METADATA = frozenset([Rule.HAS_DATE, Rule.HAS_GPS])

DEFAULT = (Rule.LEAST_EDITED, Rule.RESOLUTION, Rule.PATH)


@dataclass(frozen=True, slots=True)
class Rules:
    """How to choose.

    order       what counts, most important first; the path decides what is equal by all of them
    prefer      folders whose files are kept before others, whatever `order` says; the first of them most
    reference   folders whose files are kept before all others, and never proposed for removal
    taken       how to look into a file's metadata; only asked by `has-date` and `has-gps`, where nothing else decides
    """

    order: tuple[Rule | Pattern, ...] = DEFAULT
    prefer: tuple[bytes, ...] = ()
    reference: tuple[bytes, ...] = ()
    taken: Callable[[bytes], Taken] | None = None

    def __post_init__(self) -> None:
        if self.taken is None and not _BY_METADATA.isdisjoint(self.order):
            raise ValueError("rules about metadata need a way to look into files")

    def protects(self, member: Member) -> bool:
        """Whether a file must not go, whatever else its group holds."""
        return any(under(member.path, folder) for folder in self.reference) or (
            Rule.MARKED in self.order and member.keep
        )


def parse(text: str) -> tuple[Rule | Pattern, ...]:
    """The rules of a list like "format,path:*/originals/*,oldest". Raises UsageError for an unknown one."""
    return tuple(_parse(word.strip()) for word in text.split(","))


def _parse(word: str) -> Rule | Pattern:
    name, colon, glob = word.partition(":")
    if name == Rule.PATH and glob:
        return Pattern(os.fsencode(glob))
    if colon or word not in set(Rule):
        raise UsageError(f"no keep rule called {word!r}: use a list of {', '.join(Rule)}, path:PATTERN")
    return Rule(word)


def best(
    group: Group, rules: Rules, modified: Callable[[bytes], int], among: Sequence[Member] | None = None
) -> list[Member]:
    """The members of a group, the one to keep first.

    modified: when a path was modified, ns. It and the metadata are only asked for files that are equal by all rules
    before, and metadata once for each content. among: some of the members; None: all.
    """
    among = group.members if among is None else among
    edits = _edits(group)
    paths = {member.digest: member.path for member in among}

    @cache
    def taken(digest: bytes) -> Taken:
        assert rules.taken is not None  # as Rules has made sure of
        return rules.taken(paths[digest])

    keys: dict[Rule, _Key] = {
        Rule.MARKED: lambda member: not member.keep,
        Rule.LEAST_EDITED: lambda member: edits[member.path],
        Rule.RESOLUTION: lambda member: -_pixels(member),
        Rule.BYTES: lambda member: -member.size,
        Rule.FORMAT: lambda member: _format(member.path),
        Rule.OLDEST: lambda member: modified(member.path),
        Rule.NEWEST: lambda member: -modified(member.path),
        Rule.HAS_DATE: lambda member: not taken(member.digest).dated,
        Rule.HAS_GPS: lambda member: not taken(member.digest).located,
        Rule.PATH: lambda member: member.path,
    }

    def ranked(members: list[Member], order: Sequence[Rule | Pattern]) -> list[Member]:
        if len(members) < 2 or not order:
            return members
        rule, *others = order
        if rule in _BY_METADATA and len({member.digest for member in members}) == 1:
            return ranked(members, others)
        key = _fitting(rule) if isinstance(rule, Pattern) else keys[rule]
        return [member for tier in _tiers(members, key) for member in ranked(tier, others)]

    def place(member: Member) -> tuple[bool, int]:
        return _place(member.path, rules.reference) == len(rules.reference), _place(member.path, rules.prefer)

    order = (*rules.order, Rule.PATH)
    return [member for tier in _tiers(among, place) for member in ranked(tier, order)]


def with_keep(group: Group, rules: Rules, folders: Mapping[bytes, Collection[bytes]] | None = None) -> Group:
    """The group with the file to keep chosen by these rules, and the halves of pairs that belong together kept as well.

    folders: the names in each folder; None: they are looked up.
    """
    folders = files.Folders() if folders is None else folders
    keep = best(group, rules, _modified)[0].path
    members = (replace(m, keep=m.path == keep or half_of(m.path, folders) is not None) for m in group.members)
    return replace(group, members=tuple(members))


def waste(groups: Iterable[Group]) -> tuple[int, int]:
    """The files that groups could do without, and their bytes. Names of one file (hard links) count as one."""
    number = size = 0
    for group in groups:
        needed = {_identity(member.path) for member in group.members if member.keep}
        spare = {_identity(member.path): member.size for member in group.members}
        number += len(spare.keys() - needed)
        size += sum(spare[file] for file in spare.keys() - needed)
    return number, size


def _identity(path: bytes) -> object:
    """The same for every name of one file; a file that is gone is one of its own."""
    try:
        return files.look(path).identity
    except (Refused, OSError):
        return path


def _modified(path: bytes) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except FileNotFoundError:
        return 0


def under(path: bytes, folder: bytes) -> bool:
    """Whether a path is a folder, or lies in it or below."""
    return path == folder or path.startswith(os.path.join(folder, b""))


def half_of(path: bytes, folders: Mapping[bytes, Collection[bytes]]) -> bytes | None:
    """The name of the file beside this one that belongs together with it, as `companion` says."""
    return companion(path, folders[os.path.dirname(path)]) if _extension(path) in _HALVES else None


def companion(path: bytes, names: Collection[bytes]) -> bytes | None:
    """The other half of a pair that belongs together: RAW and JPEG, or a photograph and its moving part.

    names: of the files in the path's folder. Halves have one stem; None: there is no other half.
    """
    stem, extension = os.path.splitext(os.path.basename(path))
    if extension.lower() in RAW:
        others = _BESIDE_RAW
    elif extension.lower() in _PHOTOGRAPH:
        others = _BESIDE_PHOTOGRAPH
    else:
        return None
    return next((stem + other for other in others if stem + other in names), None)


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
    extension = _extension(path)
    return 0 if extension in RAW else 1 if extension in LOSSLESS else 2


def _extension(path: bytes) -> bytes:
    return os.path.splitext(path)[1].lower()


def _fitting(pattern: Pattern) -> _Key:
    return lambda member: not pattern.fits(member.path)


def _tiers(members: Iterable[Member], key: _Key) -> list[list[Member]]:
    """The members by what a key says of them, least first."""
    tiers: dict[Any, list[Member]] = {}
    for member in members:
        tiers.setdefault(key(member), []).append(member)
    return [tiers[value] for value in sorted(tiers)]


def _place(path: bytes, folders: Sequence[bytes]) -> int:
    return next((place for place, folder in enumerate(folders) if under(path, folder)), len(folders))
