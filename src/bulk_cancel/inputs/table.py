"""The result of every reader of a format."""

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
    """The rows of an input, to be read lazily.

    `frame` has the original columns, the row number in Added.ROW and, for malformed rows, a clause in LAYOUT_PROBLEM.
    """

    frame: pl.LazyFrame
    columns: tuple[str, ...]
    digest: str
    last_row: int | None = None  #: number of the last row of the input, blank ones included; None: not known
    nested: Mapping[str, str] = field(default_factory=dict)  #: column -> place of its first list or object
    notes: tuple[str, ...] = ()  #: sentences on how it was read
    dialect: CsvDialect = field(default_factory=CsvDialect)  #: of the result files


def refuse_many_columns(count: int) -> None:
    """Raise InputError for more columns than are read."""
    if count > MAX_COLUMNS:
        raise InputError(
            f"the input has {count:,} columns, at most {MAX_COLUMNS:,} are read", advice="Leave out what is not needed."
        )
