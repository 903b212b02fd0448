"""Retrieval by class: the table of the method against other hashes, on the same features; no part of a scan."""
