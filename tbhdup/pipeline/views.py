"""Views of pictures for the proof, made when they are first asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock

from tbhdup import sources, verify
from tbhdup.values import Digest, File

Again = Callable[[File], bytes]
Contents = Callable[[Digest], bytes | str]
"""The bytes of a content, or why there are none."""

KEPT = 320  # views, about 0.7 MB each with their features


def contents(files: Mapping[Digest, Sequence[File]], again: Again) -> Contents:
    """The contents of files, each read from the first of its files that still holds it."""

    def content(digest: Digest) -> bytes | str:
        why = "no file of it is there"
        for file in files.get(digest, ()):
            try:
                data = again(file)
            except sources.Unusable as error:
                why = str(error)
                continue
            if sources.digest(data) == digest:
                return data
            why = "its file has changed since"
        return why

    return content


class Views:
    """Views of contents; the least recently used go. May be shared by threads."""

    def __init__(self, contents: Contents, kept: int = KEPT) -> None:
        self._contents = contents
        self._limit = kept
        self._kept: OrderedDict[Digest, verify.View | str] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: Digest) -> verify.View | str:
        """The view, or why there is none."""
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        view = self._load(digest)
        with self._lock:
            self._kept[digest] = view
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return view

    def _load(self, digest: Digest) -> verify.View | str:
        data = self._contents(digest)
        if isinstance(data, str):
            return data
        try:
            picture = sources.decode(data, verify.SIDE)
        except sources.Unusable as error:
            return str(error)
        return view_of(picture, partial(self._again, digest))

    def _again(self, digest: Digest) -> bytes:
        data = self._contents(digest)
        if isinstance(data, str):
            raise LookupError(data)
        return data


def view_of(picture: sources.Decoded, again: Callable[[], bytes]) -> verify.View:
    """What the proof looks at; the whole picture is decoded again only when two could be equal."""

    def pixels() -> bytes:
        return sources.digest(sources.decode(again()).image.tobytes())

    return verify.View(
        sources.luminance(picture, verify.SIDE),
        sources.square(picture, verify.COLOURS),
        (picture.width, picture.height),
        pixels,
    )
