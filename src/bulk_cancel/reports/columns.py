"""The names of the columns that are added to those of the input.

In the results the input's columns come first and keep their names. An added column gets another name if its own is
taken: `status` becomes `bulk_cancel_status`, and `bulk_cancel_status_2` when that is taken, too.

In a correction file the added columns have fixed names that begin with `bulk_cancel_`. A correction file is meant to
become an input, and the correction file of that run is made from it: there, columns with these names are replaced, or
they would pile up. The results of that run still have them, like every column of an input.

A correction file says by itself what was asked: the columns of the fields have the fields' own names there, and those
that the input lacks are added. Another column of the input that has such a name is called `NAME (input)`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from typing import Final

from bulk_cancel.core.columns import ACCOUNT, CORRECTION_HEADERS, FIELDS, PREFIX, same_header
from bulk_cancel.core.read_as import ReadAs

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


def correction_columns(originals: Sequence[str], read_as: ReadAs) -> dict[str, str]:
    """Return internal or original name -> name in a correction file, in their order."""
    ours = dict(zip(map(internal, CORRECTION_COLUMNS), CORRECTION_HEADERS, strict=True))
    others = [name for name in originals if name not in CORRECTION_HEADERS]
    field_of = {column: field for field, column in read_as.columns.items()}
    taken = {*others, *FIELDS}
    names: dict[str, str] = {}
    for name in others:
        if name in field_of:
            names[asked(field_of[name])] = field_of[name]
        else:
            names[name] = _renamed(name, taken) if same_header(name) in _FIELD_HEADERS else name
            taken.add(names[name])
    fields = (field for field in FIELDS if field != ACCOUNT or read_as.accounts)
    return names | {asked(field): field for field in fields} | ours


def asked(field: str) -> str:
    """Return the internal name of a correction file's column of a field: what was asked, or the input has to ask."""
    return internal(f"asked_{field}")


_FIELD_HEADERS = {same_header(field) for field in FIELDS}


def _renamed(name: str, taken: Collection[str]) -> str:
    name = f"{name} (input)"
    while name in taken:
        name = f"{name} (input)"
    return name


def _free(column: str, taken: Sequence[str]) -> str:
    if column not in taken:
        return column
    if (name := f"{_OURS}{column}") not in taken:
        return name
    return next(numbered for no in count(2) if (numbered := f"{name}_{no}") not in taken)
