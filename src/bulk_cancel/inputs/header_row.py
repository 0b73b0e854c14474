"""Which row of a table holds the names of the columns: the first of the first rows that names the appointment ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.headers import has_id_column

#: A title, a date, a blank line: what stands above the names. Among so many rows they are looked for.
FIRST_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """The row with the names of the columns."""

    number: int
    columns: dict[int, str]  #: place, counted from 0 -> name; columns without a name are not there
    titles: int  #: rows above it that hold something

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(self.columns.values())


def header_row(rows: Sequence[tuple[int, Mapping[int, str]]], mapping: Mapping[str, str]) -> HeaderRow:
    """Return the first row that names the appointment ids. Each is (number, cells).

    Where none does, return the first row of two names or more: a title above them tells nobody what the columns are.
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
    """Say which row was taken for the header, where it is not the first that holds something."""
    if titles:
        above = "the row above it is" if titles == 1 else f"the {titles} rows above it are"
        yield f"Row {number} holds the names of the columns; {above} not read."


def about_unnamed(places: Iterable[int]) -> Iterator[str]:
    """Say which columns are left out since they have no name."""
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
