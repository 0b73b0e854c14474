"""`--version`: which versions of what decide anything."""

from __future__ import annotations

from bulk_cancel.checkup.machine import versions
from bulk_cancel.cli.stdout import put_out


def print_versions() -> None:
    """Print one line."""
    own, *others = (f"{what} {which}" for what, which in versions().items())
    put_out(f"{own} ({', '.join(others)})\n")
