"""What an action would do, file by file, before anything is done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tbhdup import wording
from tbhdup.actions import files
from tbhdup.actions.errors import Refused
from tbhdup.actions.files import Facts
from tbhdup.actions.keep import Rules, best, half_of, under
from tbhdup.errors import ActionError, UsageError
from tbhdup.values import Digest, Group, Kind, Member, Report


class Action(StrEnum):
    """What happens to the files that can go."""

    TRASH = "trash"
    MOVE = "move"
    HARDLINK = "hardlink"  # they become further names of the kept file
    SYMLINK = "symlink"
    REFLINK = "reflink"  # they share the kept file's data on disk until one of them changes

    @property
    def links(self) -> bool:
        """Whether the file's path goes on to give its bytes."""
        return self in (Action.HARDLINK, Action.SYMLINK, Action.REFLINK)


@dataclass(frozen=True, slots=True)
class Step:
    """One file to act on, the file that stays for it, and the state in which both have to be found."""

    action: Action
    source: bytes
    facts: Facts
    digest: Digest
    kept: bytes
    kept_facts: Facts
    kept_digest: Digest
    relation: str  # of the source, as the report has it; "identical bytes" where the two are
    target: bytes | None = None  # where a moved file goes


@dataclass(frozen=True, slots=True)
class Left:
    """A file that is left alone, and why."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps, in the order in which they are made, those of one kept file together."""

    action: Action
    steps: tuple[Step, ...]
    left: tuple[Left, ...]

    @property
    def bytes(self) -> int:
        """Bytes on disk that the steps make unnecessary; a file that keeps a name elsewhere makes none so."""
        names: dict[tuple[int, int], list[Facts]] = {}
        for step in self.steps:
            names.setdefault(step.facts.identity, []).append(step.facts)
        return sum(facts[0].size for facts in names.values() if len(facts) >= facts[0].links)


def make(
    report: Report,
    action: Action,
    *,
    kind: Kind = Kind.IDENTICAL,
    rules: Rules | None = None,
    to: bytes | None = None,
) -> Plan:
    """Plan an action on a report's files, in the state that they are in now.

    kind: IDENTICAL acts on files that hold the same bytes as one that stays, DUPLICATE also on proven copies. Of these
    go only what was proven against the very file that stays. to: the folder, absolute, that moved files go to.
    Raises UsageError for wishes that do not go together, ActionError where the files cannot be looked at.
    """
    if kind not in (Kind.IDENTICAL, Kind.DUPLICATE):
        raise UsageError(f"files that are only {kind} are never acted on")
    if kind is Kind.DUPLICATE and action.links:
        raise UsageError(f"a {action} replaces identical bytes only: leave out --kind, or use trash or move")
    if (action is Action.MOVE) != (to is not None):
        raise UsageError("--action move and --to DIR need each other")
    planning = _Planning(action, rules or Rules(), to)
    try:
        for group in report.groups:
            planning.add(group, proven=kind is Kind.DUPLICATE and group.kind is Kind.DUPLICATE)
        return Plan(action, tuple(planning.steps()), tuple(planning.left))
    except OSError as error:
        raise ActionError(f"nothing was done, the files cannot be looked at: {error}") from error


@dataclass(slots=True)
class _Planning:
    action: Action
    rules: Rules
    to: bytes | None
    left: list[Left] = field(default_factory=list)
    _pairs: list[tuple[Member, Member]] = field(default_factory=list)  # the one to go, the one that stays
    _kept: set[tuple[int, int]] = field(default_factory=set)
    _facts: dict[bytes, Facts] = field(default_factory=dict)
    _folders: files.Folders = field(default_factory=files.Folders)

    def add(self, group: Group, proven: bool) -> None:
        """Sort a group's files into those that stay and those that can go. proven: copies go as well."""
        present = [member for member in group.members if self._is_present(member)]
        ranked = best(group, self.rules, lambda path: self._facts[path].mtime_ns, present)
        centre = next(member.digest for member in group.members if member.path == group.centre)
        kept: list[Member] = []
        for member in ranked:
            stays = _stays_for(member, kept, centre if proven else None)
            if stays is None:
                kept.append(member)
                self._kept.add(self._facts[member.path].identity)
            elif self._may_go(member, stays):
                self._pairs.append((member, stays))

    def steps(self) -> Iterator[Step]:
        """One for each file that can go; none for a file that another group keeps, or that came already."""
        seen: set[bytes] = set()
        targets: set[bytes] = set()
        for member, stays in self._pairs:
            facts, real = self._facts[member.path], _real(member.path)
            if facts.identity in self._kept:
                self.left.append(Left(member.path, "it is kept for other files"))
            elif real not in seen:
                seen.add(real)
                target = None
                if self.to is not None:
                    target = files.unused(self.to, os.path.basename(member.path), targets)
                    targets.add(target)
                relation = "identical bytes" if member.digest == stays.digest else member.relation
                yield Step(
                    self.action, member.path, facts, member.digest, stays.path, self._facts[stays.path],
                    stays.digest, relation, target,
                )  # fmt: skip

    def _may_go(self, member: Member, stays: Member) -> bool:
        reason = self._reason_to_stay(member, self._facts[member.path], self._facts[stays.path])
        if reason is not None:
            self.left.append(Left(member.path, reason))
        return reason is None

    def _reason_to_stay(self, member: Member, facts: Facts, kept: Facts) -> str | None:
        half = half_of(member.path, self._folders)
        if half is not None:
            return f"it belongs together with {wording.name(half)}"
        if self.rules.protects(member):
            return "it is protected"
        if facts.identity == kept.identity:
            return "it is one more name of the kept file"
        if self.action in (Action.HARDLINK, Action.REFLINK) and facts.device != kept.device:
            return f"it is on another file system than the kept file, where no {self.action} can reach"
        if self.to is not None and under(_real(member.path), os.path.realpath(self.to)):
            return "it lies in that folder already"
        return None

    def _is_present(self, member: Member) -> bool:
        try:
            facts = files.look(member.path)
        except Refused as why:
            self.left.append(Left(member.path, str(why)))
            return False
        if facts.size != member.size:
            self.left.append(Left(member.path, "it has changed since the report"))
            return False
        self._facts[member.path] = facts
        return True


def _stays_for(member: Member, kept: Sequence[Member], centre: Digest | None) -> Member | None:
    """The best of the files that stay of which this one is known to be a copy: only with the centre is any compared."""
    for other in kept:
        if member.digest == other.digest or centre in (member.digest, other.digest):
            return other
    return None


def _real(path: bytes) -> bytes:
    """One spelling for each path, however the folders above it are reached."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
