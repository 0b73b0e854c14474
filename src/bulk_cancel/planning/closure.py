"""Recognises a closure (an input that a search found) and returns the words that check its days afterwards.

`settings.recorded_command` makes a command of them: the settings of the run go before it, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, tzinfo
from typing import Final

from bulk_cancel.core.moments import local, moment_of
from bulk_cancel.inputs import StagedInput, read_columns
from bulk_cancel.reports.next_step import ALL_HOSTS, CHECKS
from bulk_cancel.settings.job import Job

#: Columns that `find` writes; hardly any other input has all of them.
_OF_FIND: Final = frozenset({"appointment_id", "start", "end", "host_ids", "meeting_type_id"})


def check_of_select(job: Job) -> list[str]:
    """Return the words that check the days of a job's [select] table; empty without one."""
    if job.select is None:
        return []
    if job.file is not None:
        return [CHECKS, str(job.file)]
    select = job.select
    told = {"--location": [select.location], "--host": select.host, "--meeting-type": [select.meeting_type]}
    told["--channel"] = [select.channel]
    words = [part for name, values in told.items() for value in values if value for part in (name, str(value))]
    everybody = [ALL_HOSTS] if select.all_hosts else []
    return [*_days(select.first, select.last, select.timezone), *words, *everybody]


def check_of_input(staged: StagedInput, zone: tzinfo | None) -> list[str]:
    """Return the words that check the days of an input that `find` wrote; empty for any other."""
    if not set(staged.columns) >= _OF_FIND:
        return []
    starts = (row["start"] for _, columns in read_columns(staged, ["start"]) for row in columns)
    return check_of_starts(starts, zone)


def check_of_starts(starts: Iterable[str | None], zone: tzinfo | None) -> list[str]:
    """Return the words that check the days of these starts in `zone`, of all hosts.

    Without a zone they have no days, and are not complete; empty where no start can be read.
    """
    first: date | None = None
    last: date | None = None
    for start in starts:
        if (at := moment_of(start)) is not None:
            day = local(at, zone).date()
            first, last = min(first or day, day), max(last or day, day)
    if first is None or last is None:
        return []
    return [*_days(first, last, str(zone)), ALL_HOSTS] if zone else [CHECKS]


def _days(first: date, last: date, zone: str) -> tuple[str, ...]:
    return (CHECKS, "--from", str(first), "--to", str(last), "--timezone", zone)
