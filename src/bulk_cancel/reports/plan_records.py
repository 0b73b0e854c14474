"""The files of a plan for auditors: a line per row of the input as CSV and Parquet, and a summary.

The same lines give the same bytes, whatever the time. `plan.csv` is for people, so its texts are made harmless
for spreadsheets; `plan.parquet` has the texts as they are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from bulk_cancel.core.actions import Action
from bulk_cancel.core.moments import Zone, write_moment
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.text import clean
from bulk_cancel.errors import ReportError
from bulk_cancel.reports.chunks import CHUNK
from bulk_cancel.reports.csv_file import POLARS_FAILURES, CsvFile, harmless_texts
from bulk_cancel.reports.files import written_aside

PLAN_CSV: Final = "plan.csv"
PLAN_PARQUET: Final = "plan.parquet"
PLAN_JSON: Final = "plan.json"
PLAN_FILES: Final = (PLAN_PARQUET, PLAN_CSV, PLAN_JSON)
#: Column -> its type, in the order of the files.
COLUMNS: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "row": pl.Int64(),
        "action": pl.String(),
        "why": pl.String(),
        "appointment_id": pl.String(),
        "attendee_id": pl.String(),
        "cancel_entire_series": pl.Boolean(),
        "cancel_all": pl.Boolean(),
        "reason": pl.String(),
        "user_id": pl.String(),
        "start": pl.String(),
        "end": pl.String(),
        "meeting_type_id": pl.String(),
        "host_ids": pl.String(),
        "paid": pl.String(),
    }
)

#: The last column, only where there are accounts.
ACCOUNT: Final = "account"

_TEXTS = [name for name, kind in COLUMNS.items() if kind == pl.String()]
_AT_A_TIME = 20_000
_LONGEST_WHY = 2000
_ADVICE = "Nothing was sent. Mend the disk or name another folder, and plan again."


@dataclass(slots=True)
class PlanRecords:
    """The files of a plan that is not complete yet. They are put in place together at its end."""

    out: Path
    zone: Zone  #: of starts and ends
    _parts: Path = field(repr=False)
    _columns: Mapping[str, pl.DataType] = field(default_factory=lambda: COLUMNS, repr=False)
    summary: dict[str, object] = field(default_factory=dict)  #: what plan.json says besides the counts
    actions: Counter[Action] = field(default_factory=Counter)
    _cells: list[tuple[Any, ...]] = field(default_factory=list, repr=False)
    _part_count: int = 0

    def add(self, line: PlanLine) -> None:
        """Add the next line. Raises ReportError."""
        self.actions[line.action] += 1
        cells = _cells_of(line, self.zone)
        self._cells.append((*cells, line.row.account) if ACCOUNT in self._columns else cells)
        if len(self._cells) == _AT_A_TIME:
            self._flush()

    def put_in_place(self) -> None:
        """Write all files into `out`, or none. Raises ReportError."""
        if self._cells or not self._part_count:
            self._flush()
        with _for_a_plan(self.out), written_aside(self.out, PLAN_FILES) as folder:
            parts = sorted(self._parts.iterdir())
            pl.scan_parquet(parts, glob=False).sink_parquet(folder / PLAN_PARQUET, row_group_size=CHUNK)
            _write_csv(parts, folder / PLAN_CSV, self._columns)
            (folder / PLAN_JSON).write_text(self._summary(), encoding="ascii")

    def _flush(self) -> None:
        frame = pl.DataFrame(self._cells, schema=dict(self._columns), orient="row")
        with _for_a_plan(self._parts):
            frame.write_parquet(self._parts / f"{self._part_count:06}", compression="lz4", statistics=False)
        self._part_count += 1
        self._cells.clear()

    def _summary(self) -> str:
        counts = {action.value: self.actions[action] for action in Action}
        document = {"schema_version": 1, "rows": self.actions.total(), "actions": counts, **self.summary}
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


@contextmanager
def plan_records(out: Path, zone: Zone = None, *, with_accounts: bool = False) -> Iterator[PlanRecords]:
    """Yield a taker of the plan's lines; after the block plan.csv, plan.parquet and plan.json are in `out`.

    After an error in the block `out` is as it was. Raises ReportError when the disk refuses.
    """
    with TemporaryDirectory(prefix="bulk-cancel-") as folder:
        columns = {**COLUMNS, ACCOUNT: pl.String()} if with_accounts else COLUMNS
        records = PlanRecords(out, zone, Path(folder), columns)
        yield records
        records.put_in_place()


def _cells_of(line: PlanLine, zone: Zone) -> tuple[Any, ...]:
    row, seen, valid = line.row, line.seen, line.action is not Action.INVALID
    asked = (
        row.row,
        line.action.value,
        clean(line.why, _LONGEST_WHY),
        row.appointment_id,
        row.attendee_id,
        row.entire_series if valid else None,
        row.cancel_all if valid else None,
        row.reason,
        row.user_id,
    )
    if seen is None:
        return (*asked, None, None, None, None, None)
    return (
        *asked,
        write_moment(seen.start, zone) or None,
        write_moment(seen.end, zone) or None,
        seen.meeting_type_id,
        " ".join(seen.host_ids or ()),
        "yes" if seen.paid else "no",
    )


def _write_csv(parts: list[Path], path: Path, columns: Mapping[str, pl.DataType]) -> None:
    file = CsvFile(path, {name: name for name in columns})
    for part in parts:
        file.append(pl.read_parquet(part, glob=False).with_columns(harmless_texts(*_TEXTS)))


@contextmanager
def _for_a_plan(folder: Path) -> Iterator[None]:
    """Give every error the advice that fits a plan."""
    try:
        yield
    except (OSError, *POLARS_FAILURES) as error:
        failure = ReportError(folder, error)
        failure.advice = _ADVICE
        raise failure from error
    except ReportError as error:
        error.advice = _ADVICE
        raise
