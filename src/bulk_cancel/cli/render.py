"""What people see: the plan before the question, the summary after the run. On stderr; stdout is for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bulk_cancel.core.model import Status
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import Action, Live, Plan, PlanLine
from bulk_cancel.core.text import clean
from bulk_cancel.core.units import show_duration
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.accounts import label_of

#: Actions that are shown elsewhere than among what is not to be cancelled.
_ELSEWHERE = (Action.CANCEL, Action.INVALID, Action.SAME, Action.NOTHING, Action.READ_FIRST)
_TELLING = {Status.CANCELLED: "green", Status.ALREADY_CANCELLED: "green", Status.UNKNOWN: "bold red"}


def show_plan(console: Console, plan: Plan, source: str) -> None:
    """Say what a run would do: counts, the invalid rows, the first cancels, mails and time."""
    if plan.nothing:
        console.print(escape(plan.nothing), soft_wrap=True)
        return
    console.print(f"[bold]Plan[/] for {escape(clean(source))}: {plan.rows} rows, {plan.targets} different targets")
    for note in plan.notes:
        console.print(f"  [yellow]{escape(clean(note, 400))}[/]", highlight=False)
    for line in (*_counts(plan), *_reasons(plan)):
        console.print(f"  {line}")
    if plan.invalid:
        console.print(_table("Invalid rows, never sent", plan.invalid, plan.actions[Action.INVALID]))
    if plan.left_out:
        total = plan.rows - sum(plan.actions[action] for action in _ELSEWHERE)
        console.print(_table("Not to be cancelled", plan.left_out, total))
    if plan.first:
        console.print(_table("First cancels", plan.first, plan.cancels))
        if plan.live:
            console.print(_people(plan.live), highlight=False)
        console.print(
            f"This sends mails for at least [bold]{plan.cancels}[/] cancellations and takes "
            f"[bold]{_time(plan)}[/] at {_rate(plan)}. It cannot be undone.",
            highlight=False,
        )
        for line in _accounts(plan):
            console.print(f"  {escape(line)}", highlight=False)
    if plan.cancels and plan.time and (short := _short_of_time(plan, plan.time.left_s(time.monotonic()))):
        console.print(f"[bold]{short}[/]", highlight=False)


def _short_of_time(plan: Plan, left_s: float) -> str:
    """Say that the job's --deadline or --max-duration does not suffice; empty when it does."""
    if not left_s:
        return "The time for it is over: a run would send nothing."
    if plan.duration_s <= left_s:
        return ""
    needs = show_duration(plan.duration_s)
    return f"It needs at least {needs}, and {show_duration(left_s)} are left: the run will stop, and go on next time."


def _people(live: Live) -> str:
    again = f", {live.mailed_again} of them more than one" if live.mailed_again else ""
    when = f" Starts: {live.first_start} to {live.last_start}." if live.first_start else ""
    return (
        f"{live.mailed} people get a mail{again}. {live.paid} appointments are paid, {len(live.hosts)} hosts are "
        f"concerned.{when} The look took {live.requests} requests."
    )


def _counts(plan: Plan) -> list[str]:
    actions = plan.actions
    settled = ", ".join(f"{count} {state.value}" for state, count in plan.settled.items())
    lines = [
        (plan.cancels, "to cancel"),
        (actions[Action.READ_FIRST], "to look up first: an earlier cancel has no known outcome"),
        (actions[Action.NOTHING], f"settled in an earlier run ({settled}): nothing is sent"),
        (actions[Action.ALREADY_CANCELLED], "already cancelled: nothing is sent"),
        (actions[Action.NOT_FOUND], "not found: nothing is sent"),
        (actions[Action.REFUSED], "the API would refuse"),
        (actions[Action.SKIP], "left out by a rule: nothing is sent"),
        (actions[Action.SAME], "name a target that an earlier row names: sent once"),
        (actions[Action.INVALID], "invalid: nothing is sent"),
    ]
    return [f"{count:>6}  {what}" for count, what in lines if count]


def _reasons(plan: Plan) -> Iterator[str]:
    """Say where the reasons in the mails come from, and how many mails have none."""
    if plan.own_reasons:
        yield f"{plan.own_reasons:>6}  with the reason that the row has"
    if plan.given_reasons:
        yield f"{plan.given_reasons:>6}  with the reason that the job or --reason gives"
    if plan.no_reasons:
        yield f"{plan.no_reasons:>6}  without a reason: their mails give none"


def _time(plan: Plan) -> str:
    if plan.duration_s < 1:
        return "a moment"
    end = datetime.now().astimezone() + timedelta(seconds=plan.duration_s)
    return f"at least {show_duration(plan.duration_s)}, until {end:%H:%M},"


def _rate(plan: Plan) -> str:
    return "each account's own rate" if plan.paces else _shown(plan.pace)


def _shown(pace: Pace) -> str:
    per_minute = pace.rate_per_s * 60
    rate = f"{pace.rate_per_s:g}/s" if per_minute > 600 else f"{per_minute:g}/min"
    return f"{rate} after a burst of {pace.burst}"


def _accounts(plan: Plan) -> Iterator[str]:
    """Say what falls to each account."""
    for name, pace in plan.paces.items():
        if cancels := plan.shares[name].cancels:
            takes = show_duration(plan.duration_of(name))
            yield f"{cancels:>6}  with {label_of(name)}: at least {takes} at {_shown(pace)}"


def _table(title: str, lines: list[PlanLine], total: int) -> Table:
    more = f" ({len(lines)} of {total})" if total > len(lines) else ""
    table = Table(title=f"{title}{more}", title_justify="left", title_style="", box=None, pad_edge=False)
    table.add_column("row", justify="right", min_width=3)
    table.add_column("appointment", no_wrap=True, min_width=36 if lines[0].row.appointment_id else 0)
    if lines[0].action is Action.CANCEL:
        table.add_column("reason", no_wrap=True, overflow="ellipsis")
    else:
        table.add_column("why", overflow="fold")
    for line in lines:
        text = _asked(line) if line.action is Action.CANCEL else line.why
        table.add_row(str(line.row.row), line.row.appointment_id or "–", escape(clean(text, 300)))
    return table


def _asked(line: PlanLine) -> str:
    row = line.row
    flags = [
        f"attendee {row.attendee_id}" if row.attendee_id else "",
        "everyone in the group" if row.cancel_all else "",
        "the whole series" if row.entire_series else "",
    ]
    notes = ", ".join(flag for flag in flags if flag)
    origin = " (given)" if row.reason_given else ""
    return f"{f'[{notes}] ' if notes else ''}{clean(row.reason or '(no reason)', 60)}{origin}"


def show_summary(console: Console, summary: Summary) -> None:
    """Say what came of the run and what to do now."""
    if not summary.rows and not summary.requests.gets:
        console.print(escape(summary.next), soft_wrap=True)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for status in Status:
        if count := summary.counts.get(status, 0):
            table.add_row(f"{count:>6}", f"[{_TELLING.get(status, 'yellow')}]{status}[/]")
    console.print(f"[bold]{summary.rows} rows[/] in {show_duration(summary.elapsed_s)}:")
    console.print(table)
    requests = summary.requests
    throttled = f", {requests.throttled} throttled" if requests.throttled else ""
    console.print(f"{requests.posts} cancels sent, {requests.gets} reads{throttled}.")
    if summary.out:
        console.print(f"Results: {escape(summary.out)}", soft_wrap=True)
    console.print(f"[bold]{escape(summary.next)}[/]", soft_wrap=True)
