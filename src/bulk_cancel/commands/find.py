"""`find`: search appointments, to be written as an input file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.access.setup import set_up
from bulk_cancel.errors import UsageError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.planning.search import Found, find_appointments
from bulk_cancel.reports.found_file import check_kind
from bulk_cancel.settings.job import Job


@dataclass(frozen=True, slots=True)
class FindOutput:
    """Where the rows are written, and which."""

    out: Path | None = None  #: None: CSV on stdout
    with_cancelled: bool = False
    with_contacts: bool = False
    force: bool = False  #: replace an existing file

    def file_for(self, *, complete: bool) -> Path | None:
        """Return the file to write; one that may lack appointments gets another name, so that no job reads it."""
        if complete or self.out is None:
            return self.out
        return self.out.with_name(f"{self.out.stem}.incomplete{self.out.suffix}")


def find(job: Job, caller: Caller, output: FindOutput) -> Found:
    """Search appointments. Raises UsageError for contradicting outputs, and as `find_appointments` does."""
    setup = set_up(job, caller.log, caller.machine, caller.display)
    _refuse_contradictions(job, output)
    return find_appointments(setup, with_contacts=output.with_contacts)


def _refuse_contradictions(job: Job, output: FindOutput) -> None:
    if output.out is not None:
        check_kind(output.out)
        for file in (output.file_for(complete=True), output.file_for(complete=False)):
            if file is not None and file.exists() and not output.force:
                advice = "Name another file, or replace it with --force. Nothing was read."
                raise UsageError(f"{file} exists already.", advice=advice)
    elif job.json_:
        raise UsageError("Standard output holds either the rows or --json.", advice="Name a file with -o.")
    elif output.with_contacts:
        raise UsageError(
            "Names and addresses go into a file that only you can read.", advice="Name it with -o. Nothing was read."
        )
