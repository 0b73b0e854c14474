"""The rows of a history as the program takes them: from a file, or as they are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.core.actions import Action, Approved, Expectation
from bulk_cancel.core.model import InputRow, Target
from bulk_cancel.core.plan import LookAt
from bulk_cancel.execution.execute import Approval
from bulk_cancel.planning.plan_reads import PlanReads
from world.truth import Truth


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
        yield self.given

    filled_chunks = chunks

    def look(self, look: LookAt | None) -> LookAt | None:
        return look


def approved_now(truth: Truth, rows: list[InputRow], expires_at: float) -> Approval:
    """Return a plan of these rows as it would be approved now, with what it has seen."""
    found = {}
    for row in rows:
        meeting = truth.meetings.get(row.appointment_id or "")
        if row.appointment_id is not None and meeting is not None:
            shown = meeting.document()
            attendees = tuple(sorted(shown.attendee_ids or ()))
            seen = Expectation(shown.start, shown.host_ids, attendees) if meeting.exists else Expectation()
            target = Target(row.appointment_id, row.attendee_id, row.entire_series)
            found[target] = Approved(Action.CANCEL, "to be cancelled", seen)
    by_target = {
        Target(row.appointment_id, row.attendee_id, row.entire_series): row for row in rows if row.appointment_id
    }
    in_order = sorted((by_target[target].row, target, approved) for target, approved in found.items())
    return Approval(expires_at, found, lambda: iter(in_order))


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
