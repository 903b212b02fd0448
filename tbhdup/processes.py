"""Further Pythons beside this one: for what may die, and for what would wait for this one's lock."""

from __future__ import annotations

import os
import sys


def command(module: str, *arguments: str) -> list[str]:
    """What starts a Python that runs `main()` of a module of this package; its arguments are in `sys.argv[1:]`."""
    # -P: what lies in the current folder is not to be imported.
    return [sys.executable, "-P", "-c", f"from {module} import main; main()", *arguments]


def environment() -> dict[str, str]:
    """This process's environment, for one that imports from where this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
