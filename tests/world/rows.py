"""The rows of a history as the program takes them: from a file, or as they are."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.core.actions import SENT, Action, Approved, Expectation
from bulk_cancel.core.model import InputRow, Target
from bulk_cancel.core.plan import LookAt
from bulk_cancel.execution.execute import Approval
from bulk_cancel.planning.plan_reads import PlanReads
from world.truth import Meeting, Truth

#: From the approval on.
PLAN_LASTS_S = 24 * 3600.0
_SHARE_KNOWN = 0.08


@dataclass
class GivenRows:
    """A source whose rows are there already: everything from the plan down is the program's."""

    given: list[InputRow]
    digest: str = "as given"
    approval: Approval | None = None  #: by a plan that somebody has approved
    notes: tuple[str, ...] = ()
    needs_looks: bool = False
    closure: str = ""
    snapshot: Path | None = None

    def rows(self, reads: PlanReads | None) -> GivenRows:
        return self

    def chunks(self) -> Iterator[list[InputRow]]:
        """Yield the rows. Where an approved plan sends nothing, refusals of earlier runs stand."""
        approved = self.approval.by_target if self.approval else {}
        left_out = {target for target, one in approved.items() if one.action not in SENT}
        yield [row._replace(stands=_target_of(row) in left_out) for row in self.given]

    filled_chunks = chunks

    def look(self, look: LookAt | None) -> LookAt | None:
        return look


def approved_now(truth: Truth, rows: list[InputRow], wall: float, rng: random.Random) -> Approval:
    """Return a plan of these rows as it would be approved now, with what it has seen; `wall` is what the clock shows.

    Some of them it leaves out: those of which the ledger that it was made with knew that they were settled.
    """
    found, by_target = {}, {_target_of(row): row for row in rows if row.appointment_id}
    for target, row in by_target.items():
        known = rng.random() < _SHARE_KNOWN
        meeting = truth.meetings.get(row.appointment_id or "")
        if target is None or meeting is None:
            continue
        shown = meeting.document()
        attendees = tuple(sorted(shown.attendee_ids or ()))
        seen = Expectation(shown.start, shown.host_ids, attendees) if meeting.exists else Expectation()
        action = Action.NOTHING if known else _would(meeting, target, row)
        found[target] = Approved(action, f"the plan says: {action.value}", seen)
    in_order = sorted((by_target[target].row, target, approved) for target, approved in found.items())
    return Approval(wall + PLAN_LASTS_S, found, lambda: iter(in_order))


def widened(rows: list[InputRow], truth: Truth) -> list[InputRow]:
    """Return rows that name the whole of a group where these name somebody in it."""
    groups = {one.appointment_id for one in truth.meetings.values() if one.is_group}
    return [row._replace(attendee_id=None, cancel_all=True) if row.appointment_id in groups else row for row in rows]


def _would(meeting: Meeting, target: Target, row: InputRow) -> Action:
    """Return what a plan would do with a row, by what is true."""
    if not meeting.exists or meeting.deleted_at is not None:
        return Action.NOT_FOUND
    if meeting.is_group and target.attendee_id is None and not row.cancel_all:
        return Action.REFUSED
    return Action.CANCEL


def _target_of(row: InputRow) -> Target | None:
    return Target(row.appointment_id, row.attendee_id, row.entire_series) if row.appointment_id else None


def write_rows(path: Path, rows: list[InputRow]) -> None:
    """Write the rows as a person would: row numbers are those of the file."""
    columns = ("appointment_id", "attendee_id", "cancel_entire_series", "cancel_all", "reason", "account", "user_id")
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(columns)
        for row in rows:
            series, everybody = ("true" if value else "" for value in (row.entire_series, row.cancel_all))
            names = (row.appointment_id or "nobody", row.attendee_id or "")
            out.writerow([*names, series, everybody, row.reason or "", row.account or "", row.user_id or ""])


def write_accounts(path: Path, names: Iterable[str]) -> None:
    """Write the file of the accounts; their tokens are in the environment."""
    path.write_text("".join(f'[accounts.{name}]\ntoken_env = "TOKEN_{name}"\n' for name in names), encoding="utf-8")
