"""What the columns are called that we add, whatever the input's own columns are called.

In the results the input's columns come first and stay as they are, so ours give way: `status` becomes
`bulk_cancel_status` when the input has a `status` of its own, and `bulk_cancel_status_2` when it has both.

In a correction file ours have fixed names that begin with `bulk_cancel_`. A correction file is made to become an
input, and then the correction file of that run is made from it: columns with these names are ours of last time and are
replaced there, or they would pile up. The results of that run still carry them, as they carry every column of an input.
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
    """Return what one of our columns is called as long as it stands beside the input's: nothing there is named so."""
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
