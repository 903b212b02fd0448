"""Every failure that a user can meet, with its exit status.

TbhdupError
├── UsageError          wrong arguments, found after parsing
├── StoreError          the store cannot be opened or is damaged
│   ├── StoreTooNew     written by a newer version
│   └── StoreLocked     another process writes to it
├── ReportError         a file is no report that can be read back
├── ActionError         acting on files, or taking it back, had to stop
├── WeightsError        weights are missing, damaged or of another format
└── MissingExtra        an optional package is not installed
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit statuses of every command."""

    DONE = 0
    FAILED = 1  # also: `compare` says "different"
    USAGE = 2
    FOUND = 3  # --fail-if-found, and something was found
    SKIPPED = 4  # --strict, and something was skipped
    INTERRUPTED = 130


class TbhdupError(Exception):
    """A failure with a one-line message for people and an exit status for scripts."""

    exit_code: Exit = Exit.FAILED


class UsageError(TbhdupError):
    """The arguments do not make sense together, or name nothing that exists."""

    exit_code = Exit.USAGE


class StoreError(TbhdupError):
    """The store cannot be opened, read or written."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of tbhdup."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the store has schema {found}, this version knows up to {known}: "
            "upgrade tbhdup, or name another store with --store"
        )


class StoreLocked(StoreError):
    """Another process is writing to the store."""


class ReportError(TbhdupError):
    """A file is no report that can be read back; the message says which line is wrong, and how."""


class ActionError(TbhdupError):
    """A run had to stop; the message says where, why, and what was done until then."""


class WeightsError(TbhdupError):
    """The weights are missing, damaged or made for another version."""


class MissingExtra(TbhdupError):
    """An optional feature needs a package that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional package: pip install 'tbhdup[{extra}]'")
