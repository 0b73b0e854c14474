"""What every reader of a format hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from bulk_cancel.core.csv_dialect import CsvDialect
from bulk_cancel.errors import InputError

LAYOUT_PROBLEM: Final = "__bc_layout_problem"
MAX_COLUMNS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of an input, not yet read.

    `frame` holds the original columns, the row number in BC_ROW and, for rows that are themselves malformed, a
    sentence in LAYOUT_PROBLEM.
    """

    frame: pl.LazyFrame
    columns: tuple[str, ...]
    digest: str
    last_row: int | None = None  #: number of the last row of the input, blank ones included, where it is known
    nested: Mapping[str, str] = field(default_factory=dict)  #: column -> where the first list or object is in it
    notes: tuple[str, ...] = ()  #: what a person should know of how it was read, a sentence each
    dialect: CsvDialect = field(default_factory=CsvDialect)  #: how a CSV file that goes back is written


def refuse_many_columns(count: int) -> None:
    """Refuse more columns than a table for people has."""
    if count > MAX_COLUMNS:
        raise InputError(
            f"the input has {count:,} columns, at most {MAX_COLUMNS:,} are read", advice="Leave out what is not needed."
        )
