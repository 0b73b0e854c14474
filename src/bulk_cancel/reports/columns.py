"""The names of the columns that are added to those of the input.

In the results the input's columns come first and keep their names. An added column gets another name if its own is
taken: `status` becomes `bulk_cancel_status`, and `bulk_cancel_status_2` when that is taken, too.

In a correction file the added columns have fixed names that begin with `bulk_cancel_`. A correction file is meant to
become an input, and the correction file of that run is made from it: there, columns with these names are replaced, or
they would pile up. The results of that run still have them, like every column of an input.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Final

from bulk_cancel.core.columns import PREFIX

RESULT_COLUMNS: Final = ("row", "status", "detail", "http_status", "attempts", "settled_at", "mailed_reason")
CORRECTION_COLUMNS: Final = ("row", "status", "detail")

_OURS = "bulk_cancel_"


def internal(name: str) -> str:
    """Return the internal name of an added column, which no column of an input has."""
    return f"{PREFIX}{name}"


def result_columns(originals: Sequence[str]) -> dict[str, str]:
    """Return internal or original name -> name in the results, in their order."""
    names = {name: name for name in originals}
    return names | {internal(column): _free(column, originals) for column in RESULT_COLUMNS}


def correction_columns(originals: Sequence[str]) -> dict[str, str]:
    """Return internal or original name -> name in a correction file, in their order."""
    ours = {internal(column): f"{_OURS}{column}" for column in CORRECTION_COLUMNS}
    return {name: name for name in originals if name not in ours.values()} | ours


def _free(column: str, taken: Sequence[str]) -> str:
    if column not in taken:
        return column
    if (name := f"{_OURS}{column}") not in taken:
        return name
    return next(numbered for no in count(2) if (numbered := f"{name}_{no}") not in taken)
