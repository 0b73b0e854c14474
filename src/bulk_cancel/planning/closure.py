"""Recognises a closure (an input that a search found) and returns the command that checks its days afterwards."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import date, tzinfo
from typing import Final

from bulk_cancel.core.moments import local, moment_of
from bulk_cancel.inputs import StagedInput, read_columns
from bulk_cancel.settings.job import Job

#: Columns that `find` writes; hardly any other input has all of them.
_OF_FIND: Final = frozenset({"appointment_id", "start", "end", "host_ids", "meeting_type_id"})


def check_of_select(job: Job) -> str:
    """Return the command that checks the days of a job's [select] table; empty without one."""
    if job.select is None:
        return ""
    if job.file is not None:
        return f"bulk-cancel closed {shlex.quote(str(job.file))}"
    return _command(job.select.first, job.select.last, job.select.timezone)


def check_of_input(staged: StagedInput, zone: tzinfo | None) -> str:
    """Return the command that checks the days of an input that `find` wrote; empty for any other."""
    if not set(staged.columns) >= _OF_FIND:
        return ""
    starts = (row["start"] for _, columns in read_columns(staged, ["start"]) for row in columns)
    return check_of_starts(starts, zone)


def check_of_starts(starts: Iterable[str | None], zone: tzinfo | None) -> str:
    """Return the command that checks the days of these starts, in `zone`, else as they are written."""
    first: date | None = None
    last: date | None = None
    for start in starts:
        day = _day(start, zone)
        if day is not None:
            first, last = min(first or day, day), max(last or day, day)
    if first is None or last is None:
        return ""
    return f"{_command(first, last, str(zone or '') or 'ZONE')}, with the other options that find had"


def _day(start: str | None, zone: tzinfo | None) -> date | None:
    at = moment_of(start)
    if at is None or start is None:
        return None
    return local(at, zone).date() if zone else date.fromisoformat(start[:10])


def _command(first: date, last: date, zone: str) -> str:
    return f"bulk-cancel closed --from {first} --to {last} --timezone {zone}"
