"""The snapshot: the input as it was read, in one Parquet file with a row per data row, in row order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from polars import selectors
from polars.io.plugins import register_io_source

from bulk_cancel.core.columns import rows_at_a_time
from bulk_cancel.core.csv_dialect import DIALECT, CsvDialect
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.read_as import READ_AS, ReadAs
from bulk_cancel.core.text import clean
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import Added
from bulk_cancel.inputs.rows import StagedInput

_ROW = pl.col(Added.ROW)
#: The last fields of an InputRow, which no input sets.
_UNSET = tuple(pl.lit(value=False).alias(name) for name in InputRow._fields[len(Added) :])


def write_snapshot(frame: pl.LazyFrame, path: Path, dialect: CsvDialect, read_as: ReadAs) -> None:
    """Write the rows in order and in constant memory."""
    frame.sink_parquet(
        path,
        compression="zstd",
        compression_level=1,
        row_group_size=rows_at_a_time(len(frame.collect_schema())),
        metadata={DIALECT: dialect.as_text(), READ_AS: read_as.as_text()},
        sync_on_close="all",
    )


def with_changes(snapshot: Path, changes: list[Path]) -> pl.LazyFrame:
    """Return the snapshot's rows with the changes of find_changes applied, one row group at a time."""
    schema = pl.scan_parquet(snapshot, glob=False).collect_schema()

    def batches(
        _columns: list[str] | None, _predicate: pl.Expr | None, _n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        for batch in _batches(pl.scan_parquet(snapshot, glob=False), rows_at_a_time(len(schema))):
            yield _changed(batch, changes)

    return register_io_source(batches, schema=schema, validate_schema=False)


def read_rows(staged: StagedInput, chunk: int = 50_000) -> Iterator[list[InputRow]]:
    """Yield every row, in row order, `chunk` at a time."""
    frame = pl.scan_parquet(staged.path, glob=False).select(*Added, *_UNSET)
    for batch in _batches(frame, chunk):
        yield list(map(InputRow._make, batch.rows()))


def read_columns(
    staged: StagedInput, names: Sequence[str], chunk: int = 50_000
) -> Iterator[tuple[list[InputRow], list[dict[str, str | None]]]]:
    """Yield rows as `read_rows` does, each chunk with the values of the original columns `names`."""
    frame = pl.scan_parquet(staged.path, glob=False).select(selectors.by_name(*Added, *names))
    for batch in _batches(frame, chunk):
        rows = list(map(InputRow._make, batch.select(*Added, *_UNSET).rows()))
        yield rows, batch.select(selectors.by_name(*names)).rows(named=True) if names else [{} for _ in rows]


def repeated_rows(staged: StagedInput) -> set[int]:
    """Return the rows whose targets later rows name, too."""
    again = pl.scan_parquet(staged.path, glob=False).filter(pl.col(Added.FIRST_ROW) != _ROW).select(Added.FIRST_ROW)
    return {*again.unique().collect(engine="streaming")[Added.FIRST_ROW]}


def row_numbers(staged: StagedInput) -> Iterator[int]:
    """Yield the number of every row, in row order."""
    for batch in _batches(pl.scan_parquet(staged.path, glob=False).select(Added.ROW), 50_000):
        yield from batch[Added.ROW]


def _batches(frame: pl.LazyFrame, size: int) -> Iterator[pl.DataFrame]:
    try:
        yield from frame.collect_batches(chunk_size=size, maintain_order=True, engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"the snapshot of the input cannot be read: {clean(str(error))}") from error


def _changed(batch: pl.DataFrame, changes: list[Path]) -> pl.DataFrame:
    first, last = batch[Added.ROW][0], batch[Added.ROW][-1]
    here = pl.scan_parquet(changes, glob=False).filter(_ROW.is_between(first, last)).collect()
    merged = batch.join(here, on=Added.ROW, how="left", maintain_order="left", suffix="_new")
    new_first, contradicts = pl.col(f"{Added.FIRST_ROW}_new"), pl.col(f"{Added.PROBLEMS}_new").is_not_null()
    emptied = (Added.APPOINTMENT_ID, Added.ATTENDEE_ID, Added.REASON, Added.USER_ID, Added.ACCOUNT)
    return merged.with_columns(
        *(pl.when(~contradicts).then(column).alias(column) for column in emptied),
        *(
            (pl.col(column) & ~contradicts).alias(column)
            for column in (Added.ENTIRE_SERIES, Added.CANCEL_ALL, Added.REASON_GIVEN)
        ),
        pl.when(~contradicts).then(pl.coalesce(new_first, Added.FIRST_ROW)).alias(Added.FIRST_ROW),
        pl.coalesce(Added.PROBLEMS, f"{Added.PROBLEMS}_new").alias(Added.PROBLEMS),
    ).select(batch.columns)
