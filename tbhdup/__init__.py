"""Find duplicate and near-duplicate images: `scan`, `similar` and `compare`, as the command line has them.

    import tbhdup
    report = tbhdup.scan(["photos"])
    for group in report.groups:
        print(group.kind, [member.path for member in group.members])

Importing this module loads neither torch nor numpy; the first call does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbhdup.lazy import lazily

if TYPE_CHECKING:
    from tbhdup.api import compare, leaks, mark, marked, report, scan, similar
    from tbhdup.pipeline.leaks import Leak, Leaks
    from tbhdup.pipeline.marking import Marked
    from tbhdup.pipeline.scan import Options
    from tbhdup.store import Store
    from tbhdup.values import Group, Kind, Match, Member, Progress, Report, Skip

_HOMES = {
    "compare": "tbhdup.api",
    "leaks": "tbhdup.api",
    "mark": "tbhdup.api",
    "marked": "tbhdup.api",
    "report": "tbhdup.api",
    "scan": "tbhdup.api",
    "similar": "tbhdup.api",
    "Options": "tbhdup.pipeline.scan",
    "Leak": "tbhdup.pipeline.leaks",
    "Leaks": "tbhdup.pipeline.leaks",
    "Marked": "tbhdup.pipeline.marking",
    "Store": "tbhdup.store",
    **dict.fromkeys(("Group", "Kind", "Match", "Member", "Progress", "Report", "Skip"), "tbhdup.values"),
}

__all__ = [
    "Group",
    "Kind",
    "Leak",
    "Leaks",
    "Marked",
    "Match",
    "Member",
    "Options",
    "Progress",
    "Report",
    "Skip",
    "Store",
    "compare",
    "leaks",
    "mark",
    "marked",
    "report",
    "scan",
    "similar",
]


__getattr__ = lazily(__name__, _HOMES)
