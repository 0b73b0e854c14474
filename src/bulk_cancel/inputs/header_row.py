"""Finds the header of a table: the first row, among the first 20, that has a column of appointment ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.headers import has_id_column

#: Number of rows among which the header is sought: above it there may be a title, a date or a blank line.
FIRST_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """The row with the names of the columns."""

    number: int
    columns: dict[int, str]  #: place, counted from 0 -> name; without columns that have no name
    titles: int  #: number of rows above it that are not empty

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(self.columns.values())


def header_row(rows: Sequence[tuple[int, Mapping[int, str]]], mapping: Mapping[str, str]) -> HeaderRow:
    """Return the first row with a column of appointment ids; `rows` are (number, cells).

    Without such a row, return the first one with at least two names, since a title does not name columns.
    """
    headers = [HeaderRow(number, named(cells), titles) for titles, (number, cells) in enumerate(rows)]
    if not headers:
        raise InputError("the file is empty")
    with_ids = (header for header in headers if has_id_column(header.names, mapping))
    with_names = (header for header in headers if len(header.columns) > 1)
    return next(with_ids, None) or next(with_names, headers[0])


def named(cells: Mapping[int, str]) -> dict[int, str]:
    """Return the columns that have a name."""
    return {place: cells[place] for place in sorted(cells) if cells[place].strip()}


def about_header(number: int, titles: int) -> Iterator[str]:
    """Yield a sentence on the header, if it is not the first row that is not empty."""
    if titles:
        above = "the row above it is" if titles == 1 else f"the {titles} rows above it are"
        yield f"Row {number} has the names of the columns; {above} not read."


def about_unnamed(places: Iterable[int]) -> Iterator[str]:
    """Yield a sentence on columns that are left out since they have no name."""
    listed = [f"{place + 1} ({_letters(place)})" for place in sorted(places)]
    if listed:
        shown = ", ".join(listed[:5]) + (" and more" if len(listed) > 5 else "")
        what = "Column {} has no name and is" if len(listed) == 1 else "Columns {} have no name and are"
        yield f"{what.format(shown)} left out."


def _letters(place: int) -> str:
    letters = ""
    number = place + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(65 + letter) + letters
    return letters
