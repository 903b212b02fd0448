"""The values that pass between the stages: frozen, plain, with units in their descriptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

Digest = bytes
"""xxh3-128 of a file's bytes, 16 bytes, big-endian."""

CODE_BITS = 64
LATENT_SIZE = 128


class Kind(StrEnum):
    """How two pictures are the same, strongest first."""

    IDENTICAL = "identical"  # the same bytes
    DUPLICATE = "duplicate"  # the same picture: equal pixels, or edited, and proven so
    SIMILAR = "similar"  # near by code and latent, not proven to be one picture


class Reason(StrEnum):
    """Why a file was skipped; the word that reports carry."""

    UNREADABLE = "unreadable"  # no permission, I/O error
    VANISHED = "vanished"  # gone between listing and reading
    CHANGED = "changed"  # changed while it was read
    EMPTY = "empty"  # zero bytes
    NOT_AN_IMAGE = "not-an-image"  # the content is no picture, whatever the name says
    UNSUPPORTED = "unsupported"  # a picture in a format that is not allowed
    TRUNCATED = "truncated"  # the picture's data end early
    CORRUPT = "corrupt"  # the picture's data make no sense
    CRASHED = "crashed"  # the decoder died of it, and the process with it
    TOO_LARGE = "too-large"  # more bytes or pixels than the limit
    NOT_A_FILE = "not-a-file"  # named by the user, but a FIFO, socket or device
    LOOP = "loop"  # a symbolic link that leads back to itself
    ENCRYPTED = "encrypted"  # a member of an archive that needs a password
    BAD_NAME = "bad-name"  # a name that leads out of its archive, or that another picture has already


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that was left out, and why."""

    path: bytes
    reason: Reason
    detail: str = ""  # one line for people: the system's or the decoder's own words


@dataclass(frozen=True, slots=True)
class File:
    """One file as the store knows it, or one member of an archive (see `sources.archives`)."""

    path: bytes  # absolute, os.fsencode; of a picture that is no file (see `sources.Spool`): its name
    size: int  # bytes
    mtime_ns: int
    device: int
    inode: int
    digest: Digest | None  # None: skipped, not read yet, or an archive that was looked through
    skip: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """How picture B was made from picture A, as far as the proof can tell.

    words         what was done, in the order people would say it: ("cropped", "mirrored"); see `verify.RELATIONS`
    share_a       area of A that B shows, 0..1
    share_b       area of B that A fills, 0..1
    inliers       local features that agree with the map; 0 where none were needed
    agreement     median normalised cross-correlation of the compared tiles, -1..1
    transform     six numbers of the 2 x 3 affine map from A to B, both in units of their own width and height (0..1)
    """

    words: tuple[str, ...]
    share_a: float = 1.0
    share_b: float = 1.0
    inliers: int = 0
    agreement: float = 1.0
    transform: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

    def __str__(self) -> str:
        return ", ".join(self.words)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the proof says of one pair of pictures."""

    accepted: bool
    confidence: float  # 0..1, how sure the verdict is; 1 for equal pixels
    relation: Relation | None  # None: not accepted
    reason: str = ""  # why it was not accepted, a few words


@dataclass(frozen=True, slots=True)
class Match:
    """Two different contents that belong together; where pixels decided, `a` is the larger picture."""

    a: Digest
    b: Digest
    kind: Kind
    distance: int  # Hamming distance of the codes, bits, 0..64
    cosine: float  # of the latents, -1..1
    relation: Relation | None = None  # None: geometry was not asked, or did not confirm
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the matching of some pictures came to."""

    candidates: int  # pairs that the search proposed
    asked: int  # pairs that were decided on pixels
    confirmed: tuple[tuple[Digest, Digest], ...]  # the smaller digest of each pair first


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a group, with its match to the group's centre (the centre itself: distance 0, cosine 1)."""

    path: bytes
    digest: Digest
    width: int  # pixels, as shown (after EXIF orientation)
    height: int
    size: int  # bytes
    distance: int
    cosine: float
    relation: str  # "identical bytes", "cropped, mirrored", ... ; "" for the centre
    confidence: float
    keep: bool  # the one that the default rule would keep


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file's EXIF metadata tell of when and where it was taken."""

    dated: bool = False
    located: bool = False  # by GPS


@dataclass(frozen=True, slots=True)
class Group:
    """Files that show one picture. Every member matches the centre directly."""

    kind: Kind  # the weakest kind among its members
    centre: bytes  # path
    members: tuple[Member, ...]  # the centre first


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The operating point that was used, and what it was chosen from."""

    radius: int  # Hamming radius of the candidates, inclusive, bits
    cosine: float  # least cosine of the candidates
    candidates: int  # at most so many candidates a picture
    verify: str  # auto, always, never
    max_false_pairs: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts and seconds of one run; every counter that a report's footer shows."""

    files: int = 0  # files considered
    bytes: int = 0
    known: int = 0  # unchanged since the last scan: neither read nor decoded
    read: int = 0  # read to compute a digest
    decoded: int = 0
    encoded: int = 0
    skipped: int = 0
    pictures: int = 0  # different contents
    candidates: int = 0  # pairs that the search proposed
    proven: int = 0  # pairs decided on pixels in this run
    recalled: int = 0  # pairs whose verdict was in the store
    groups: int = 0
    duplicates: int = 0  # files of groups that could go; names of one file (hard links) count once
    duplicate_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)  # by stage


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one scan found."""

    version: str
    model: str
    thresholds: Thresholds
    groups: tuple[Group, ...]
    skips: tuple[Skip, ...]
    summary: Summary
    files: tuple[bytes, ...] = ()  # the paths of all pictures, sorted; none in a report that was read back


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of long work."""

    stage: str  # "list", "encode", "search", "prove"
    done: int
    total: int | None  # None: not known yet
    unit: str = "pictures"


OnProgress = Callable[[Progress], None]


def quiet(progress: Progress) -> None:
    """The callback for callers who want no progress."""
