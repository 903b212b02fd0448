"""JSON Lines, schema 1: a header, a line a group, a line a skip, a summary. Written, and read back."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from tbhdup.errors import ReportError
from tbhdup.values import Group, Kind, Member, Reason, Report, Skip, Summary, Thresholds

SCHEMA = 1

_FACTS = tuple(f.name for f in fields(Member) if f.name != "path")


def write(report: Report) -> Iterator[bytes]:
    """The report's lines, UTF-8, each with its newline."""
    yield line(header_object(report))
    for group in report.groups:
        yield line(group_object(group))
    for skip in report.skips:
        yield line(skip_object(skip))
    yield line(summary_object(report))


def header_object(report: Report) -> dict[str, Any]:
    """The first line's object."""
    return {
        "type": "header",
        "schema": SCHEMA,
        "tbhdup": report.version,
        "model": report.model,
        "thresholds": asdict(report.thresholds),
    }


def summary_object(report: Report) -> dict[str, Any]:
    """The last line's object."""
    return {"type": "summary", **asdict(report.summary)}


def group_object(group: Group) -> dict[str, Any]:
    """A group as its line's object."""
    members = [member_object(member) for member in group.members]
    return {"type": "group", "kind": str(group.kind), **path_fields(group.centre, "centre"), "members": members}


def member_object(member: Member) -> dict[str, Any]:
    """What is to be said of one file."""
    facts = {name: getattr(member, name) for name in _FACTS}
    return {**path_fields(member.path), **facts, "digest": member.digest.hex()}


def skip_object(skip: Skip) -> dict[str, Any]:
    """A skip as its line's object."""
    return {"type": "skip", **path_fields(skip.path), "reason": str(skip.reason), "detail": skip.detail}


def path_fields(path: bytes, name: str = "path") -> dict[str, str]:
    """A path as text; one that is not UTF-8 also as base64 in `<name>_bytes`, for programs that must open it."""
    try:
        return {name: path.decode("utf-8")}
    except UnicodeDecodeError:
        text = path.decode("utf-8", "replace")
        return {name: text, f"{name}_bytes": base64.b64encode(path).decode("ascii")}


def line(value: dict[str, Any]) -> bytes:
    """One object as a line, UTF-8, its newline included."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text.encode("utf-8", "backslashreplace") + b"\n"  # an unpaired surrogate as JSON writes it, \udcff


def read(lines: Iterable[bytes]) -> Report:
    """The report that `write` made these lines of. Raises ReportError for anything else."""
    report: _Reading | None = None
    number = 0
    for number, text in enumerate(lines, 1):
        try:
            value = json.loads(text)
            if report is None:
                report = _Reading(value)
            else:
                report.take(value)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ReportError(f"line {number} of the report is damaged: {_explained(error)}") from error
    if report is None or report.summary is None:
        raise ReportError(f"the report is cut off after line {number}: it has no summary")
    return Report(
        report.version, report.model, report.thresholds, tuple(report.groups), tuple(report.skips), report.summary
    )


class _Reading:
    """A report that is being read, from its header on."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        _expect(header, "header")
        if header["schema"] != SCHEMA:
            raise ReportError(
                f"the report has schema {header['schema']!r}, this version reads {SCHEMA}: "
                "write it anew with tbhdup report"
            )
        self.version = _typed(header["tbhdup"], str)
        self.model = _typed(header["model"], str)
        self.thresholds = Thresholds(**_plain(Thresholds, header["thresholds"]))
        self.groups: list[Group] = []
        self.skips: list[Skip] = []
        self.summary: Summary | None = None

    def take(self, value: Mapping[str, Any]) -> None:
        """One more line."""
        if self.summary is not None:
            raise ValueError("something follows the summary")
        match _typed(value, dict).get("type"):
            case "group":
                self.groups.append(_group(value))
            case "skip":
                self.skips.append(Skip(path_of(value), Reason(value["reason"]), _typed(value["detail"], str)))
            case _:
                _expect(value, "summary")
                seconds = {name: _typed(time, float) for name, time in _typed(value["seconds"], dict).items()}
                self.summary = Summary(**_plain(Summary, value), seconds=seconds)


def path_of(value: Mapping[str, Any], name: str = "path") -> bytes:
    """The bytes of a path that `path_fields` wrote. Raises ValueError unless it is an absolute one."""
    exact = value.get(f"{name}_bytes")
    path = _typed(value[name], str).encode() if exact is None else base64.b64decode(exact, validate=True)
    if not os.path.isabs(path) or b"\0" in path:  # noqa: PTH117 - bytes, which pathlib does not take
        raise ValueError(f"{path!r} is no absolute path")
    return path


def _group(value: Mapping[str, Any]) -> Group:
    members = tuple(_member(member) for member in _typed(value["members"], list))
    centre = path_of(value, "centre")
    if centre not in {member.path for member in members}:
        raise ValueError("the centre is no member of its group")
    return Group(Kind(value["kind"]), centre, members)


def _member(value: Mapping[str, Any]) -> Member:
    digest = bytes.fromhex(_typed(value["digest"], str))
    if len(digest) != 16:
        raise ValueError(f"a digest of {len(digest)} bytes")
    return Member(path=path_of(value), digest=digest, **_plain(Member, value))


_TYPES: dict[object, type] = {"int": int, "float": float, "str": str, "bool": bool}  # as dataclasses name them


def _plain(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass that are numbers, words and truths."""
    return {f.name: _typed(value[f.name], _TYPES[f.type]) for f in fields(kind) if f.type in _TYPES}


def _typed(value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{kind.__name__} expected, not {value!r:.40}")
    return value


def _expect(value: Mapping[str, Any], kind: str) -> None:
    if _typed(value, dict).get("type") != kind:
        raise ValueError(f"no {kind}")


def _explained(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
