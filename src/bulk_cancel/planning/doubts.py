"""What in a plan is hardly meant: sentences for the person who reads it."""

from __future__ import annotations

from collections.abc import Iterator

from bulk_cancel.core.actions import Action
from bulk_cancel.core.plan import Plan
from bulk_cancel.core.text import are_most, clean, counted


def doubts_of(plan: Plan, id_column: str) -> Iterator[str]:
    """Yield what is hardly meant. `id_column`: the one that --map names for the appointment ids; or empty."""
    if count := plan.blank_reasons:
        hold = counted(count, "reason of the input holds", "reasons of the input hold")
        stand = "it is mailed as it stands" if count == 1 else "they are mailed as they stand"
        yield f"{hold} {{…}}: {stand}. Blanks are filled in the reason of the job, or of --reason, only."
    column = f"the column {clean(id_column)}" if id_column else "the column of the appointment ids"
    rows, actions = plan.rows, plan.actions
    for count, total, what in (
        (actions[Action.INVALID], rows, "are invalid"),
        (actions[Action.SAME], rows, "name a target that an earlier row names"),
        (actions[Action.NOT_FOUND], plan.targets, "are not found"),
    ):
        if are_most(count, total):
            of = "targets" if total != rows else "rows"
            yield f"{count:,} of {total:,} {of} {what}: is {column} the right one? (--map appointment_id=COLUMN)"
            return
