"""Where the store lies, and whether that is a good place."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

MOUNTS = Path("/proc/self/mountinfo")

NETWORK = frozenset(
    b"9p afs beegfs ceph cifs fuse.ceph fuse.glusterfs fuse.rclone fuse.sshfs glusterfs lustre ncpfs nfs nfs4 smb3 "
    b"smbfs vboxsf".split()
)


def default_place() -> Path:
    """The folder of the store: what TBHDUP_STORE names, else one below the user's data folder."""
    named = os.environ.get("TBHDUP_STORE")
    return Path(named) if named else platformdirs.user_data_path("tbhdup") / "store"


def network_file_system(place: Path) -> str | None:
    """The type of the network file system that a folder lies on, or would lie on, as in "nfs4".

    None: it lies on a local one, or the system has no table of mounts to ask (other systems than Linux).
    """
    try:
        table = MOUNTS.read_bytes()
    except OSError:
        return None
    path = os.fsencode(place.resolve())
    _, kind = max((m for m in map(_mount, table.splitlines()) if _holds(m[0], path)), key=_depth, default=(b"", b""))
    return kind.decode("ascii", "replace") if kind in NETWORK else None


def _mount(line: bytes) -> tuple[bytes, bytes]:
    """Mount point and type of one line of mountinfo, see proc_pid_mountinfo(5)."""
    fields = line.split(b" ")
    point = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields[4])
    return point, fields[fields.index(b"-", 6) + 1]


def _holds(point: bytes, path: bytes) -> bool:
    return path == point or path.startswith(point.rstrip(b"/") + b"/")


def _depth(mount: tuple[bytes, bytes]) -> int:
    return len(mount[0])
