"""`--version`: which versions of what decide anything."""

from __future__ import annotations

import platform
from importlib.metadata import version

import apsw


def print_versions() -> None:
    """Print one line."""
    print(
        f"bulk-cancel {version('bulk-cancel')} (Python {platform.python_version()}, httpx {version('httpx')}, "
        f"polars {version('polars')}, SQLite {apsw.sqlite_lib_version()})"
    )
