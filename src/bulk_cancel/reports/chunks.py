"""The rows of a run in chunks: the input's columns from the snapshot, the added ones from the ledger.

The added columns have internal names, which no column of an input has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import polars as pl
import polars.selectors as cs

from bulk_cancel.core.columns import ACCOUNT, FIELDS, PREFIX, ROW, rows_at_a_time
from bulk_cancel.core.csv_dialect import DIALECT, CsvDialect, dialect_of
from bulk_cancel.core.model import status_of
from bulk_cancel.core.moments import Zone, write_moment
from bulk_cancel.core.read_as import READ_AS, ReadAs, read_as_of
from bulk_cancel.errors import InputError, LedgerError
from bulk_cancel.ledger.port import RowRecord
from bulk_cancel.reports.columns import internal
from bulk_cancel.reports.csv_file import POLARS_FAILURES
from bulk_cancel.reports.details import detail_of

#: Returns the ledger's rows of the run after a row number, at most as many as the second argument says.
Rows = Callable[[int, int], Sequence[RowRecord]]
#: Rows with the columns of the input and the added ones, and their records in the ledger.
Chunk = tuple[pl.DataFrame, Sequence[RowRecord]]

STATUS: Final = internal("status")
DETAIL: Final = internal("detail")
MAILED_REASON: Final = internal("mailed_reason")

CHUNK: Final = 50_000
SETTLED_AT: Final = internal("settled_at")
#: What the snapshot says of a row, and the ledger, too.
_NAMED: Final = (ROW, internal("appointment_id"), internal("attendee_id"))


def original_columns(snapshot: Path | None, rows: Rows) -> list[str]:
    """Return the names of the input's columns; without a snapshot, of the fields."""
    if snapshot is None:
        return [field for field in FIELDS if field != ACCOUNT or _has_accounts(rows)]
    return columns_in(snapshot)


def columns_in(snapshot: Path) -> list[str]:
    """Return the names of the input's columns. Raises InputError."""
    with reading_snapshot(snapshot):
        names = pl.scan_parquet(snapshot, glob=False).collect_schema().names()
    return [name for name in names if not name.startswith(PREFIX)]


def dialect_in(snapshot: Path | None) -> CsvDialect:
    """Return the CSV dialect of the input; the default when it was not a CSV file, or is not known."""
    if snapshot is None:
        return CsvDialect()
    with reading_snapshot(snapshot, ValueError, TypeError):
        return dialect_of(pl.read_parquet_metadata(snapshot).get(DIALECT))


def read_as_in(snapshot: Path | None, originals: Sequence[str]) -> ReadAs:
    """Return how the input was read; without a snapshot, its columns are those of the fields."""
    if snapshot is None:
        return ReadAs({name: name for name in originals}, accounts=ACCOUNT in originals)
    with reading_snapshot(snapshot):
        return read_as_of(pl.read_parquet_metadata(snapshot).get(READ_AS), originals)


def read_chunks(snapshot: Path | None, rows: Rows, zone: Zone) -> Iterator[Chunk]:
    """Yield all rows in row order, with times in `zone`. The first chunk is empty, so that there always is one."""
    originals = original_columns(snapshot, rows)
    yield pl.DataFrame(schema=dict.fromkeys(originals, pl.String())).hstack(_added([], zone)), []
    yield from _from_snapshot(snapshot, originals, rows, zone) if snapshot else _from_ledger(originals, rows, zone)


def _from_snapshot(snapshot: Path, originals: list[str], rows: Rows, zone: Zone) -> Iterator[Chunk]:
    after = 0
    for batch in _batches(snapshot, [*originals, *_NAMED]):
        records = rows(after, batch.height)
        _refuse_other_rows(batch.select(_NAMED).rows(), records)
        yield batch[originals].hstack(_added(records, zone)), records
        after = records[-1].row if records else after
    _refuse_other_rows([], rows(after, 1))


def _batches(snapshot: Path, columns: list[str]) -> Iterator[pl.DataFrame]:
    # Not select(columns): a column named "*" or "^…$" would be taken for a pattern.
    frame = pl.scan_parquet(snapshot, glob=False).select(cs.by_name(columns))
    with reading_snapshot(snapshot):
        yield from frame.collect_batches(
            chunk_size=min(CHUNK, rows_at_a_time(len(columns))), maintain_order=True, engine="streaming"
        )


@contextmanager
def reading_snapshot(snapshot: Path, *others: type[Exception]) -> Iterator[None]:
    """Raise InputError when the block cannot read a snapshot; `others` are further errors that mean the same."""
    failures: tuple[type[BaseException], ...] = (OSError, *POLARS_FAILURES, *others)
    try:
        yield
    except failures as error:
        raise InputError(f"{snapshot} is not a snapshot of an input, or is damaged") from error


def _refuse_other_rows(named: Sequence[tuple[int, str | None, str | None]], records: Sequence[RowRecord]) -> None:
    differing = (pair for pair in zip(named, records, strict=False) if not _is_same_row(*pair))
    if (pair := next(differing, None)) is None and len(named) == len(records):
        return
    place = ": one has more rows than the other"
    if pair:
        (row, *_), record = pair
        what = f"is row {record.row} of the ledger" if row != record.row else "names another appointment in the ledger"
        place = f": row {row} of the snapshot {what}"
    raise LedgerError(
        f"the ledger and the snapshot of the input do not hold the same rows{place}",
        advice="One of them belongs to another run. No file was written.",
    )


def _is_same_row(named: tuple[int, str | None, str | None], record: RowRecord) -> bool:
    """Whether a row of the snapshot is that of the ledger. Of an invalid row one of them may have no ids."""
    row, appointment, attendee = named
    target = record.target
    if row != record.row or target is None or appointment is None:
        return row == record.row
    return (appointment, attendee or None) == (target.appointment_id, target.attendee_id or None)


def _from_ledger(originals: list[str], rows: Rows, zone: Zone) -> Iterator[Chunk]:
    for records in _records(rows):
        cells = [field_cells(record)[: len(originals)] for record in records]
        texts = pl.DataFrame(cells, schema=dict.fromkeys(originals, pl.String()), orient="row")
        yield texts.hstack(_added(records, zone)), records


def _has_accounts(rows: Rows) -> bool:
    return any(record.account for records in _records(rows) for record in records)


def _records(rows: Rows) -> Iterator[Sequence[RowRecord]]:
    after = 0
    while records := rows(after, CHUNK):
        yield records
        after = records[-1].row


def field_cells(record: RowRecord) -> tuple[str | None, ...]:
    """Return what was asked for a row, in the order of FIELDS. The cells are None for an invalid row."""
    target = record.target
    if target is None:
        return (None,) * len(FIELDS)
    return (
        target.appointment_id,
        target.attendee_id,
        str(record.cancel_all).lower(),
        str(target.entire_series).lower(),
        record.reason,
        record.user_id,
        record.account or None,
    )


def _added(records: Sequence[RowRecord], zone: Zone) -> pl.DataFrame:
    columns: tuple[tuple[str, list[Any], pl.DataType], ...] = (
        (internal("row"), [record.row for record in records], pl.Int64()),
        (STATUS, [status_of(record.state).value for record in records], pl.String()),
        (DETAIL, [detail_of(record) or None for record in records], pl.String()),
        (internal("http_status"), [record.http_status for record in records], pl.Int64()),
        (internal("attempts"), [record.attempts for record in records], pl.Int64()),
        (SETTLED_AT, [_settled(record.settled_at, zone) for record in records], pl.String()),
        (MAILED_REASON, [record.mailed_reason or None for record in records], pl.String()),
    )
    return pl.DataFrame([pl.Series(*column) for column in columns])


def _settled(at: float | None, zone: Zone) -> str | None:
    return None if at is None else _second(math.floor(at), zone)


@lru_cache(maxsize=4096)
def _second(at: int, zone: Zone) -> str:
    """Return a moment as text. Cached: many rows are settled within the same second."""
    return write_moment(at, zone)
