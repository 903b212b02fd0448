"""Write the manual page from the commands themselves.

python docs/make_man.py docs/tbhdup.1
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from typer.main import get_command

from tbhdup.cli import app, config, settings
from tbhdup.version import VERSION

STATUSES = {
    "0": "done",
    "1": "failed; compare: the pictures are different",
    "2": "wrong usage",
    "3": "--fail-if-found, and something was found",
    "4": "--strict, and something was skipped",
    "130": "interrupted; what was done is kept",
}
KINDS = {Path: "PATH", int: "N", float: "X", str: "TEXT"}


def page() -> str:
    """The whole page, in the man macros."""
    root = get_command(app)
    lines = [
        f'.TH TBHDUP 1 "" "tbhdup {VERSION}" "User commands"',
        ".SH NAME",
        rf"tbhdup \- {text(str(root.help)).rstrip('.').lower()}",
        ".SH SYNOPSIS",
        r".B tbhdup",
        r".I COMMAND",
        r"[\fIARGUMENTS\fR]",
        ".SH DESCRIPTION",
        text("Nothing is ever changed but by tbhdup apply --yes, which tbhdup undo takes back. Results go to stdout, "
             "progress and messages to stderr."),
        ".SH COMMANDS",
        *described("tbhdup", root),
        ".SH EXIT STATUS",
    ]  # fmt: skip
    for status, meaning in STATUSES.items():
        lines += [".TP", status, text(meaning)]
    lines += [".SH ENVIRONMENT"]
    for name, setting in settings.known(config.config).items():
        lines += [".TP", rf"\fB{text(setting.variable)}\fR", text(f"What --{name} is by default.")]
    lines += [
        ".SH FILES",
        ".TP",
        r"\fItbhdup.toml\fR, \fIpyproject.toml\fR",
        text("Settings, the latter under [tool.tbhdup]: the one in the working folder, or else the next above. The "
             "keys are the options that tbhdup config lists. The command line counts before the environment, that "
             "before the file."),
        ".TP",
        r"\fIstore\fR, \fIstore.marks.jsonl\fR, \fIstore.journal.jsonl\fR",
        text("In the user's data folder: the codes of pictures, which can be deleted and made anew; what was marked; "
             "what apply has done."),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def described(name: str, group: Any) -> Iterator[str]:
    """Every command below a group."""
    for word, command in group.commands.items():
        full = f"{name} {word}"
        if hasattr(command, "commands"):
            yield from described(full, command)
            continue
        kinds = get_type_hints(inspect.unwrap(command.callback))
        arguments = [param for param in command.params if param.param_type_name == "argument"]
        yield f".SS {text(full)} {text(' '.join(str(param.metavar or param.name.upper()) for param in arguments))}"
        yield text(str(command.help))
        for param in arguments:
            yield from (".TP", rf"\fI{text(str(param.metavar or param.name.upper()))}\fR", text(param.help or ""))
        for param in command.params:
            if param.param_type_name == "option" and param.name in kinds:
                yield from (".TP", spelt(param, kinds[param.name]), explained(param))


def spelt(param: Any, hint: Any) -> str:
    """An option's names and what it takes."""
    names = ", ".join(rf"\fB{text(name)}\fR" for name in (*param.opts, *param.secondary_opts))
    if param.is_flag:
        return names
    kind = next(kind for kind in (get_args(hint) or (hint,)) if kind is not NoneType)
    kind = next(iter(get_args(kind)), kind)
    word = param.metavar or ("|".join(kind) if issubclass(kind, StrEnum) else KINDS[kind])
    return rf"{names} \fI{text(word)}\fR"


def explained(param: Any) -> str:
    """An option's help, and its default where it has one."""
    default = param.default
    has_one = not (default is None or default is False or default in ([], ())) and not callable(default)
    after = f" [{default.value if isinstance(default, StrEnum) else default}]" if has_one else ""
    return text(f"{param.help}{after}")


def text(words: str) -> str:
    """Words as roff takes them: no character of theirs is a command."""
    plain = " ".join(words.split()).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain[:1] in (".", "'") else plain


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8")
