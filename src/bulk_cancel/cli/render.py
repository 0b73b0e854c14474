"""Shows the plan before the question and the summary after the run, on stderr; stdout is for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import Status
from bulk_cancel.core.moments import Zone, show_span
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import LookSummary, Parts, Plan, PlanLine, asked_besides
from bulk_cancel.core.text import clean, counted, printable
from bulk_cancel.core.units import about, show_duration
from bulk_cancel.ops.uptime import uptime
from bulk_cancel.reports.next_step import closing_steps
from bulk_cancel.reports.summary import FOR_PEOPLE, Requests, Summary
from bulk_cancel.settings.accounts import label_of

#: Actions that are not listed under "Not to be cancelled".
_ELSEWHERE = (Action.CANCEL, Action.INVALID, Action.SAME, Action.NOTHING, Action.READ_FIRST)
_REHEARSED = (
    "This API is on this machine. Where a sandbox was started anew, it has forgotten these cancels, and the ledger has "
    "not: to rehearse them again, name a new ledger, --ledger FILE."
)
_STYLES = {Status.CANCELLED: ("green",), Status.ALREADY_CANCELLED: ("green",), Status.UNKNOWN: ("bold", "red")}


def show_plan(terminal: Terminal, plan: Plan, source: str, *, runs: bool = False) -> None:
    """Show what a run would do: counts, invalid rows, the first cancels, mails and time.

    `runs`: the run follows, and says at its end how to check a closure.
    """
    if plan.nothing:
        terminal.print(clean(plan.nothing, 1000))
        return
    rows, targets = counted(plan.rows, "row"), counted(plan.targets, "different target")
    terminal.print(f"{styled('Plan', 'bold')} for {clean(source)}: {rows}, {targets}")
    terminal.print_table([*_origin(plan)])
    terminal.print(*(f"  {styled(clean(note, 1000), 'yellow')}" for note in plan.notes))
    terminal.print(*(f"  {line}" for line in _counts(plan)))
    if (
        plan.settled
        and not plan.may_send
        and plan.place
        and plan.place.api.partition(":")[0] in ("127.0.0.1", "localhost")
    ):
        terminal.print(_REHEARSED)
    if plan.invalid:
        _show_lines(terminal, "Invalid rows, never sent", plan, plan.invalid, plan.actions[Action.INVALID])
    if plan.left_out:
        total = plan.rows - sum(plan.actions[action] for action in _ELSEWHERE)
        _show_lines(terminal, "Not to be cancelled", plan, plan.left_out, total)
    if plan.first:
        _show_lines(terminal, "First cancels", plan, plan.first, plan.cancels)
        terminal.print(*_what_it_means(plan))
    if plan.cancels and plan.time and (short := _short_of_time(plan, plan.time.left_s(uptime()))):
        terminal.print(styled(short, "bold"))
    if plan.cancels:
        for step in closing_steps(plan.closure)[: 1 if runs else None]:
            _print_step(terminal, step)


def _origin(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield where the cancels go, with ticket and approver."""
    if plan.place:
        yield "  API", clean(plan.place.api)
        yield "  Credential", clean(plan.place.credential, 600)
        yield "  Ledger", clean(plan.place.ledger, 600)
    if plan.provenance.ticket:
        yield "  Ticket", clean(plan.provenance.ticket)
    if plan.provenance.approved_by:
        yield "  Approved by", clean(plan.provenance.approved_by)


def _what_it_means(plan: Plan) -> Iterator[str]:
    """Yield the consequences of the cancels: people, mails, time."""
    if plan.look:
        yield from looked(plan.look, plan.hours.zone)
    mails = most_mails(plan.may_send, plan.parts)
    ends = plan.hours.outlook(time.time(), plan.duration_s)
    rate = "each account's own rate" if plan.paces else _shown(plan.pace)
    told = f"{mails}, and takes {styled(about(plan.duration_s), 'bold')} at {rate}."
    yield " ".join(filter(None, (told, ends, "It cannot be undone.")))
    for name, pace in plan.paces.items():
        if cancels := plan.shares[name].cancels:
            takes = about(plan.duration_of(name))
            yield f"  {clean(f'{cancels}  with {label_of(name)}: {takes} at {_shown(pace)}')}"


def most_mails(may_send: int, parts: Parts) -> str:
    """Return how many cancels there will be at most, a sentence without its end."""
    most = f"This makes at most {styled(f'{may_send:,}', 'bold')} {_many(may_send, 'cancellation')}"
    return f"{most}{parts.told}, each with a mail to everybody in its appointment"


def _short_of_time(plan: Plan, left_s: float) -> str:
    """Return that the job's --deadline or --max-duration does not suffice; empty when it does."""
    if not left_s:
        return "The time for it is over: a run would send nothing."
    if plan.needs_s <= left_s:
        return ""
    needs = about(plan.needs_s)
    return f"It needs {needs}, and only {show_duration(left_s)} is left: the run will stop, and go on next time."


def looked(look: LookSummary, zone: Zone) -> Iterator[str]:
    """Yield what the readings have shown, and which rows were not read."""
    if look.offline:
        yield clean(f"These appointments were not read: {look.offline}", 500)
    elif look.recorded and look.unseen:
        yield f"{look.unseen} of them {_many(look.unseen, 'was', 'were')} not read for the plan."
    elif others := look.unseen - look.unreadable:
        yield f"{others} of them {_many(others, 'was', 'were')} not read; --look each reads every one."
    if look.unreadable:
        yield clean(f"{look.unreadable} of them could not be read ({look.unreadable_first}).", 500)
    if look.mailed:
        yield _people(look, zone)


def _people(look: LookSummary, zone: Zone) -> str:
    when = f" Starts: {show_span(look.starts, zone)}." if look.starts else ""
    paid = f"{look.paid} {_many(look.paid, 'appointment is', 'appointments are')} paid"
    hosts = f"{len(look.hosts)} {_many(len(look.hosts), 'host is', 'hosts are')} concerned"
    took = f" Reading them took {counted(look.requests, 'request')}." if look.requests else ""
    return f"{look.people} {paid}, {hosts}.{when}{took}"


def _many(count: int, one: str, more: str = "") -> str:
    return one if count == 1 else more or f"{one}s"


def _counts(plan: Plan) -> Iterator[str]:
    """Yield lines that add up to all rows; an indented line is a part of the line above."""
    actions = plan.actions
    settled, known = ", ".join(f"{n} {state.value}" for state, n in plan.settled.items()), plan.settled.total()
    lines = [
        (plan.cancels, "to cancel"),
        (plan.own_reasons, f"    {plan.own_reasons:>6}  with the reason that the row has"),
        (plan.given_reasons, f"    {plan.given_reasons:>6}  with the reason that the job or --reason gives"),
        (plan.no_reasons, f"    {plan.no_reasons:>6}  (no reason): their mails give none"),
        (actions[Action.READ_FIRST], "to look up first: an earlier cancel has no known outcome"),
        (known, f"settled in an earlier run ({settled}): nothing is sent"),
        (actions[Action.NOTHING] - known, "settled by the ledger that the plan was made with alone: nothing is sent"),
        (actions[Action.ALREADY_CANCELLED], "already cancelled: nothing is sent"),
        (actions[Action.NOT_FOUND], "not found: nothing is sent"),
        (actions[Action.REFUSED], "the API would refuse"),
        (actions[Action.SKIP], "left out by a rule: nothing is sent"),
        (actions[Action.SAME], "name a target that an earlier row names: sent once"),
        (actions[Action.INVALID], "invalid: nothing is sent"),
    ]
    for count, what in lines:
        if count:
            yield what if what.startswith(" ") else f"{count:>6}  {what}"


def _shown(pace: Pace) -> str:
    per_minute = pace.rate_per_s * 60
    rate = f"{pace.rate_per_s:g}/s" if per_minute > 600 else f"{per_minute:g}/min"
    return f"{rate} after a burst of {pace.burst}"


def _show_lines(terminal: Terminal, title: str, plan: Plan, lines: list[PlanLine], total: int) -> None:
    cancels = lines[0].action is Action.CANCEL
    terminal.print(f"{title}{f' ({len(lines)} of {total})' if total > len(lines) else ''}:")
    rows = [("row", "appointment", "reason" if cancels else "why")]
    for line in lines:
        why = _asked(line) if cancels else clean(line.why, 300)
        shown = "".join(f"{name}: {cell}\n" for name, cell in plan.shown.get(line.row.row, ()))
        rows.append((str(line.row.row), line.row.appointment_id or "–", f"{shown}{why}"))
    terminal.print_table(rows, right=True)


def _asked(line: PlanLine) -> str:
    row = line.row
    notes = ", ".join((*asked_besides(line), *(("given reason",) if row.reason and row.reason_given else ())))
    return f"{f'[{notes}] ' if notes else ''}{clean(row.reason or '(no reason)', 600)}"


def show_summary(terminal: Terminal, summary: Summary) -> None:
    """Show the result of the run and what to do next."""
    requests = summary.requests or Requests()
    if not summary.rows and not requests.gets:
        print_next(terminal, summary.next)
        return
    rows = f"{summary.rows} {_many(summary.rows, 'row')}"
    terminal.print(f"{styled(rows, 'bold')} in {show_duration(summary.elapsed_s)}:")
    for status in Status:
        if count := summary.counts.get(status, 0):
            terminal.print(f"{count:>6}  {styled(status, *_STYLES.get(status, ('yellow',)))}")
    if repeats := summary.rows - summary.targets - summary.counts.get(Status.INVALID, 0):
        terminal.print(
            f"{counted(repeats, 'of these rows names', 'of these rows name')} a target that an earlier row names."
        )
    sent = f"{requests.posts} {_many(requests.posts, 'cancel')} sent, {requests.gets} {_many(requests.gets, 'read')}"
    throttled = f"; {requests.throttled} of these requests {_many(requests.throttled, 'was', 'were')} throttled (429)"
    terminal.print(f"{sent}{f'{throttled}, without effect' if requests.throttled else ''}.")
    if requests.unseen:
        terminal.print(
            f"{requests.unseen} of the cancels {_many(requests.unseen, 'was', 'were')} not read right before; "
            "--look each reads every appointment right before its cancel."
        )
    if summary.out:
        out = Path(summary.out)
        files = [path for name in FOR_PEOPLE if (path := out / name).exists()] or [out]
        terminal.print(f"Results: {', '.join(map(str, files))}")
    if summary.paid:
        paid = counted(summary.paid, "cancelled appointment is", "cancelled appointments are")
        them = "it" if summary.paid == 1 else "them"
        terminal.print(f"{paid} paid: a cancel is no refund. report.html names {them}.")
    print_next(terminal, summary.next)
    for step in closing_steps(summary.closure)[1:]:
        _print_step(terminal, step)


def print_next(terminal: Terminal, told: str) -> None:
    """Show what to do next. A command to type is not broken into lines."""
    _print_step(terminal, told, "bold")


def _print_step(terminal: Terminal, told: str, *styles: str) -> None:
    for line in printable(told).splitlines():
        terminal.print(styled(line, *styles), whole=line.startswith(("Type", "It was:")))
