"""What every reader of a format hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

LAYOUT_PROBLEM: Final = "__bc_layout_problem"


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
    nested: Mapping[str, int] = field(default_factory=dict)  #: column -> first line with a list or an object in it
