"""Scan, similar and compare as sequences of the stages: list, read, encode, search, prove, group."""
