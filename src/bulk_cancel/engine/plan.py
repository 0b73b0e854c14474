"""What would be done to each target, and why: the dry run. A plan owns no sender and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bulk_cancel.core.model import InputRow
from bulk_cancel.core.pacing import Pace, duration_s
from bulk_cancel.core.states import OPEN, SENDABLE, State

_PREVIEW = 10


class Action(StrEnum):
    """What a run would do with a row."""

    CANCEL = "cancel"  #: send it
    READ_FIRST = (
        "read_first"  #: an earlier cancel of it has no known outcome: read, and send only after the settle time
    )
    NOTHING = "nothing"  #: the ledger knows it as settled
    SAME = "same"  #: an earlier row names the same target
    INVALID = "invalid"  #: the row cannot be sent


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One row's action with its reason."""

    row: InputRow
    action: Action
    why: str


@dataclass(slots=True)
class Plan:
    """The sum of a plan: counts, and its first lines. Flat in memory whatever the input's size."""

    pace: Pace
    rows: int = 0
    actions: Counter[Action] = field(default_factory=Counter)
    settled: Counter[State] = field(default_factory=Counter)  #: rows that need nothing, by what the ledger knows
    first: list[PlanLine] = field(default_factory=list)  #: the first rows that would be sent
    invalid: list[PlanLine] = field(default_factory=list)  #: the first invalid rows
    rows_with_user: int = 0
    rows_without_user: int = 0

    @property
    def cancels(self) -> int:
        """How many cancels a run would send, if every one is answered."""
        return self.actions[Action.CANCEL]

    @property
    def targets(self) -> int:
        """How many distinct targets the valid rows name."""
        return self.cancels + self.actions[Action.READ_FIRST] + self.actions[Action.NOTHING]

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to send and nothing to find out."""
        return not self.cancels and not self.actions[Action.READ_FIRST]

    @property
    def duration_s(self) -> float:
        """How long the cancels take at least, at this rate and with a full burst."""
        return duration_s(self.cancels + 1, self.pace)  # one read precedes them


def plan_lines(rows: Sequence[InputRow], states: Sequence[State | None]) -> Iterable[PlanLine]:
    """Decide each row's action, given what the ledger knows of its target."""
    for row, state in zip(rows, states, strict=True):
        yield PlanLine(row, *_decide(row, state))


def _decide(row: InputRow, state: State | None) -> tuple[Action, str]:
    if row.problems is not None:
        return Action.INVALID, row.problems
    if row.first_row != row.row:
        return Action.SAME, f"same target as row {row.first_row}"
    if state is None or state in SENDABLE:
        return Action.CANCEL, "to be cancelled"
    if state in OPEN:
        return (
            Action.READ_FIRST,
            "an earlier cancel has no known outcome: the appointment is read before anything is sent",
        )
    return Action.NOTHING, f"{state.value} in an earlier run"


def make_plan(
    chunks: Iterable[Sequence[InputRow]],
    states_of: Callable[[Sequence[InputRow]], Sequence[State | None]],
    pace: Pace,
    each: Callable[[PlanLine], None] | None = None,
) -> Plan:
    """Plan every row; `states_of` asks the ledger about a chunk, `each` receives every line."""
    plan = Plan(pace)
    for rows in chunks:
        for line, state in zip(plan_lines(rows, states := states_of(rows)), states, strict=True):
            _count(plan, line, state)
            if each is not None:
                each(line)
    return plan


def _count(plan: Plan, line: PlanLine, state: State | None) -> None:
    plan.rows += 1
    plan.actions[line.action] += 1
    if line.action is Action.NOTHING and state is not None:
        plan.settled[state] += 1
    if line.action is Action.CANCEL and len(plan.first) < _PREVIEW:
        plan.first.append(line)
    if line.action is Action.INVALID:
        if len(plan.invalid) < _PREVIEW:
            plan.invalid.append(line)
    elif line.row.user_id:
        plan.rows_with_user += 1
    else:
        plan.rows_without_user += 1
