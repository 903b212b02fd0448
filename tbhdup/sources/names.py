"""What a file is taken for, by its name alone."""

from __future__ import annotations

import os

# What only an extra decodes is listed without it, too: the user is told, not left in the belief that it counted.
EXTENSIONS = frozenset(
    b".jpg .jpeg .jpe .jfif .jif .mpo .png .apng .webp .gif .bmp .dib .tif .tiff .avif .avifs"
    b" .jp2 .j2k .j2c .jpc .jpf .jpx .heic .heif .hif .jxl"
    b" .3fr .arw .cr2 .cr3 .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .rw2 .sr2 .srw .x3f".split()
)

_ZIPS = (b".zip", b".cbz")
_TARS = (b".tar", b".tar.gz", b".tgz")


def may_be_picture(name: bytes) -> bool:
    """Whether a file in a folder or an archive is looked at: it has a picture's extension, or none."""
    extension = os.path.splitext(name)[1].lower()
    return extension in EXTENSIONS or extension in (b"", b".")


def is_zip(name: bytes) -> bool:
    """Whether an archive of this name is a zip."""
    return name.lower().endswith(_ZIPS)


def is_archive(name: bytes) -> bool:
    """Whether a file of this name is looked through as an archive."""
    return name.lower().endswith(_ZIPS + _TARS)


def is_parquet(name: bytes) -> bool:
    """Whether a manifest of this name is a Parquet file."""
    return name.lower().endswith(b".parquet")


def is_manifest(name: bytes) -> bool:
    """Whether a file of this name is read as a manifest."""
    return is_parquet(name) or name.lower().endswith(b".csv")
