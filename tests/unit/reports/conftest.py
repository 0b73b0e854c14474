"""A run as the reports see it: the snapshot of an input, and what the ledger says of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest

from bulk_cancel.core.columns import PREFIX, ROW
from bulk_cancel.core.model import Target
from bulk_cancel.core.states import State
from bulk_cancel.ledger.port import RowRecord

PLAIN = RowRecord(
    row=0,
    first_row=None,
    problems=None,
    state=State.CANCELLED,
    detail="",
    http_status=200,
    attempts=1,
    settled_at=1_795_000_000.9,
    target=Target("6f0e8f5e-0000-4000-8000-000000000001"),
    cancel_all=False,
    reason=None,
    user_id=None,
    warnings="",
    mailed_reason="We are closed.",
)


@dataclass(frozen=True)
class Run:
    """`columns` are the input's, `records` the ledger's."""

    columns: Mapping[str, Sequence[str | None]]
    records: Sequence[RowRecord]

    def snapshot(self, folder: Path) -> Path:
        texts = {name: pl.Series(cells, dtype=pl.String) for name, cells in self.columns.items()}
        numbers = pl.Series([record.row for record in self.records], dtype=pl.Int64)
        problems = pl.Series([record.problems for record in self.records], dtype=pl.String)
        names = [record.target.appointment_id if record.target else None for record in self.records]
        attendees = [record.target.attendee_id if record.target else None for record in self.records]
        added = {
            ROW: numbers,
            f"{PREFIX}appointment_id": pl.Series(names, dtype=pl.String),
            f"{PREFIX}attendee_id": pl.Series(attendees, dtype=pl.String),
            f"{PREFIX}problems": problems,
        }
        frame = pl.DataFrame(texts | added)
        frame.write_parquet(folder / "input.parquet")
        return folder / "input.parquet"

    def rows(self, after_row: int, limit: int) -> list[RowRecord]:
        return [record for record in self.records if record.row > after_row][:limit]


MakeRecord = Callable[..., RowRecord]
MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def record() -> MakeRecord:
    """A row of the ledger: cancelled, unless told otherwise."""

    def make(row: int = 2, state: State | None = State.CANCELLED, **changes: object) -> RowRecord:
        target = PLAIN.target if state else None
        first_row = row if state else None
        return replace(PLAIN, **{"row": row, "first_row": first_row, "state": state, "target": target} | changes)

    return make


@pytest.fixture(scope="session")
def run_of(record: MakeRecord) -> MakeRun:
    """A run with a row for each state, and columns of the input when they matter."""

    def make(states: Sequence[State | None], columns: Mapping[str, Sequence[str | None]] | None = None) -> Run:
        records = [record(row, state) for row, state in enumerate(states, 2)]
        return Run(columns or {"id": [f"a{no}" for no in range(len(states))]}, records)

    return make
