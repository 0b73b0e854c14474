"""`status` and `explain`: parse, call, render to stdout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC
from typing import Any

from bulk_cancel.cli.render import print_next
from bulk_cancel.cli.stdout import errors_told, place_of, put_document, this_machine, zone_given
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.commands.explain import TargetHistory, explain
from bulk_cancel.commands.status import Overview, RunPhase, RunView, look_over
from bulk_cancel.core.explanations import name_of
from bulk_cancel.core.model import Status, Target
from bulk_cancel.core.moments import Zone, show_due, show_moment, told_in, write_moment
from bulk_cancel.core.target_name import target_name
from bulk_cancel.core.text import clean, counted
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.unknowns import OpenTarget
from bulk_cancel.reports.result_folders import folder_of

_SECOND = "%Y-%m-%d %H:%M:%S"
_COLOURS = {RunPhase.AT_WORK: ("cyan",), RunPhase.KILLED: ("bold", "red"), RunPhase.ENDED: (), RunPhase.SUPERSEDED: ()}


def status_command(ledger: str | None, limit: int, timezone: str | None, json: bool | None) -> None:
    """Show the last runs, what is open, and what to do now."""
    with errors_told(as_json=json):
        overview = look_over(place_of(ledger), this_machine(), limit, zone_given(timezone))
    if json:
        put_document(_status_document(overview))
    else:
        terminal = Terminal()
        terminal.print(f"{styled('Ledger', 'bold')} {overview.ledger}")
        terminal.print(*_run_lines(overview), *_open_lines(overview))
        print_next(terminal, overview.next)


def explain_command(target: str, ledger: str | None, timezone: str | None, json: bool | None) -> None:
    """Show an appointment's history."""
    with errors_told(as_json=json):
        histories = explain(place_of(ledger), this_machine(), target, zone_given(timezone))
    appointment_id = histories[0].work.target.appointment_id
    if json:
        put_document({"appointment_id": appointment_id, "targets": [_history_document(one) for one in histories]})
    else:
        lines = (line for history in histories for line in _history_lines(history))
        Terminal().print(f"{styled('Appointment', 'bold')} {appointment_id}", *lines)


# -- status -------------------------------------------------------------------------------------------------------


def _run_lines(overview: Overview) -> Iterator[str]:
    """Yield some lines for each run: a table would be too wide for a terminal."""
    told_below = overview.next.partition("\n")[0]
    for run in overview.runs:
        record = run.record
        code = "" if run.exit_code is None else f"  exit {int(run.exit_code)}"
        source = clean(record.source or "reconcile", 200)
        yield ""
        yield f"{styled(record.run_id, 'bold')}  {show_moment(record.started_at, run.zone)}  {source}{code}"
        if by := record.provenance.told:
            yield f"  {by}"
        first = run.said.partition("\n")[0]  # what to do next is shown once, below
        said = "" if first == told_below else clean(first, 600)
        if told := f"{_row_counts(run)}{styled(said, *_COLOURS[run.phase])}".rstrip():
            yield f"  {told}"
        if record.out:
            yield f"  Results in {clean(str(folder_of(record)), 600)}"
    if overview.older:
        yield ""
        yield f"{counted(overview.older, 'older run')}: --limit {len(overview.runs) + overview.older}"
    yield "" if overview.runs or overview.older else "No run yet."


def _row_counts(run: RunView) -> str:
    """Return the states of a run's rows: at its end, or as they are now, by whichever run."""
    told = ", ".join(f"{run.counts[status]} {status}" for status in Status if run.counts.get(status))
    now = "" if run.record.status == "ended" else "Its rows now: "
    return f"{now}{told}. " if told else ""


def _open_lines(overview: Overview) -> Iterator[str]:
    if overview.holder is not None:
        yield f"{styled('A run is at work:', 'cyan')} {told_in(overview.zone, overview.holder)}"
    if overview.left:
        yield f"{styled('Still to be sent, over all runs:', 'yellow')} {counted(overview.left, 'target')}"
    if overview.unknown_count:
        flying = ", those in flight included" if overview.holder is not None else ""
        yield f"{styled('Without a known outcome:', 'yellow')} {counted(overview.unknown_count, 'target')}{flying}"
    for item in overview.unknown:
        yield f"  {_name(item.target)}: {_age(item, overview.zone)}"
    if overview.unknown and len(overview.unknown) < overview.unknown_count:
        yield f"  and {overview.unknown_count - len(overview.unknown)} more"


def _name(target: Target) -> str:
    """Return what names a target to a person: of most appointments there is one, the whole."""
    return target_name(target) if target.entire_series or target.attendee_id else target.appointment_id


def _age(item: OpenTarget, zone: Zone) -> str:
    given_up = f"given up {show_duration(item.age_s)} ago"
    if item.undecided:
        return f"{given_up}; no read can settle it: a person decides, with `bulk-cancel resolve`"
    when = f"from {show_due(item.due_at, zone)} on" if item.due_at is not None else "now"
    return f"{given_up}; if reads show it active, it may be sent again {when}"


def _status_document(overview: Overview) -> dict[str, Any]:
    holder, refusal = overview.holder, overview.refusal
    return {
        "ledger": str(overview.ledger),
        "at_work": {"pid": holder.pid, "host": holder.host, "since": _iso(holder.since)} if holder else None,
        "runs": [_run_document(run) for run in overview.runs],
        "unknown_count": overview.unknown_count,
        "unknown": [_open_document(item) for item in overview.unknown],
        "left": overview.left,
        "refusal": asdict(refusal) | {"began": _iso(refusal.began), "at": _iso(refusal.at)} if refusal else None,
        "next": overview.next,
    }


def _run_document(run: RunView) -> dict[str, Any]:
    return {
        "run_id": run.record.run_id,
        "started_at": _iso(run.record.started_at),
        "ended_at": _iso(run.record.ended_at),
        "source": run.record.source,
        "out": str(folder_of(run.record)) if run.record.out else None,
        "how": run.phase.value,
        "exit_code": None if run.exit_code is None else int(run.exit_code),
        "said": run.said,
        "left": run.left,
        "provenance": run.record.provenance.document(),
        "counts": {status.value: run.counts.get(status, 0) for status in Status},
    }


def _open_document(item: OpenTarget) -> dict[str, Any]:
    return {
        **asdict(item.target),
        "sent_at": _iso(item.sent_at),
        "age_s": round(item.age_s, 1),
        "undecided": item.undecided,
        "due_at": _iso(item.due_at),
    }


# -- explain ------------------------------------------------------------------------------------------------------


def _history_lines(history: TargetHistory) -> Iterator[str]:
    yield ""
    yield f"{styled(f'{name_of(history.work.target).capitalize()}:', 'bold')} {history.work.state}"
    yield f"  {history.stands} {history.follows}"
    if history.open is not None:
        yield f"  Its last cancel was {_age(history.open, history.zone)}."
    if history.warnings:
        yield f"  A person should look, the API reports: {clean(', '.join(history.warnings))}"
    yield f"  Named by {_rows(history)}."
    for told in history.events:
        at = show_moment(told.line.at, told.zone, _SECOND)
        yield f"  {at}  {told.line.run_id}  {told.sentence}"
    if not history.events:
        yield "  Nothing has happened to it yet."
    for run in history.runs:
        if by := run.provenance.told:
            yield f"  Run {run.run_id} was begun {by}."


def _rows(history: TargetHistory) -> str:
    by_run: dict[str, list[int]] = {}
    for naming in history.rows:
        by_run.setdefault(naming.run_id, []).append(naming.row)
    named = (f"row{'s' if len(rows) > 1 else ''} {_listed(rows)} of run {run_id}" for run_id, rows in by_run.items())
    return "; ".join(named) or "no row"


def _listed(rows: list[int]) -> str:
    more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
    return ", ".join(map(str, rows[:10])) + more


def _history_document(history: TargetHistory) -> dict[str, Any]:
    return {
        **asdict(history.work.target),
        "state": history.work.state.value,
        "attempts": history.work.attempts,
        "stands": history.stands,
        "follows": history.follows,
        "unknown": _open_document(history.open) if history.open else None,
        "warnings": list(history.warnings),
        "rows": [{"run_id": naming.run_id, "row": naming.row} for naming in history.rows],
        "runs": [{"run_id": run.run_id, **run.provenance.document()} for run in history.runs],
        "events": [
            {
                "at": _iso(told.line.at),
                "run_id": told.line.run_id,
                "event": told.line.event,
                "attempt": told.line.attempt_no,
                "http_status": told.line.http_status,
                "sentence": told.sentence,
            }
            for told in history.events
        ],
    }


def _iso(at: float | None) -> str | None:
    return write_moment(at, UTC, "milliseconds") or None
