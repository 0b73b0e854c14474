"""What is made once, for all histories of a process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from bulk_cancel.ledger.sqlite.create import create
from bulk_cancel.settings.job import Job


@cache
def any_job() -> Job:
    """Return a job to copy: to validate one takes longer than a run's requests."""
    return Job(input="input.csv")


@cache
def new_ledger() -> bytes:
    """Return a new, empty ledger to copy: making one takes longer than many histories' requests."""
    with tempfile.TemporaryDirectory(prefix="world-") as folder:
        create(Path(folder) / "template.db")
        return (Path(folder) / "template.db").read_bytes()
