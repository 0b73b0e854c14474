"""The frozen results that Python programs get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, TypeVar

from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import Status
from bulk_cancel.core.moments import Zone, write_moment
from bulk_cancel.core.plan import LookSummary, Plan, PlanLine
from bulk_cancel.core.states import State
from bulk_cancel.errors import Exit
from bulk_cancel.reports.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """A row of the input, and what a run would do with it."""

    row: int  #: as a spreadsheet shows it: the header is row 1
    action: Action
    why: str  #: a sentence
    appointment_id: str | None  #: None when the row is invalid
    attendee_id: str | None  #: None: the whole appointment
    entire_series: bool
    reason: str | None  #: as the mails print it
    account: str | None = None  #: with whose credential; None: the run's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the readings of a plan showed of the people concerned: numbers, no names."""

    requests: int  #: that the reads took
    unseen: int  #: rows to be sent that were not read
    unreadable: int  #: of these, rows of which no answer of the API came
    offline: str  #: why nothing could be read, a sentence; empty: it could
    mailed: int  #: people who get a mail, at least
    mailed_again: int  #: people who get more than one
    paid: int  #: appointments that were paid for
    hosts: int
    first_start: str | None  #: ISO 8601, with the offset of the job's zone
    last_start: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """What a run would do: counts over all rows, and the first rows of each kind."""

    rows: int
    targets: int  #: distinct ones that the valid rows name
    cancels: int  #: cancels that a run would send, if every one is answered
    may_send: int  #: cancels that it may send at most: also those that are read first
    duration_s: float  #: seconds that the cancels take at least, at the job's rate and with a full burst
    actions: Mapping[Action, int]  #: action -> rows; every action is in it
    settled: Mapping[State, int]  #: state -> rows that need nothing, by what the ledger knows
    first: tuple[PlannedRow, ...]  #: the first rows to be sent, at most 10
    invalid: tuple[PlannedRow, ...]  #: the first invalid rows, at most 10
    left_out: tuple[PlannedRow, ...]  #: the first rows that a reading or a rule leaves out, at most 10
    seen: Seen | None  #: None: nothing was to be read
    digest: str | None  #: of the plan file, when the job names one
    exit_code: Exit  #: with which the command `plan` would end


R = TypeVar("R", PlannedRow, Seen, PlanResult)
Approve = Callable[[PlanResult], bool]


def _planned_row(line: PlanLine) -> PlannedRow:
    return _copied(PlannedRow, line.row, action=line.action, why=line.why)


def _seen(look: LookSummary, zone: Zone) -> Seen:
    first, last = (write_moment(at, zone) or None for at in look.starts or (None, None))
    return _copied(Seen, look, hosts=len(look.hosts), first_start=first, last_start=last)


def freeze_summary(summary: Summary) -> Summary:
    """Return the summary with read-only counts."""
    counts = MappingProxyType({status: summary.counts.get(status, 0) for status in Status})
    return replace(summary, counts=counts)


def freeze_plan(plan: Plan) -> PlanResult:
    """Return a plan as Python programs get it."""
    return _copied(
        PlanResult,
        plan,
        actions=MappingProxyType({action: plan.actions[action] for action in Action}),
        settled=MappingProxyType(dict(plan.settled)),
        first=tuple(map(_planned_row, plan.first)),
        invalid=tuple(map(_planned_row, plan.invalid)),
        left_out=tuple(map(_planned_row, plan.left_out)),
        seen=_seen(plan.look, plan.hours.zone) if plan.look else None,
        exit_code=Exit.REFUSED_ROWS if plan.invalid else Exit.OK,
    )


def _copied(kind: type[R], source: object, **given: Any) -> R:
    """Return a result of this kind with the values given, and every other field as the source has it."""
    rest = {field.name: getattr(source, field.name) for field in fields(kind) if field.name not in given}
    return kind(**rest, **given)
