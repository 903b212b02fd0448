"""The command line in a process of its own, for the tests of `tbhdup evaluate`."""

from __future__ import annotations

import os
import subprocess
import sys


def run(
    *arguments: object, check: int = 0, before: str = "", **environment: object
) -> subprocess.CompletedProcess[str]:
    """Run `tbhdup ARGUMENTS`, which must exit with `check`. before: Python that runs in front of it."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{before}\nfrom tbhdup.cli import main\nmain()", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "NO_COLOR": "1", **{name: str(value) for name, value in environment.items()}},
        check=False,
        text=True,
    )
    assert done.returncode == check, done.stderr
    return done
