"""JSON Lines, schema 1: a header, a line a group, a line a skip, a summary."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tbhdup.values import Group, Report, Skip

SCHEMA = 1


def write(report: Report) -> Iterator[bytes]:
    """The report's lines, UTF-8, each with its newline."""
    yield line(
        {
            "type": "header",
            "schema": SCHEMA,
            "tbhdup": report.version,
            "model": report.model,
            "thresholds": asdict(report.thresholds),
        }
    )
    for group in report.groups:
        yield line(group_object(group))
    for skip in report.skips:
        yield line(skip_object(skip))
    yield line({"type": "summary", **asdict(report.summary)})


def group_object(group: Group) -> dict[str, Any]:
    """A group as its line's object."""
    members = []
    for member in group.members:
        fields = asdict(member)
        del fields["path"]
        members.append({**path_fields(member.path), **fields, "digest": member.digest.hex()})
    return {"type": "group", "kind": str(group.kind), "centre": path_fields(group.centre)["path"], "members": members}


def skip_object(skip: Skip) -> dict[str, Any]:
    """A skip as its line's object."""
    return {"type": "skip", **path_fields(skip.path), "reason": str(skip.reason), "detail": skip.detail}


def path_fields(path: bytes) -> dict[str, str]:
    """A path as text; one that is not UTF-8 also as base64, for programs that must open it."""
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        text = path.decode("utf-8", "replace")
        return {"path": text, "path_bytes": base64.b64encode(path).decode("ascii")}


def line(value: dict[str, Any]) -> bytes:
    """One object as a line, UTF-8, its newline included."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode("utf-8") + b"\n"
