"""`show`: shows a plan file on stdout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bulk_cancel.cli.stdout import put_document, this_machine, zone_given
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.core.actions import Action
from bulk_cancel.core.moments import Zone, show_moment
from bulk_cancel.core.text import clean, counted
from bulk_cancel.core.units import show_duration
from bulk_cancel.plan_files import PlanFile, PlannedLine, open_plan
from bulk_cancel.plan_files.format import header_record

_PREVIEW = 5
_TITLES = {
    Action.CANCEL: "To cancel",
    Action.READ_FIRST: "To look up first: an earlier cancel has no known outcome",
    Action.NOTHING: "Settled in an earlier run: nothing is sent",
    Action.SAME: "Name a target that an earlier row names: sent once",
    Action.ALREADY_CANCELLED: "Already cancelled: nothing is sent",
    Action.NOT_FOUND: "Not found: nothing is sent",
    Action.REFUSED: "The API would refuse them",
    Action.SKIP: "Left out by a rule: nothing is sent",
    Action.INVALID: "Invalid: nothing is sent",
}


def show_command(plan: str, timezone: str | None, json: bool | None) -> None:
    """Show a plan file, even an expired one. Raises PlanError for a damaged, InputMissingError for a missing one."""
    now, given = this_machine().clock.now(), zone_given(timezone)
    opened = open_plan(Path(plan), now=now, ignore_expiry=True)
    if json:
        put_document(_document(opened, now))
        return
    terminal = Terminal()
    zone = given or opened.header.zone
    terminal.print(f"{styled('Plan', 'bold')} {opened.path}: {counted(opened.header.rows, 'row')}")
    terminal.print_table([*_facts(opened, now, zone)])
    for action, lines in _first_lines(opened).items():
        rows = [tuple(_cells(action, line, zone)) for line in lines]
        _show_lines(terminal, action, rows, opened.header.actions[action])


def _document(plan: PlanFile, now: float) -> dict[str, Any]:
    state = {"whole": True, "expired": plan.header.expired(now), "digest": plan.digest}
    return {"path": str(plan.path), **state, "header": header_record(plan.header)}


def _facts(plan: PlanFile, now: float, zone: Zone) -> Iterator[tuple[str, str]]:
    header = plan.header
    yield "  whole", "yes, every byte is as it was written"
    yield "  digest", plan.digest
    yield "  made", show_moment(header.created_at, zone)
    yield "  expires", _expiry(plan, now, zone)
    yield "  API", clean(header.api_url)
    yield "  input", f"{clean(header.input)}, sha256 {header.input_digest}"
    if header.ticket:
        yield "  ticket", clean(header.ticket)
    if header.approved_by:
        yield "  approved", f"by {clean(header.approved_by)}"
    if header.retry_refused:
        yield "  refusals", "of earlier runs are sent again (--retry-refused)"
    yield "  options", f"sha256 {header.options_digest}"


def _expiry(plan: PlanFile, now: float, zone: Zone) -> str:
    at = show_moment(plan.header.expires_at, zone)
    if plan.header.expired(now):
        return styled(f"{at}: it has expired, and a run refuses it", "bold", "red")
    return f"{at}, in {show_duration(plan.header.expires_at - now)}"


def _first_lines(plan: PlanFile) -> dict[Action, list[PlannedLine]]:
    first: dict[Action, list[PlannedLine]] = {action: [] for action in Action if plan.header.actions.get(action)}
    for line in plan.lines():
        if len(first[line.action]) < _PREVIEW:
            first[line.action].append(line)
    return first


def _show_lines(terminal: Terminal, action: Action, rows: list[tuple[str, ...]], total: int) -> None:
    more = f", the first {len(rows)}" if total > len(rows) else ""
    terminal.print("", styled(f"{_TITLES[action]} ({total}{more})", "bold"))
    heading = ("row", "why") if action is Action.INVALID else ("row", "appointment", "why")
    terminal.print_table([heading, *rows], right=True)


def _cells(action: Action, line: PlannedLine, zone: Zone) -> Iterator[str]:
    yield str(line.row.row)
    if action is not Action.INVALID:
        yield line.row.appointment_id or "–"
    yield clean(_what(action, line, zone), 1200)


def _what(action: Action, line: PlannedLine, zone: Zone) -> str:
    row, reason = line.row, clean(line.row.reason or "", 600)
    notes = (
        line.why,
        f"starts {show_moment(line.planned.start, zone)}" if line.planned.start else "",
        f"attendee {row.attendee_id} only" if row.attendee_id else "",
        "the whole series" if row.entire_series else "",
        (f"reason: {reason}" if reason else "no reason") if action is Action.CANCEL else "",
    )
    return "; ".join(note for note in notes if note)
