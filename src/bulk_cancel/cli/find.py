"""`find`: parse, call, render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bulk_cancel.cli.parameters import select_apart
from bulk_cancel.cli.run import caller_of, told_as_json
from bulk_cancel.cli.stdout import put_document, put_out, selection_document
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.commands.find import FindOutput, find
from bulk_cancel.core.model import Appointment
from bulk_cancel.core.moments import moment_of, show_moment, write_moment
from bulk_cancel.core.selection import Fit
from bulk_cancel.core.text import counted
from bulk_cancel.errors import Exit
from bulk_cancel.planning.search import Found, reaching_in
from bulk_cancel.reports.found_file import Layout, found_csv, write_found
from bulk_cancel.settings.job import search_job

_WHAT_THEN = "Try again. If it stays so, compare with the calendar, or narrow the search with --host."
_APART = "Bookings that are not confirmed yet (double opt-in) are not included: the API keeps them apart."


def find_command(
    include_cancelled: bool, include_contacts: bool, output: str | None, force: bool, **given: Any
) -> None:
    """Search, write the appointments, and show a summary."""
    job = search_job(*select_apart(given))
    wish = FindOutput(Path(output) if output else None, include_cancelled, include_contacts, force)
    with told_as_json(job):
        found = find(job, caller_of(job), wish)
        rows = found.gathering.chosen(Fit.ACTIVE, *([Fit.CANCELLED] if include_cancelled else []))
        _put(rows, Layout(found.selection.days.zone, include_cancelled, include_contacts), found, wish)
        if job.json_:
            put_document(_document(found, rows, wish))
    if not job.quiet:
        terminal = Terminal(err=True)
        terminal.print(*_lines(found, rows, wish))
        if output:
            terminal.print(f"Written to {wish.file_for(complete=not found.doubts)}, which only you can read.")
    if found.doubts:
        raise SystemExit(int(Exit.UNKNOWN))


def _put(rows: tuple[Appointment, ...], layout: Layout, found: Found, output: FindOutput) -> None:
    """Write the rows; to stdout only when none is missing, since another program may read them there."""
    if output.out is not None:
        write_found(rows, layout, output.file_for(complete=not found.doubts) or output.out)
    elif not found.doubts:
        put_out(found_csv(rows, layout))


def _document(found: Found, rows: tuple[Appointment, ...], output: FindOutput) -> dict[str, Any]:
    (first, last), zone = _ends(rows), found.selection.days.zone
    return {
        "found": len(rows),
        "cancelled": found.gathering.count(Fit.CANCELLED),
        "cancelled_included": output.with_cancelled,
        "unreadable": found.gathering.count(Fit.UNREADABLE),
        "incomplete": list(found.doubts),
        "reaching_in": [one.appointment_id for one in found.gathering.chosen(Fit.REACHES_IN)],
        "hosts": len(found.host_ids),
        "host_ids": [host_id for host_id in found.host_ids if host_id],
        "requests": found.requests,
        "throttled": found.throttled,
        **selection_document(found.selection),
        "first_start": write_moment(first, zone) or None,
        "last_start": write_moment(last, zone) or None,
        "out": str(output.file_for(complete=not found.doubts)),
        "note": _APART,
        "exit_code": int(Exit.UNKNOWN if found.doubts else Exit.OK),
    }


def _ends(rows: tuple[Appointment, ...]) -> tuple[str | None, str | None]:
    starts = [row.start for row in (rows[:1] + rows[-1:]) if moment_of(row.start) is not None]
    return (starts[0], starts[-1]) if starts else (None, None)


def _lines(found: Found, rows: tuple[Appointment, ...], output: FindOutput) -> list[str]:
    throttled = f", {found.throttled} of them throttled" if found.throttled else ""
    effort = f"Read {_whose(found)} in {counted(found.requests, 'request')}{throttled}. {_not_read(found)}"
    lines = [_headline(found, rows), effort, *reaching_in(found)]
    cancelled = found.gathering.count(Fit.CANCELLED)
    are = "is" if cancelled == 1 else "are"
    if cancelled and output.with_cancelled:
        lines.append(f"{cancelled} of them {are} cancelled already: see the column is_cancelled.")
    elif cancelled:
        lines.append(f"{cancelled} more {are} left out, being cancelled already.")
    if found.doubts:
        lines += [f"{styled('Appointments may be missing:', 'bold')} {' '.join(found.doubts)}", _WHAT_THEN]
    return [*lines, _APART]


def _headline(found: Found, rows: tuple[Appointment, ...]) -> str:
    days, narrowing = found.selection.days, found.selection.narrowing
    first, last = _ends(rows)
    if first is None or last is None:
        return f"{styled('Nothing found:', 'bold')} no appointment{narrowing} starts on {days}."
    starts = f"the first starts {show_moment(first, days.zone)}, the last {show_moment(last, days.zone)}"
    return f"{styled(counted(len(rows), 'appointment'), 'bold')}{narrowing} on {days}: {starts}."


def _whose(found: Found) -> str:
    selection, hosts = found.selection, len(found.host_ids)
    if selection.all_hosts:
        return f"the lists of all {counted(hosts, 'host')}"
    if not selection.host_ids:
        return "the credential's own list"
    return f"{'the list' if hosts == 1 else 'the lists'} of {', '.join(selection.host_ids)}"


def _not_read(found: Found) -> str:
    if found.selection.all_hosts:
        return "No host was left out."
    return "Other hosts' appointments were not read: --all-hosts does, for an admin."
