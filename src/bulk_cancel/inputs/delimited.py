"""Reads CSV and TSV."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import polars.selectors as cs

from bulk_cancel.core.columns import PREFIX
from bulk_cancel.core.csv_dialect import CsvDialect
from bulk_cancel.core.text import counted
from bulk_cancel.inputs.columns import Added
from bulk_cancel.inputs.csv_header import MAX_HEADER, Layout, read_layout
from bulk_cancel.inputs.csv_records import Records, check_records
from bulk_cancel.inputs.header_row import about_unnamed
from bulk_cancel.inputs.headers import columns_read
from bulk_cancel.inputs.rows import InputOptions
from bulk_cancel.inputs.table import LAYOUT_PROBLEM, Table
from bulk_cancel.inputs.unpack import PlainText, read_blocks

_ID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SWALLOWED = "one of its cells holds further rows, which were not read: close or remove the quote in this row"
_UNNAMED = f"{PREFIX}unnamed_"


def read_delimited(text: PlainText, separator: str | None, options: InputOptions) -> Table:
    """Check a whole text and open it with polars. Raises InputError."""
    hasher = hashlib.sha256()
    with text.path.open("rb") as file:
        layout = read_layout(file.read(MAX_HEADER), separator, options.mapping)
        names = tuple(filter(None, layout.columns))
        read = columns_read(names, options)
        needed = 1 + max(place for place, name in enumerate(layout.columns) if name in read)
        file.seek(0)
        hasher.update(file.read(layout.start))
        records = check_records(read_blocks(file, hasher.update), layout, needed)
    frame = _scan(text.path, layout)
    rows = _with_layout_problems(frame.select(cs.by_name(Added.ROW, *names)), records, len(layout.columns))
    return Table(
        frame=_with_swallowed_rows(rows, names, layout.separator),
        columns=names,
        digest=text.digest or hasher.hexdigest(),
        last_row=records.last_row,
        notes=(*layout.notes, *about_unnamed(_filled_unnamed(frame, layout))),
        dialect=_dialect_of(layout, text, is_tsv=separator is not None),
    )


def _dialect_of(layout: Layout, text: PlainText, *, is_tsv: bool) -> CsvDialect:
    """Return the dialect of the result files. They are named .csv, so they have no tabs, even for a .tsv input."""
    dialect = replace(layout.dialect, mark=layout.dialect.mark or text.converted)
    return replace(dialect, separator=",", names_separator=False) if is_tsv else dialect


def _filled_unnamed(frame: pl.LazyFrame, layout: Layout) -> list[int]:
    """Return the places of columns without a name that are not empty."""
    places = [place for place, name in enumerate(layout.columns) if not name]
    if not places:
        return []
    filled = (pl.col(f"{_UNNAMED}{place}").str.strip_chars().fill_null("").ne("").any() for place in places)
    (found,) = frame.select(*filled).collect(engine="streaming").rows()
    return [place for place, holds in zip(places, found, strict=True) if holds]


def _scan(path: Path, layout: Layout) -> pl.LazyFrame:
    columns = [name or f"{_UNNAMED}{place}" for place, name in enumerate(layout.columns)]
    frame = pl.scan_csv(
        path,
        schema=dict.fromkeys(columns, pl.String),
        has_header=False,  # polars would match the header by name, and reads quoted names in its own way
        skip_lines=layout.header_lines,
        separator=layout.separator,
        eol_char=layout.line_end,
        infer_schema=False,
        glob=False,
        raise_if_empty=False,
        missing_columns="insert",  # rows with too few or too many fields have been noted
        extra_columns="ignore",
        row_index_name=Added.ROW,
        row_index_offset=layout.header_row + 1,
    )
    return frame.with_columns(pl.col(Added.ROW).cast(pl.Int64))


def _with_layout_problems(frame: pl.LazyFrame, records: Records, expected: int) -> pl.LazyFrame:
    if not records.ragged_rows:
        return frame.with_columns(pl.lit(None, pl.String).alias(LAYOUT_PROBLEM))
    problems = [f"row has {counted(fields, 'field')}, the header has {expected}" for fields in records.ragged_fields]
    rows = pl.Series(records.ragged_rows, dtype=pl.Int64)
    ragged = pl.LazyFrame({Added.ROW: rows, LAYOUT_PROBLEM: pl.Series(problems, dtype=pl.String)})
    return frame.join(ragged, on=Added.ROW, how="left", maintain_order="left")


def _with_swallowed_rows(frame: pl.LazyFrame, names: Sequence[str], separator: str) -> pl.LazyFrame:
    """Add a problem to rows with a cell that contains further rows, because a quote was not closed."""
    further_row = rf'[\r\n](?:[^\r\n]*{re.escape(separator)})?[" ]*{_ID}[" ]*(?:{re.escape(separator)}|[\r\n]|$)'
    holds_rows = pl.any_horizontal(pl.col(name).str.contains(further_row) for name in names).fill_null(value=False)
    told = pl.concat_str(
        LAYOUT_PROBLEM, pl.when(holds_rows).then(pl.lit(_SWALLOWED)), separator="; ", ignore_nulls=True
    )
    return frame.with_columns(pl.when(told != "").then(told).alias(LAYOUT_PROBLEM))
