"""What the processes of a scan have in common."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WORK = """
import resource, sys
import numpy as np
from tbhdup.processes import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults():
    for _ in range(10):
        arrays = [np.ones(15 << 20, np.uint8) for _ in range(6)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
print(faults() - before)
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}), reason="not the GNU C library")
def test_memory_that_arrays_leave_is_used_again() -> None:
    as_it_is, kept = (
        int(subprocess.run([sys.executable, "-c", WORK, how], capture_output=True, text=True, check=True).stdout)
        for how in ("as it is", "kept")
    )
    assert kept < 1000
    assert as_it_is > 10 * kept
