"""Names of the snapshot's columns that more than one edge has to know."""

from __future__ import annotations

from typing import Final

#: Every column that is not the input's own begins with it, and no column of an input may.
PREFIX: Final = "__bc_"
#: The number of the row, as a spreadsheet shows it.
ROW: Final = "__bc_row"


SNAPSHOT = "input.parquet"
