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
    from tbhdup.sources.pixels import (
        SMALL,
        Sight,
        Thumbnail,
        detail,
        fit,
        luminance,
        pack_thumbnail,
        see,
        square,
        unpack_thumbnail,
    )
    from tbhdup.sources.reading import SIZE_LIMIT, Unusable, digest, read_file
    from tbhdup.sources.seams import parts
    from tbhdup.sources.spool import Spool
    from tbhdup.sources.walking import Entry, Listing, walk

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "PIXEL_LIMIT",
    "SIZE_LIMIT",
    "SMALL",
    "Decoded",
    "Disk",
    "Entry",
    "Listing",
    "Row",
    "Sight",
    "Source",
    "Spool",
    "Thumbnail",
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
    "pack_thumbnail",
    "parts",
    "read",
    "read_file",
    "read_manifest",
    "see",
    "skip_of",
    "split_list",
    "square",
    "taken",
    "unpack_thumbnail",
    "walk",
]

__getattr__ = lazily(
    __name__,
    {
        "EXTENSIONS": "tbhdup.sources.names",
        "FORMATS": "tbhdup.sources.decoding",
        "PIXEL_LIMIT": "tbhdup.sources.decoding",
        "SIZE_LIMIT": "tbhdup.sources.reading",
        "SMALL": "tbhdup.sources.pixels",
        "Decoded": "tbhdup.sources.decoding",
        "Disk": "tbhdup.sources.disk",
        "Entry": "tbhdup.sources.walking",
        "Listing": "tbhdup.sources.walking",
        "Row": "tbhdup.sources.lists",
        "Sight": "tbhdup.sources.pixels",
        "Source": "tbhdup.sources.disk",
        "Spool": "tbhdup.sources.spool",
        "Thumbnail": "tbhdup.sources.pixels",
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
        "pack_thumbnail": "tbhdup.sources.pixels",
        "parts": "tbhdup.sources.seams",
        "read": "tbhdup.sources.disk",
        "read_file": "tbhdup.sources.reading",
        "read_manifest": "tbhdup.sources.lists",
        "see": "tbhdup.sources.pixels",
        "skip_of": "tbhdup.sources.archives",
        "split_list": "tbhdup.sources.lists",
        "square": "tbhdup.sources.pixels",
        "taken": "tbhdup.sources.metadata",
        "unpack_thumbnail": "tbhdup.sources.pixels",
        "walk": "tbhdup.sources.walking",
    },
)
