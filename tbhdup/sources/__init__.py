"""Where pictures come from: walk the roots, read and digest a file, decode it, and cut it to size."""

from __future__ import annotations

from tbhdup.sources.apart import decode_apart
from tbhdup.sources.decoding import FORMATS, PIXEL_LIMIT, Decoded, decode
from tbhdup.sources.extras import installed_since
from tbhdup.sources.metadata import taken
from tbhdup.sources.pixels import detail, fit, square
from tbhdup.sources.reading import SIZE_LIMIT, Unusable, digest, read
from tbhdup.sources.walking import EXTENSIONS, Entry, Listing, walk

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "PIXEL_LIMIT",
    "SIZE_LIMIT",
    "Decoded",
    "Entry",
    "Listing",
    "Unusable",
    "decode",
    "decode_apart",
    "detail",
    "digest",
    "fit",
    "installed_since",
    "read",
    "square",
    "taken",
    "walk",
]
