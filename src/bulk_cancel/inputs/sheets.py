"""The types that the readers of .xlsx and .ods share: sheets and their rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple

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


class _Merge(NamedTuple):
    """A merged cell, by its rows counted from 1 and its columns counted from 0."""

    row: int
    column: int
    last_row: int
    last_column: int


class Merges:
    """Merged cells: the value of the first cell counts for all rows that they cover, in the first column.

    Values that a file stores in the other covered cells are invisible, and are not read.
    """

    def __init__(self) -> None:
        self._coming: list[_Merge] = []  # a heap
        self._passed: dict[int, tuple[_Merge, str]] = {}  # first column -> the merge that covers this row, its value
        self._count = 0

    def add(self, row: int, column: int, last_row: int, last_column: int) -> None:
        """Note a merged cell."""
        heappush(self._coming, _Merge(row, column, last_row, last_column))
        self._count += 1
        if self._count > MAX_MERGES:
            raise InputError(f"the sheet has more than {MAX_MERGES:,} merged cells", advice="Save the sheet as CSV.")

    def fill(self, row: int, cells: dict[int, str]) -> bool:
        """Fill in the values of merged cells; return whether the row has cells of its own. Rows come in order."""
        self._passed = {column: one for column, one in self._passed.items() if row <= one[0].last_row}
        while self._coming and self._coming[0].row <= row:
            merge = heappop(self._coming)
            if row <= merge.last_row:
                self._passed[merge.column] = (merge, cells.get(merge.column, "") if merge.row == row else "")
        if not self._passed:
            return bool(cells)
        firsts = sorted(self._passed)
        for column in [column for column in cells if self._is_covered(row, column, firsts)]:
            del cells[column]
        is_own = bool(cells)
        cells.update({column: value for column, (_, value) in self._passed.items() if value})
        return is_own

    def _is_covered(self, row: int, column: int, firsts: Sequence[int]) -> bool:
        """Return whether a merged cell covers this one."""
        if not (place := bisect(firsts, column)):
            return False
        merge, _ = self._passed[firsts[place - 1]]
        return column <= merge.last_column and (row, column) != (merge.row, merge.column)
