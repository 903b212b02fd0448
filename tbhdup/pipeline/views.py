"""Views of pictures for the proof, made when they are first asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tbhdup import sources, verify
from tbhdup.store import Store
from tbhdup.values import Digest, File, Verdict

Again = Callable[[File], bytes]

KEPT = 640  # views, about 0.35 MB each with their features
ABSENT = "not seen"  # how the reason begins where a picture could not be looked at


class Unseen(Exception):
    """A picture cannot be looked at; the text says why."""


class Contents(Protocol):
    """Where a proof gets pictures from."""

    def thumbnail(self, digest: Digest) -> bytes | None:
        """What `sources.pack_thumbnail` made of a content; None: nothing was kept."""

    def data(self, digest: Digest) -> bytes:
        """The bytes of a content. Raises Unseen."""


@dataclass(frozen=True, slots=True)
class KnownContents:
    """The contents of files, each read from the first of its files that still holds it."""

    files: Mapping[Digest, Sequence[File]]
    again: Again
    store: Store

    def thumbnail(self, digest: Digest) -> bytes | None:
        return self.store.thumbnails([digest]).get(digest)

    def data(self, digest: Digest) -> bytes:
        why = "no file of it is there"
        for file in self.files.get(digest, ()):
            try:
                data = self.again(file)
            except sources.Unusable as error:
                why = str(error)
                continue
            if sources.digest(data) == digest:
                return data
            why = "its file has changed since"
        raise Unseen(why)


class Views:
    """Views of contents; the least recently used go. May be shared by threads."""

    def __init__(self, contents: Contents, kept: int = KEPT) -> None:
        self._contents = contents
        self._limit = kept
        self._kept: OrderedDict[Digest, verify.View | Unseen] = OrderedDict()
        self._lock = Lock()

    def prove(self, a: Digest, b: Digest) -> Verdict:
        """Whether two contents, the likely original first, are one picture; not, where one cannot be looked at."""
        try:
            return verify.prove(self.get(a), self.get(b))
        except Unseen as error:
            return Verdict(False, 0.0, None, f"{ABSENT}: {error}")

    def get(self, digest: Digest) -> verify.View:
        """The view. Raises Unseen, and so does the proof for a view whose picture is then asked for."""
        with self._lock:
            view = self._kept.get(digest)
            if view is not None:
                self._kept.move_to_end(digest)
        if view is None:
            view = self._make(digest)
            with self._lock:
                self._kept[digest] = view
                while len(self._kept) > self._limit:
                    self._kept.popitem(last=False)
        if isinstance(view, Unseen):
            raise view
        return view

    def _make(self, digest: Digest) -> verify.View | Unseen:
        thumbnail = self._contents.thumbnail(digest)
        kept = _unpacked(thumbnail) if thumbnail is not None else None
        if kept is not None:
            return _view(kept, partial(self._load, digest), partial(self._contents.data, digest))
        try:
            return view_of(self._contents.data(digest), partial(self._contents.data, digest))
        except sources.Unusable as error:
            return Unseen(str(error))
        except Unseen as error:
            return error

    def _load(self, digest: Digest) -> NDArray[np.uint8]:
        try:
            return _luminance(self._contents.data(digest))
        except sources.Unusable as error:
            raise Unseen(str(error)) from error


def _unpacked(thumbnail: bytes) -> sources.Thumbnail | None:
    """None where it is damaged: the file is as good."""
    try:
        return sources.unpack_thumbnail(thumbnail)
    except ValueError:
        return None


def view_of(data: bytes, again: Callable[[], bytes]) -> verify.View:
    """What the proof looks at in a file's bytes. Raises sources.Unusable.

    again: gives the bytes anew; the whole picture is decoded again only when two could be equal.
    """
    seen = sources.decode(data, sources.SMALL)
    packed = sources.pack_thumbnail(seen, sources.square(seen, sources.SMALL))
    image = _luminance(data)
    # As if it had been kept: a verdict must not hang on where the thumbnail comes from.
    return _view(sources.unpack_thumbnail(packed), lambda: image, again)


def _luminance(data: bytes) -> NDArray[np.uint8]:
    return sources.luminance(sources.decode(data, verify.SIDE, grey=True), verify.SIDE)


def _view(kept: sources.Thumbnail, load: Callable[[], NDArray[np.uint8]], again: Callable[[], bytes]) -> verify.View:
    return verify.View(
        kept.pixels,
        (kept.width, kept.height),
        kept.drafted,
        load,
        lambda: sources.digest(sources.decode(again()).image.tobytes()),
        lambda square: bool(sources.parts(square)),
    )
