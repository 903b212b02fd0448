"""What earlier scans found out: files, pictures, substring tables and verdicts, in LMDB."""

from __future__ import annotations

from tbhdup.store.environment import SCHEMA
from tbhdup.store.place import default_place
from tbhdup.store.records import HIT, PART, PICTURE, TABLES
from tbhdup.store.store import Store, StoreInfo

__all__ = ["HIT", "PART", "PICTURE", "SCHEMA", "TABLES", "Store", "StoreInfo", "default_place"]
