"""Threads: pairs are proven side by side, so that each proof should keep to one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread_a_proof() -> Iterator[None]:
    """Keep OpenCV and BLAS from starting threads of their own, which would wait for one another in small steps."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        cv2.setNumThreads(before)
