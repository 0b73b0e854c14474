"""Names of the snapshot's columns, for the rooms that read and write it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

#: Prefix of every column that is added to the input's own; no column of an input may begin with it.
PREFIX: Final = "__bc_"
#: The number of the row, as a spreadsheet shows it.
ROW: Final = "__bc_row"
#: The file of the snapshot in the private folder of a run that has not begun.
SNAPSHOT: Final = "input.parquet"

APPOINTMENT_ID: Final = "appointment_id"
REASON: Final = "reason"
ATTENDEE_ID: Final = "attendee_id"
CANCEL_ALL: Final = "cancel_all"
ENTIRE_SERIES: Final = "cancel_entire_series"
USER_ID: Final = "user_id"
ACCOUNT: Final = "account"
#: The fields of a row, by the names that their columns have in an input. (The account, only where there are accounts.)
FIELDS: Final = (APPOINTMENT_ID, ATTENDEE_ID, CANCEL_ALL, ENTIRE_SERIES, REASON, USER_ID, ACCOUNT)
#: The same, in the order in which they are looked for in an input, and told.
MAPPABLE: Final = (APPOINTMENT_ID, REASON, ATTENDEE_ID, CANCEL_ALL, ENTIRE_SERIES, USER_ID, ACCOUNT)

#: The column of a correction file that has a row's status, and all that are added to the input's there.
STATUS_HEADER: Final = "bulk_cancel_status"
CORRECTION_HEADERS: Final = ("bulk_cancel_row", STATUS_HEADER, "bulk_cancel_detail")

_NO_LETTERS: Final = re.compile(r"[\s\-_\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u2010-\u2015\"'“”„]+")
#: How many rows of a table are held at once, and how many cells of a wide one.
_ROWS: Final = 50_000
_CELLS: Final = 2_000_000


def rows_at_a_time(columns: int) -> int:
    """Return how many rows of a table with `columns` columns are held at once; fewer for wide tables."""
    return max(100, min(_ROWS, _CELLS // max(columns, 1)))


def same_header(header: str) -> str:
    """Return the form in which headers are equal that differ only in case, spaces, hyphens, or in what is not seen."""
    return _NO_LETTERS.sub("", header.casefold())


def columns_like(name: str, columns: Iterable[str]) -> list[str]:
    """Return the column of this very name, else those that are the same but for case, hyphens and blanks."""
    columns = list(columns)
    return [name] if name in columns else [column for column in columns if same_header(column) == same_header(name)]
