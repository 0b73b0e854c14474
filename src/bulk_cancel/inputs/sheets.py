"""The types that the readers of .xlsx and .ods share: sheets and their rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bulk_cancel.errors import InputError

MAX_ROW: Final = 1_048_576
MAX_COLUMN: Final = 16_383
MAX_MERGES: Final = 200_000


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row with cells of its own."""

    number: int
    hidden: bool  #: by hand, or by a filter
    cells: dict[int, str]  #: column, counted from 0 -> text


@dataclass(slots=True)
class Sheet(ABC):
    """A sheet of a workbook."""

    name: str
    visible: bool
    hidden_columns: list[range] = field(default_factory=list)  #: complete when the rows are read

    @abstractmethod
    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows from the first one on. Raises InputError for a damaged sheet."""

    def hides(self, column: int) -> bool:
        """Tell whether a column is hidden."""
        return any(column in columns for columns in self.hidden_columns)


class Merges:
    """Merged cells: the value in the first row counts for all rows that they cover."""

    def __init__(self) -> None:
        self._last_row: dict[tuple[int, int], int] = {}  # first row and column -> last row
        self._count = 0
        self._open: dict[int, tuple[int, str]] = {}  # column -> last row and value of the merged cell there

    def add(self, row: int, column: int, last_row: int) -> None:
        """Note a merged cell."""
        if last_row > row:
            self._last_row[row, column] = last_row
        self._count += 1
        if self._count > MAX_MERGES:
            raise InputError(f"the sheet has more than {MAX_MERGES:,} merged cells", advice="Save the sheet as CSV.")

    def fill(self, row: int, cells: dict[int, str]) -> None:
        """Fill in the values of merged cells that begin above the row. Rows have to come in order."""
        if not self._last_row:
            return
        for column, (last_row, value) in list(self._open.items()):
            if row > last_row:
                del self._open[column]
            elif (row, column) not in self._last_row:
                cells[column] = value
        for column, value in cells.items():
            if last := self._last_row.get((row, column)):
                self._open[column] = (last, value)
