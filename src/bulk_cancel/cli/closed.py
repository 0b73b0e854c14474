"""`closed`: parse, call, render to stdout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulk_cancel.cli.doctor import documents_of, show_checks
from bulk_cancel.cli.parameters import select_apart
from bulk_cancel.cli.run import caller_of, told_as_json
from bulk_cancel.cli.stdout import put_document, selection_document
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.commands.closed import Closed, look_if_closed
from bulk_cancel.commands.doctor.check import Level
from bulk_cancel.core.text import counted
from bulk_cancel.errors import Exit, UsageError
from bulk_cancel.reports.closed_files import CLOSED_HTML, LEFT_CSV
from bulk_cancel.settings.job import Job, load_job, search_job

_VERDICTS = {
    Exit.OK: "Closed: nothing is left.",
    Exit.REFUSED_ROWS: "Not closed: something remains.",
    Exit.UNKNOWN: "Nothing was found, but a part could not be read.",
}


#: What is told of each thing that is left: no names and addresses.
_TOLD = ("id", "start", "end", "host_ids", "meeting_type_id", "note")


def closed_command(source: str, include_contacts: bool, **given: Any) -> None:
    """Check the days of a job's [select] table, or of the options; end with 0, 3 or 4."""
    job = _job_of(source, *select_apart(given))
    with told_as_json(job):
        closed = look_if_closed(job, caller_of(job), with_contacts=include_contacts)
        _tell(job, closed)
    raise SystemExit(int(closed.exit_code))


def _job_of(source: str, select: Mapping[str, Any], flags: Mapping[str, Any]) -> Job:
    given = {name: value for name, value in select.items() if value}
    if not source:
        return search_job(given, flags)
    job = load_job(source, {**flags, "timezone": select["timezone"]}) if source.endswith(".toml") else None
    if job is None or job.select is None:
        raise UsageError(
            f"{source} has no [select] table that names days.", advice="Name the days with --from, --to and --timezone."
        )
    if named := [f"--{name.replace('_', '-')}" for name in given if name != "timezone"]:
        raise UsageError(f"{source} names the days already: leave out {' and '.join(named)}.")
    return job


def _tell(job: Job, closed: Closed) -> None:
    if job.json_:
        put_document(_document(job, closed))
    elif not job.quiet or closed.exit_code:
        shown = [check for check in closed.checks if not job.quiet or check.level in (Level.FAIL, Level.UNTOLD)]
        terminal = Terminal()
        show_checks(terminal, shown)
        terminal.print(f"{_VERDICTS[closed.exit_code]} {closed.selection}, {counted(closed.requests, 'request')}.")
        if job.out is not None:
            terminal.print(f"Written: {job.out / LEFT_CSV} and {job.out / CLOSED_HTML}, which only you can read.")


def _document(job: Job, closed: Closed) -> dict[str, Any]:
    return {
        **selection_document(closed.selection),
        "checks": documents_of(closed.checks),
        "left": [{"kind": one.kind.value, **{name: getattr(one, name) for name in _TOLD}} for one in closed.left],
        "requests": closed.requests,
        "out": str(job.out) if job.out else None,
        "exit_code": int(closed.exit_code),
        "provenance": closed.provenance.document(),
    }
