"""`show`: shows a plan file on stdout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulk_cancel.cli.render import looked, most_mails
from bulk_cancel.cli.stdout import put_document, this_machine, zone_given
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.core.actions import Action
from bulk_cancel.core.moments import Zone, show_moment
from bulk_cancel.core.plan import PREVIEW, LookSummary, Unmailed
from bulk_cancel.core.text import clean, counted
from bulk_cancel.core.units import show_duration
from bulk_cancel.plan_files import PlanFile, PlannedLine, open_plan
from bulk_cancel.plan_files.format import header_record

_ALL_ROWS = "To see all of them as a page and as a table, plan with --out FOLDER: FOLDER/plan.html and FOLDER/plan.csv."
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
    shown = _Shown({action: [] for action in Action if opened.header.actions.get(action)})
    look = opened.look(one for _, _, one in opened.approved(shown.take))
    terminal.print(*_what_it_means(opened, look, shown, zone))
    for action, lines in shown.first.items():
        rows = [tuple(_cells(action, line, zone)) for line in lines]
        _show_lines(terminal, action, rows, opened.header.actions[action])
    if any(total > PREVIEW for total in opened.header.actions.values()):
        terminal.print("", clean(f"{opened.path} is a text file with a line for each row. {_ALL_ROWS}", 1000))


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


@dataclass(slots=True)
class _Shown:
    """The parts of a plan's lines that are shown."""

    first: dict[Action, list[PlannedLine]]
    unmailed: Unmailed = field(default_factory=Unmailed)
    series: int = 0  #: cancels of a whole series
    groups: int = 0  #: cancels for everyone in a group
    no_reasons: int = 0  #: cancels whose mails give no reason
    given_reasons: int = 0  #: cancels with the reason of the job or --reason

    def take(self, line: PlannedLine) -> None:
        """Count a line, and keep it when it is among the first of its kind."""
        if len(self.first[line.action]) < PREVIEW:
            self.first[line.action].append(line)
        self.unmailed.take(line.row)
        if line.action is Action.CANCEL:
            self.series += line.row.entire_series
            self.groups += line.is_for_a_group
            self.no_reasons += line.row.reason is None
            self.given_reasons += line.row.reason_given


def _what_it_means(plan: PlanFile, look: LookSummary, shown: _Shown, zone: Zone) -> Iterator[str]:
    """Yield what `plan` says of the cancels: people, mails, whole series, groups, and where the reasons come from."""
    cancels = plan.header.actions.get(Action.CANCEL, 0)
    if not cancels:
        return
    yield from looked(look, zone)
    may_send = cancels + plan.header.actions.get(Action.READ_FIRST, 0)
    yield f"{most_mails(may_send, shown.series, shown.groups)}. It cannot be undone."
    if shown.given_reasons:
        yield f"{counted(shown.given_reasons, 'mail has', 'mails have')} the reason that the job or --reason gives."
    if shown.no_reasons:
        yield f"{counted(shown.no_reasons, 'mail gives', 'mails give')} no reason."
    if shown.unmailed.count:
        yield shown.unmailed.told


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
        "everyone in the group" if line.is_for_a_group else "",
        "the whole series" if row.entire_series else "",
        (f"{'given ' if row.reason_given else ''}reason: {reason}" if reason else "no reason")
        if action is Action.CANCEL
        else "",
    )
    return "; ".join(note for note in notes if note)
