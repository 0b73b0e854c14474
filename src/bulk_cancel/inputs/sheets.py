"""What the readers of .xlsx and .ods hand on: sheets, and rows as a person sees them."""

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
    """A row that holds something of its own."""

    number: int
    hidden: bool  #: by hand, or by a filter
    cells: dict[int, str]  #: column, counted from 0 -> what stands there


@dataclass(slots=True)
class Sheet(ABC):
    """A sheet of a workbook."""

    name: str
    visible: bool
    hidden_columns: list[range] = field(default_factory=list)  #: complete when the rows are read

    @abstractmethod
    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows from the first one on. Raises InputError for what no sheet can hold."""

    def hides(self, column: int) -> bool:
        """Tell whether a column is hidden."""
        return any(column in columns for columns in self.hidden_columns)


class Merges:
    """Merged cells: the value of the first row holds for all rows that are covered."""

    def __init__(self) -> None:
        self._last_row: dict[tuple[int, int], int] = {}  # first row and column -> last row
        self._count = 0
        self._holding: dict[int, tuple[int, str]] = {}  # column -> last row and value of the merge that is passed

    def add(self, row: int, column: int, last_row: int) -> None:
        """Note a merged cell."""
        if last_row > row:
            self._last_row[row, column] = last_row
        self._count += 1
        if self._count > MAX_MERGES:
            raise InputError("the sheet has more merged cells than can be followed", advice="Save the sheet as CSV.")

    def fill(self, row: int, cells: dict[int, str]) -> None:
        """Give a row what merged cells above it say. Rows have to come in order."""
        if not self._last_row:
            return
        for column, (last_row, value) in list(self._holding.items()):
            if row > last_row:
                del self._holding[column]
            elif (row, column) not in self._last_row:
                cells[column] = value
        for column, value in cells.items():
            if last := self._last_row.get((row, column)):
                self._holding[column] = (last, value)
