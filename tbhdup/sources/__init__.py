"""Where pictures come from: list and read them, wherever they lie; decode them, and cut them to size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbhdup.lazy import lazily

if TYPE_CHECKING:
    from tbhdup.sources.apart import decode_apart
    from tbhdup.sources.archives import is_own, members, own, skip_of
    from tbhdup.sources.decoding import FORMATS, PIXEL_LIMIT, Decoded, decode
    from tbhdup.sources.disk import Disk, Source, read
    from tbhdup.sources.extras import installed_since
    from tbhdup.sources.lists import Row, read_manifest, split_list
    from tbhdup.sources.metadata import taken
    from tbhdup.sources.names import EXTENSIONS, is_archive, is_manifest, may_be_picture
    from tbhdup.sources.pixels import detail, fit, luminance, square, squares
    from tbhdup.sources.reading import SIZE_LIMIT, Unusable, digest, read_file
    from tbhdup.sources.spool import Spool
    from tbhdup.sources.walking import Entry, Listing, walk

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "PIXEL_LIMIT",
    "SIZE_LIMIT",
    "Decoded",
    "Disk",
    "Entry",
    "Listing",
    "Row",
    "Source",
    "Spool",
    "Unusable",
    "decode",
    "decode_apart",
    "detail",
    "digest",
    "fit",
    "installed_since",
    "is_archive",
    "is_manifest",
    "is_own",
    "luminance",
    "may_be_picture",
    "members",
    "own",
    "read",
    "read_file",
    "read_manifest",
    "skip_of",
    "split_list",
    "square",
    "squares",
    "taken",
    "walk",
]

__getattr__ = lazily(
    __name__,
    {
        "EXTENSIONS": "tbhdup.sources.names",
        "FORMATS": "tbhdup.sources.decoding",
        "PIXEL_LIMIT": "tbhdup.sources.decoding",
        "SIZE_LIMIT": "tbhdup.sources.reading",
        "Decoded": "tbhdup.sources.decoding",
        "Disk": "tbhdup.sources.disk",
        "Entry": "tbhdup.sources.walking",
        "Listing": "tbhdup.sources.walking",
        "Row": "tbhdup.sources.lists",
        "Source": "tbhdup.sources.disk",
        "Spool": "tbhdup.sources.spool",
        "Unusable": "tbhdup.sources.reading",
        "decode": "tbhdup.sources.decoding",
        "decode_apart": "tbhdup.sources.apart",
        "detail": "tbhdup.sources.pixels",
        "digest": "tbhdup.sources.reading",
        "fit": "tbhdup.sources.pixels",
        "installed_since": "tbhdup.sources.extras",
        "is_archive": "tbhdup.sources.names",
        "is_manifest": "tbhdup.sources.names",
        "is_own": "tbhdup.sources.archives",
        "luminance": "tbhdup.sources.pixels",
        "may_be_picture": "tbhdup.sources.names",
        "members": "tbhdup.sources.archives",
        "own": "tbhdup.sources.archives",
        "read": "tbhdup.sources.disk",
        "read_file": "tbhdup.sources.reading",
        "read_manifest": "tbhdup.sources.lists",
        "skip_of": "tbhdup.sources.archives",
        "split_list": "tbhdup.sources.lists",
        "square": "tbhdup.sources.pixels",
        "squares": "tbhdup.sources.pixels",
        "taken": "tbhdup.sources.metadata",
        "walk": "tbhdup.sources.walking",
    },
)
