"""The rows of the correction files: what was asked, in columns of the fields' own names.

A correction file is run as it is, whatever options are given or left out then. So the cells of a row that was asked are
those of the ledger, options included; only then is an unchanged row the same question. A row that was never sent has
what the input says, to be corrected, and the defaults where that says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl
import polars.selectors as cs

from bulk_cancel.core.columns import ACCOUNT, ATTENDEE_ID, CANCEL_ALL, ENTIRE_SERIES, FIELDS, REASON
from bulk_cancel.core.model import Status
from bulk_cancel.core.read_as import ReadAs
from bulk_cancel.core.text import unwrapped
from bulk_cancel.ledger.port import RowRecord
from bulk_cancel.reports.chunks import STATUS, field_cells
from bulk_cancel.reports.columns import asked


def correction_rows(
    chunk: pl.DataFrame, records: Sequence[RowRecord], statuses: Collection[Status], read_as: ReadAs
) -> pl.DataFrame:
    """Return the rows of these statuses, with the columns of the fields as they are written in a correction file."""
    chosen = chunk[STATUS].is_in([status.value for status in statuses])
    cells = [_written(record) for record, wanted in zip(records, chosen, strict=True) if wanted]
    told = pl.DataFrame(cells, schema={asked(field): pl.String() for field in FIELDS}, orient="row")
    rows = chunk.filter(chosen).hstack(told)
    was_asked = pl.col(STATUS) != Status.INVALID.value
    own = {field: _own(read_as, field) for field in FIELDS}
    filled = {field: pl.coalesce(own[field], default) for field, default in _defaults(read_as, own).items()}
    fields = (
        pl.when(was_asked).then(pl.col(asked(field))).otherwise(filled.get(field, own[field])).alias(asked(field))
        for field in FIELDS
    )
    # A cell of Parquet or NDJSON may contain a NUL; a CSV input with one would be refused as a whole.
    return rows.with_columns(fields).with_columns(
        cs.string().str.replace_all("\0", "\N{REPLACEMENT CHARACTER}", literal=True)
    )


def _written(record: RowRecord) -> list[str | None]:
    # A text that looks like the formula ="…" would be read as what is inside.
    return [f'="{cell}"' if cell and unwrapped(cell) != cell else cell for cell in field_cells(record)]


def _own(read_as: ReadAs, field: str) -> pl.Expr:
    """Return what the input says in the column of a field; null where it says nothing."""
    column = read_as.columns.get(field)
    if column is None:
        return pl.lit(None, pl.String)
    cell = cs.by_name(column).as_expr()
    return pl.when(cell.str.contains(r"\S")).then(cell)


def _defaults(read_as: ReadAs, own: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    unsaid = own[ATTENDEE_ID].is_null() & own[ENTIRE_SERIES].is_null()
    return {
        REASON: pl.lit(read_as.reason, pl.String),
        CANCEL_ALL: pl.when(unsaid & read_as.cancel_all).then(pl.lit("true")),
        ACCOUNT: pl.lit(read_as.account or None, pl.String),
    }
