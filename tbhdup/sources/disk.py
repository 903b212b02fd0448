"""Pictures that lie on the disk: in folders, in archives, named by lists and manifests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from tbhdup.sources import archives
from tbhdup.sources.lists import read_manifest
from tbhdup.sources.names import is_manifest
from tbhdup.sources.reading import Unusable, read_file
from tbhdup.sources.walking import Listing, walk
from tbhdup.values import File, Reason


class Source(Protocol):
    """Where pictures come from: what there is, and the bytes of each, as often as they are asked for."""

    @property
    def lasting(self) -> bool:
        """Whether the next scan can meet the same files again, so that they are worth remembering by path."""

    def listings(self) -> Iterator[Listing]:
        """What there is; the path of an entry is the folder and its name."""

    def read(self, file: File) -> bytes:
        """The bytes of a file in the state in which it was listed. Raises Unusable."""

    def again(self, file: File) -> bytes:
        """The bytes of a file that has been read before, whatever they are now. Raises Unusable."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Folders, files, archives and manifests.

    roots       absolute paths, which must exist; a manifest (see `read_manifest`) stands for what it names
    listed      further ones, of which missing ones are skips
    archives    whether archives in folders are looked into, too
    """

    roots: Sequence[bytes] = ()
    listed: Sequence[bytes] = ()
    archives: bool = False

    @property
    def lasting(self) -> bool:
        return True

    def listings(self) -> Iterator[Listing]:
        """Every folder once, with its archives. Raises UsageError for a root that is missing or a bad manifest."""
        roots = [root for root in self.roots if not is_manifest(root)]
        return walk(roots, chain(self.listed, self._in_manifests()), archives=self.archives)

    def named(self) -> Iterator[bytes]:
        """The paths that were named, those of manifests instead of the manifests."""
        roots = (root for root in self.roots if not is_manifest(root))
        return chain(roots, self.listed, self._in_manifests())

    def _in_manifests(self) -> Iterator[bytes]:
        for root in filter(is_manifest, self.roots):
            yield from read_manifest(root)

    def read(self, file: File) -> bytes:
        return _read(file.path, file, strict=True)

    def again(self, file: File) -> bytes:
        return _read(file.path, file, strict=False)


def read(path: bytes) -> bytes:
    """The bytes of a file or of a member of an archive. Raises Unusable."""
    return _read(path, None, strict=False)


def _read(path: bytes, seen: File | None, strict: bool) -> bytes:
    try:
        return read_file(path, seen if strict else None)
    except Unusable as error:
        # What leads through a file, as into an archive, is not there for the system.
        archive = archives.locate(path) if error.reason is Reason.VANISHED else None
        if archive is None:
            raise
    return archives.read_member(archive, path, seen, strict)
