"""Which program this is."""

from __future__ import annotations

from importlib.metadata import version as _version


def version() -> str:
    """Return the version of the installed distribution."""
    return _version("bulk-cancel")
