"""Keys and values of the databases: values packed to bytes and back, without loss."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_digest, xxh3_128_digest

from tbhdup.values import CODE_BITS, LATENT_SIZE, Digest, File, Outcome, Reason, Relation, Verdict

PICTURE = np.dtype(
    [
        ("digest", "u1", (16,)),
        ("width", "<u4"),
        ("height", "<u4"),
        ("format", "u1"),
        ("detail", "<u2"),
        ("code", "<u8"),
        ("latent", "i1", (LATENT_SIZE,)),
    ]
)
"""One picture as one model sees it; packed, and stored as it is."""

PART = np.dtype([("digest", "u1", (16,)), ("code", "<u8"), ("latent", "i1", (LATENT_SIZE,))])
"""A part of a picture that may be a picture of its own, as one model sees it; `digest` is the whole picture's.

A picture's parts are one record: all of them, packed.
"""

HIT = np.dtype([("code", "<u8"), ("digest", "u1", (16,))])
"""One entry of a substring table: the whole code, so that distances need no look-up of the picture."""

DIGEST_SIZE = 16
SUBSTRING_BITS = 16
TABLES = CODE_BITS // SUBSTRING_BITS
"""Substring tables a model; table t is keyed by bits 16t .. 16t+15 of the code, the lowest bit being bit 0."""

KEY_LIMIT = 510  # LMDB takes 511; one byte is spare for "the next key after this one"

CHUNK = 4096  # pictures joined at once

OUTCOMES_KEPT = 4

_FOLDER = 8  # bytes of a folder id
_FILE = struct.Struct(">B48sH")  # flags, stat, bytes of the name where the key could not hold it
_STAT = struct.Struct(">Q16sQ16s")  # size, mtime_ns, device, inode
_HAS_DIGEST = 1
_SKIPPED = 2

_VERDICT = struct.Struct("<Bd")  # flags, confidence
_RELATION = struct.Struct("<2dId6dH")  # share_a, share_b, inliers, agreement, transform, number of words
_TEXT = struct.Struct("<I")  # bytes that follow
_OUTCOME = struct.Struct("<16sQQ")  # question, candidates, pairs that were asked for; the pairs follow
_ACCEPTED = 1
_RELATED = 2


class Damaged(Exception):
    """A key or value that this module did not write."""


# Files


def folder_id(folder: bytes) -> bytes:
    """xxh3-64 of the folder's absolute path, 8 bytes."""
    return xxh3_64_digest(folder)


def file_key(folder: bytes, name: bytes) -> bytes:
    """Folder id (8 bytes) and file name. A name that is too long for a key ends in its xxh3-128 instead."""
    key = folder + name
    if len(key) < KEY_LIMIT:
        return key
    return key[: KEY_LIMIT - DIGEST_SIZE] + xxh3_128_digest(name)


def folder_of(key: bytes) -> bytes:
    """The folder id of a file's key."""
    return key[:_FOLDER]


def pack_stat(size: int, mtime_ns: int, device: int, inode: int) -> bytes:
    """What `stat` says of a file, 48 bytes. Times and inodes may need more than 64 bits on some file systems."""
    return _STAT.pack(size, mtime_ns.to_bytes(16, "big", signed=True), device, inode.to_bytes(16, "big"))


def stat_of(record: bytes) -> bytes:
    """The packed stat inside a file's record."""
    return record[1:49]


def inode_key(stat: bytes) -> bytes | None:
    """Device and inode, 24 bytes, of a packed stat. None: the file system gives no inodes."""
    return stat[24:] if any(stat[32:]) else None


def pack_file(key: bytes, name: bytes, file: File) -> bytes:
    """The record of a file; its folder and, where that fits, its name are in the key."""
    flags = _HAS_DIGEST * (file.digest is not None) | _SKIPPED * (file.skip is not None)
    long_name = name if len(key) == KEY_LIMIT else b""
    stat = pack_stat(file.size, file.mtime_ns, file.device, file.inode)
    words = file.detail if file.skip is None else f"{file.skip.value}\0{file.detail}"
    digest = b"" if file.digest is None else as_digest(file.digest)
    return _FILE.pack(flags, stat, len(long_name)) + digest + long_name + words.encode("utf-8", "surrogatepass")


def unpack_file(prefix: bytes, key: bytes, record: bytes) -> tuple[bytes, File]:
    """Name and file. prefix: the folder's path with a separator at its end. Raises Damaged."""
    try:
        flags, stat, long_name = _FILE.unpack_from(record)
        size, mtime_ns, device, inode = _STAT.unpack(stat)
        middle = _FILE.size + DIGEST_SIZE * bool(flags & _HAS_DIGEST)
        end = middle + long_name
        name = record[middle:end] if long_name else key[_FOLDER:]
        words = record[end:].decode("utf-8", "surrogatepass")
        skip = None
        if flags & _SKIPPED:
            reason, _, words = words.partition("\0")
            skip = Reason(reason)
    except (struct.error, ValueError) as error:
        raise Damaged(f"the row of {os.fsdecode(prefix + key[_FOLDER:])!r}: {error}") from error
    if len(record) < end or file_key(key[:_FOLDER], name) != key or not name or b"\0" in name:
        raise Damaged(f"the row of {os.fsdecode(prefix + key[_FOLDER:])!r} does not fit its key")
    mtime = int.from_bytes(mtime_ns, "big", signed=True)
    digest = digest_of(record)
    return name, File(prefix + name, size, mtime, device, int.from_bytes(inode, "big"), digest, skip, words)


def digest_of(record: bytes) -> Digest | None:
    """The digest inside a file's record."""
    return record[_FILE.size : _FILE.size + DIGEST_SIZE] if record[0] & _HAS_DIGEST else None


def is_skipped(record: bytes) -> bool:
    """Whether a file's record says that it was skipped."""
    return bool(record) and bool(record[0] & _SKIPPED)


def as_digest(digest: Digest) -> Digest:
    """The digest itself. Raises ValueError when it is not 16 bytes."""
    if len(digest) != DIGEST_SIZE:
        raise ValueError(f"a digest has {DIGEST_SIZE} bytes, not {len(digest)}")
    return bytes(digest)


# Pictures


def column(rows: NDArray[np.void], width: int) -> list[bytes]:
    """Fixed-size rows as a list of bytes objects, each `width` long; NULs at the end are kept."""
    raw: list[bytes] = np.frombuffer(rows.tobytes(), np.dtype((np.void, width))).tolist()
    return raw


def digests_of(rows: NDArray[np.void]) -> list[Digest]:
    """The digests of pictures or hits, in order."""
    return column(rows["digest"], DIGEST_SIZE)


def pictures_from(records: Iterable[bytes], count: int) -> NDArray[np.void]:
    """As many records as an array of pictures. Joined by and by, so that few exist twice. Raises Damaged."""
    rows = np.empty(count, PICTURE)
    remaining = iter(records)
    for start in range(0, count, CHUNK):
        part = rows[start : start + CHUNK]
        joined = b"".join(islice(remaining, CHUNK))
        if len(joined) != part.nbytes:
            raise Damaged("its pictures have another size")
        part[:] = np.frombuffer(joined, PICTURE)
    return rows


def parts_from(records: bytes) -> NDArray[np.void]:
    """Records one after the other as an array of parts. Raises Damaged."""
    if len(records) % PART.itemsize:
        raise Damaged("the parts of its pictures have another size")
    return np.frombuffer(bytearray(records), PART)


def table_entries(rows: NDArray[np.void], table: int) -> list[tuple[bytes, bytes]]:
    """Key and value of every picture's entry in one substring table, sorted by key.

    The key is the table's number (1 byte) and the substring (2 bytes, big-endian), the value a HIT.
    """
    substrings = (rows["code"] >> np.uint64(SUBSTRING_BITS * table)).astype(np.uint16)
    order = np.argsort(substrings, kind="stable")
    keys = np.empty(len(rows), np.dtype([("table", "u1"), ("substring", ">u2")]))
    keys["table"], keys["substring"] = table, substrings[order]
    hits = np.empty(len(rows), HIT)
    hits["code"], hits["digest"] = rows["code"][order], rows["digest"][order]
    return list(zip(column(keys, keys.itemsize), column(hits, HIT.itemsize), strict=True))


def table_key(table: int, substring: int) -> bytes:
    """The key of one bucket. Raises ValueError outside of 0..3 and 0..65535."""
    if not (0 <= table < TABLES and 0 <= substring < 1 << SUBSTRING_BITS):
        raise ValueError(f"there is no substring {substring} in table {table}")
    return bytes([table]) + substring.to_bytes(2, "big")


# Verdicts


def pair_key(a: Digest, b: Digest) -> bytes:
    """Two digests, 32 bytes. Raises ValueError unless a < b: a relation has a direction, so swapping is no way out."""
    if not as_digest(a) < as_digest(b):
        raise ValueError("a pair is two different digests, the smaller first")
    return a + b


def pack_verdict(verdict: Verdict) -> bytes:
    """The record of a verdict: 13 bytes and the reason where there is no relation."""
    relation = verdict.relation
    flags = _ACCEPTED * verdict.accepted | _RELATED * (relation is not None)
    parts = [_VERDICT.pack(flags, verdict.confidence), _pack_text(verdict.reason)]
    if relation is not None:
        r = relation
        parts.append(_RELATION.pack(r.share_a, r.share_b, r.inliers, r.agreement, *r.transform, len(r.words)))
        parts += map(_pack_text, r.words)
    return b"".join(parts)


def unpack_verdict(record: bytes) -> Verdict:
    """The verdict. Raises Damaged."""
    try:
        flags, confidence = _VERDICT.unpack_from(record)
        reason, at = _unpack_text(record, _VERDICT.size)
        relation = None
        if flags & _RELATED:
            share_a, share_b, inliers, agreement, *transform, count = _RELATION.unpack_from(record, at)
            at += _RELATION.size
            words = []
            for _ in range(count):
                word, at = _unpack_text(record, at)
                words.append(word)
            six = (transform[0], transform[1], transform[2], transform[3], transform[4], transform[5])
            relation = Relation(tuple(words), share_a, share_b, inliers, agreement, six)
    except (struct.error, UnicodeDecodeError) as error:
        raise Damaged(f"a verdict: {error}") from error
    if at != len(record):
        raise Damaged(f"a verdict of {len(record)} bytes where {at} were expected")
    return Verdict(bool(flags & _ACCEPTED), confidence, relation, reason)


def _pack_text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return _TEXT.pack(len(raw)) + raw


def _unpack_text(record: bytes, at: int) -> tuple[str, int]:
    start = at + _TEXT.size
    end = start + _TEXT.unpack_from(record, at)[0]
    return record[start:end].decode("utf-8", "surrogatepass"), end


# Outcomes


def outcome_key(question: Digest) -> bytes:
    """One of OUTCOMES_KEPT places, so that new outcomes take those of old ones."""
    return bytes([as_digest(question)[0] % OUTCOMES_KEPT])


def pack_outcome(question: Digest, outcome: Outcome) -> bytes:
    """The record of an outcome: its question, two counts, and the pairs."""
    counts = _OUTCOME.pack(as_digest(question), outcome.candidates, outcome.asked)
    return counts + b"".join(pair_key(*pair) for pair in outcome.confirmed)


def unpack_outcome(record: bytes) -> tuple[Digest, Outcome]:
    """The question and its outcome. Raises Damaged."""
    try:
        question, candidates, asked = _OUTCOME.unpack_from(record)
    except struct.error as error:
        raise Damaged(f"an outcome: {error}") from error
    if (len(record) - _OUTCOME.size) % (2 * DIGEST_SIZE):
        raise Damaged(f"an outcome of {len(record)} bytes is cut off")
    keys = (record[at : at + 2 * DIGEST_SIZE] for at in range(_OUTCOME.size, len(record), 2 * DIGEST_SIZE))
    return question, Outcome(candidates, asked, tuple((key[:DIGEST_SIZE], key[DIGEST_SIZE:]) for key in keys))
