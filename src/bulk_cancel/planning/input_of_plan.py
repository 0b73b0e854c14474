"""The input of an approved plan, for the columns of the results, which a plan does not have.

The input is read again if it still exists, and used only if it is the same byte for byte.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from bulk_cancel.errors import BulkCancelError
from bulk_cancel.inputs import AccountNames, InputOptions, StagedInput, row_numbers, stage_input
from bulk_cancel.plan_files import PlanFile


def pin_input(plan: PlanFile, into: Path) -> tuple[str, tuple[str, ...]]:
    """Make a snapshot of a plan's input; return why that is not possible, a sentence, or "", and how it was read."""
    name = plan.header.input
    if not Path(name).is_file():
        why = "a search found them" if name == "[select]" else f"{name} is not here"
        return f"The columns of the plan's input are not at hand: {why}.", ()
    try:
        staged = stage_input(name, _options_of(plan), into)
    except BulkCancelError as error:
        return f"The columns of the plan's input are not at hand: {error}.", ()
    if staged.digest == plan.header.input_digest and _has_rows_of(staged, plan):
        return "", staged.notes
    into.unlink()
    return f"The columns of the plan's input are not at hand: {name} has changed since.", ()


def _options_of(plan: PlanFile) -> InputOptions:
    given = plan.header.read_as
    return InputOptions(
        given.get("map", {}),
        None,
        cancel_all=False,
        accounts=AccountNames() if any(row.account for rows in plan.rows() for row in rows) else None,
        hidden_rows=given.get("hidden_rows", ""),
        encoding=given.get("encoding", ""),
    )


def _has_rows_of(staged: StagedInput, plan: PlanFile) -> bool:
    planned = (row.row for rows in plan.rows() for row in rows)
    return all(here == there for here, there in zip_longest(row_numbers(staged), planned))
