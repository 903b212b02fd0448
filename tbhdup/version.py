"""The version, here so that nothing has to read the installed package's metadata for it."""

VERSION = "0.1.0"
