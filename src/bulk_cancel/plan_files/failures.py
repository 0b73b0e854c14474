"""What can be wrong with a plan file."""

from __future__ import annotations

from pathlib import Path

from bulk_cancel.errors import BulkCancelError, Exit, InputError


class PlanError(InputError):
    """The plan file cannot be carried out: no plan, damaged, expired, or not the approved one."""


class PlanWriteError(BulkCancelError):
    """The disk refused to hold a plan file."""

    exit_code = Exit.DISK

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(
            f"The plan cannot be written to {path}: {cause.strerror or cause}.",
            advice="Nothing was sent. Name another file, or make room on the disk, and plan again.",
        )
