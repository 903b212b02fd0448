"""Small pictures for a report that is looked at."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import islice

from PIL import Image

from tbhdup import sources
from tbhdup.values import Member, OnProgress, Progress, quiet

SIDE = 160  # pixels, the longer one
QUALITY = 70  # WebP's; about 4 kB a thumbnail


def thumbnails(members: Sequence[Member], on_progress: OnProgress = quiet) -> Iterator[bytes | None]:
    """A thumbnail of each, in order, made on all cores and only a little ahead of whoever takes them."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        begun = (pool.submit(thumbnail, member) for member in members)
        ahead = deque(islice(begun, 2 * threads))
        for done in range(len(members)):
            drawn = ahead.popleft().result()
            ahead.extend(islice(begun, 1))
            on_progress(Progress("draw", done + 1, len(members)))
            yield drawn


def thumbnail(member: Member, side: int = SIDE) -> bytes | None:
    """A WebP of at most side x side, upright and without metadata; None: its file does not hold that picture now."""
    try:
        data = sources.read(member.path)
        if sources.digest(data) != member.digest:
            return None
        pixels = sources.fit(sources.decode(data, side), side)
    except sources.Unusable:
        return None
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()
