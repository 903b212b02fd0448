"""Settings from a file: what the command line's options are by default, below a folder.

The command `config` has every option that can be set so; their names are the keys. What an option gets is for the
parser to say: the command line counts before the environment, that before the file, that before the option's default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from tbhdup.errors import UsageError


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that can be set for all commands that have it."""

    parameter: str  # the name in Python
    variable: str  # of the environment
    kind: type  # of a value: Path, str, int, float, or a StrEnum
    several: bool  # it takes a list
    least: float | None
    most: float | None

    def check(self, value: object, file: Path) -> object:
        """A value from a file as the option takes it, paths from the file's folder on. Raises ValueError."""
        if not self.several:
            return self._one(value, file)
        if not isinstance(value, list):
            raise ValueError("a list expected")
        return [self._one(part, file) for part in value]

    def _one(self, value: object, file: Path) -> object:
        if self.kind in (int, float):
            if isinstance(value, bool) or not isinstance(value, int if self.kind is int else int | float):
                raise ValueError(f"a {'whole ' if self.kind is int else ''}number expected")
            if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
                raise ValueError(
                    f"at least {self.least}{'' if self.most is None else f', at most {self.most}'} expected"
                )
            return value
        if not isinstance(value, str):
            raise ValueError("a text expected, or a list of them" if self.several else "a text expected")
        if issubclass(self.kind, StrEnum) and value not in set(self.kind):
            raise ValueError(f"one of {', '.join(self.kind)} expected")
        return str(file.parent / Path(value).expanduser()) if self.kind is Path else value


def known(command: Callable[..., None]) -> dict[str, Setting]:
    """The settings that a command's function has as options, by the names of those."""
    found = {}
    for parameter, hint in get_type_hints(command, include_extras=True).items():
        for option in getattr(hint, "__metadata__", ()):
            kinds = [kind for kind in get_args(hint.__origin__) or (hint.__origin__,) if kind is not NoneType]
            several = bool(get_args(kinds[0]))
            found[parameter.replace("_", "-")] = Setting(
                parameter,
                option.envvar,
                get_args(kinds[0])[0] if several else kinds[0],
                several,
                option.min,
                option.max,
            )
    return found


def find(folder: Path) -> Path | None:
    """The settings that hold in a folder: tbhdup.toml, or a pyproject.toml with [tool.tbhdup], in it or next above."""
    for place in (folder, *folder.parents):
        for file in (place / "tbhdup.toml", place / "pyproject.toml"):
            if file.is_file() and _table(file) is not None:
                return file
    return None


def load(folder: Path, settings: Mapping[str, Setting], commands: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the file says, as defaults of each command that has such an option; None: there is no file.

    Raises UsageError for a file that cannot be read, or says what no option takes.
    """
    file = find(folder)
    if file is None:
        return None
    values = {}
    for key, value in (_table(file) or {}).items():
        if key not in settings:
            raise UsageError(f"{file}: no setting is called {key!r}: use {', '.join(settings)}")
        try:
            values[settings[key].parameter] = settings[key].check(value, file)
        except ValueError as error:
            raise UsageError(f"{file}: {key}: {error}, not {value!r}") from error
    return _defaults(commands, values)


def _table(file: Path) -> dict[str, Any] | None:
    """The settings in a file; None: it is another tool's pyproject.toml."""
    import tomllib

    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if file.name != "pyproject.toml":
        return content
    table = content.get("tool", {}).get("tbhdup")
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{file}: tool.tbhdup is no table")
    return table


def _defaults(commands: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values for each command, those of subcommands below the name of theirs."""
    return {
        name: _defaults(command.commands, values)
        if hasattr(command, "commands")
        else {param.name: values[param.name] for param in command.params if param.name in values}
        for name, command in commands.items()
    }
