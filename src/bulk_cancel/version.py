"""Which program this is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version as _version


@cache
def version() -> str:
    """Return the version of the installed distribution."""
    return _version("bulk-cancel")
