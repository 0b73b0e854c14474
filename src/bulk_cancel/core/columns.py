"""Names of the snapshot's columns that more than one edge has to know."""

from __future__ import annotations

from typing import Final

#: Every column that is not the input's own begins with it, and no column of an input may.
PREFIX: Final = "__bc_"
#: The number of the row, as a spreadsheet shows it.
ROW: Final = "__bc_row"
#: The file of the snapshot in the folder of a run.
SNAPSHOT: Final = "input.parquet"

#: How many rows of a table are held at once, and how many cells of a wide one.
_ROWS: Final = 50_000
_CELLS: Final = 2_000_000


def rows_at_a_time(columns: int) -> int:
    """Return how many rows with so many columns are held at once: memory stays flat for wide tables, too."""
    return max(100, min(_ROWS, _CELLS // max(columns, 1)))
