"""Measures the weights and the scan on files of known origin: never imported by the commands that find duplicates."""
