"""Names of the snapshot's columns, for the rooms that read and write it."""

from __future__ import annotations

from typing import Final

#: Prefix of every column that is added to the input's own; no column of an input may begin with it.
PREFIX: Final = "__bc_"
#: The number of the row, as a spreadsheet shows it.
ROW: Final = "__bc_row"
#: The file of the snapshot in the folder of a run.
SNAPSHOT: Final = "input.parquet"

#: How many rows of a table are held at once, and how many cells of a wide one.
_ROWS: Final = 50_000
_CELLS: Final = 2_000_000


def rows_at_a_time(columns: int) -> int:
    """Return how many rows of a table with `columns` columns are held at once; fewer for wide tables."""
    return max(100, min(_ROWS, _CELLS // max(columns, 1)))
