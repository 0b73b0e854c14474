"""CSV and TSV."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from bulk_cancel.inputs.columns import BC_ROW
from bulk_cancel.inputs.csv_header import MAX_HEADER, Layout, read_layout
from bulk_cancel.inputs.csv_records import Records, check_records
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table
from bulk_cancel.inputs.unpack import PlainText, read_blocks


def read_delimited(text: PlainText, separator: str | None) -> Table:
    """Check a text from its first to its last byte and open it with polars."""
    hasher = hashlib.sha256()
    with text.path.open("rb") as file:
        layout = read_layout(file.read(MAX_HEADER), separator)
        file.seek(0)
        records = check_records(read_blocks(file, hasher), layout)
    return Table(
        frame=_with_layout_problems(_scan(text.path, layout), records, len(layout.columns)),
        columns=layout.columns,
        digest=text.digest or hasher.hexdigest(),
        last_row=records.count,
    )


def _scan(path: Path, layout: Layout) -> pl.LazyFrame:
    frame = pl.scan_csv(
        path,
        schema=dict.fromkeys(layout.columns, pl.String),
        has_header=False,  # polars would match the header by name, and reads quoted names in its own way
        skip_lines=layout.header_lines,
        separator=layout.separator,
        eol_char=layout.line_end,
        infer_schema=False,
        glob=False,
        raise_if_empty=False,
        missing_columns="insert",  # rows with too few or too many fields are known by now
        extra_columns="ignore",
        row_index_name=BC_ROW,
        row_index_offset=layout.header_row + 1,
    )
    return frame.with_columns(pl.col(BC_ROW).cast(pl.Int64))


def _with_layout_problems(frame: pl.LazyFrame, records: Records, expected: int) -> pl.LazyFrame:
    if not records.ragged_rows:
        return frame.with_columns(pl.lit(None, pl.String).alias(LAYOUT_PROBLEM))
    problems = [f"row has {_counted(fields)}, the header has {expected}" for fields in records.ragged_fields]
    rows = pl.Series(records.ragged_rows, dtype=pl.Int64)
    ragged = pl.LazyFrame({BC_ROW: rows, LAYOUT_PROBLEM: pl.Series(problems, dtype=pl.String)})
    return frame.join(ragged, on=BC_ROW, how="left", maintain_order="left")


def _counted(fields: int) -> str:
    return "1 field" if fields == 1 else f"{fields} fields"
