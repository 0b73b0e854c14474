"""`--version`: the versions of the program and of what matters to it."""

from __future__ import annotations

from bulk_cancel.cli.stdout import put_out
from bulk_cancel.commands.doctor.machine import versions


def print_versions() -> None:
    """Print one line."""
    own, *others = (f"{what} {which}" for what, which in versions().items())
    put_out(f"{own} ({', '.join(others)})\n")
