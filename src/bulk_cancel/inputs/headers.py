"""Finds the column of each field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from bulk_cancel.core.columns import ACCOUNT, APPOINTMENT_ID, MAPPABLE, PREFIX, columns_like, same_header
from bulk_cancel.core.read_as import is_correction_file
from bulk_cancel.core.text import shown
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.rows import InputOptions
from bulk_cancel.inputs.table import refuse_many_columns

_SHORT_NAMES = {"id": APPOINTMENT_ID}
_LISTED = 30


def resolve_columns(
    columns: Sequence[str], mapping: Mapping[str, str], *, with_accounts: bool = False
) -> dict[str, str]:
    """Return field -> column. The mapping comes before headers, a full name before a short one. Raises InputError.

    A correction file has all fields under their own names, and no mapping applies to it.
    """
    refuse_unusable_headers(columns)
    if is_correction_file(columns):
        return {field: field for field in MAPPABLE if field in columns}
    found = _mapped(columns, mapping)
    free = [column for column in columns if column not in found.values()]
    for field in MAPPABLE:
        if field == ACCOUNT and not with_accounts:
            continue  # unless it is mapped, it is a field only where there are accounts
        if field not in found and (column := _column_for(field, free)) is not None:
            found[field] = column
    if APPOINTMENT_ID not in found:
        raise InputError(
            f"no column holds the appointment ids; the columns are {_listed(columns)}",
            advice="Name the column appointment_id, or say --map appointment_id=COLUMN.",
        )
    return found


def columns_read(columns: Sequence[str], options: InputOptions) -> set[str]:
    """Return the columns that are read: those of fields, and those for which the reason has blanks."""
    fields = resolve_columns(columns, options.mapping, with_accounts=options.accounts is not None)
    return {*fields.values(), *options.blanks}


def has_id_column(columns: Collection[str], mapping: Mapping[str, str]) -> bool:
    """Return whether a column could be that of the appointment ids."""
    if APPOINTMENT_ID in mapping and not is_correction_file(columns):
        return bool(columns_like(mapping[APPOINTMENT_ID], columns))
    wanted = {same_header(APPOINTMENT_ID), *_SHORT_NAMES}
    return any(same_header(column) in wanted for column in columns)


def refuse_unusable_headers(columns: Sequence[str]) -> None:
    """Raise InputError for headers that occur twice or are reserved, and for too many columns."""
    refuse_many_columns(len(columns))
    for column, count in Counter(columns).items():
        if count > 1:
            places = " and ".join(str(no) for no, name in enumerate(columns, 1) if name == column)
            raise InputError(
                f"columns {places} have the same header {_quoted(column)}",
                advice="Give each column a name of its own, or remove it.",
            )
    for column in columns:
        if column.startswith(PREFIX):
            raise InputError(f"the header {_quoted(column)} is reserved", advice=f"No header may begin with {PREFIX}.")


def _mapped(columns: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, name in mapping.items():
        if field not in MAPPABLE:
            raise InputError(f'"{shown(field)}" cannot be mapped; the fields are {", ".join(MAPPABLE)}')
        like = columns_like(name, columns)
        if not like:
            raise InputError(f"there is no column {_quoted(name)} for {field}; the columns are {_listed(columns)}")
        if len(like) > 1:
            raise InputError(f"columns {_listed(like)} could each be {_quoted(name)}", advice="Rename one of them.")
        found[field] = like[0]
    for column, count in Counter(found.values()).items():
        if count > 1:
            raise InputError(f"column {_quoted(column)} is mapped to {count} fields")
    return found


def _column_for(field: str, columns: Iterable[str]) -> str | None:
    full = [column for column in columns if same_header(column) == same_header(field)]
    short = [column for column in columns if _SHORT_NAMES.get(same_header(column)) == field]
    matches = full or short
    if len(matches) > 1:
        raise InputError(
            f"columns {_listed(matches)} could each be {field}",
            advice=f"Rename one of them, or say --map {field}=COLUMN.",
        )
    return matches[0] if matches else None


def _quoted(column: str) -> str:
    return f'"{shown(column)}"'


def _listed(columns: Sequence[str]) -> str:
    listed = ", ".join(_quoted(column) for column in columns[:_LISTED])
    return listed if len(columns) <= _LISTED else f"{listed} and {len(columns) - _LISTED} more"
