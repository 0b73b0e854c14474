"""Which column holds which field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import APPOINTMENT_ID, FIELDS, MAPPABLE, PREFIX

_SHORT_NAMES = {"id": APPOINTMENT_ID}


def resolve_columns(
    columns: Sequence[str], mapping: Mapping[str, str], *, with_accounts: bool = False
) -> dict[str, str]:
    """Return field -> column. The mapping beats the headers, a full name beats a short one; a tie is refused."""
    refuse_unusable_headers(columns)
    found = _mapped(columns, mapping)
    free = [column for column in columns if column not in found.values()]
    for field in MAPPABLE if with_accounts else FIELDS:
        if field not in found and (column := _column_for(field, free)) is not None:
            found[field] = column
    if APPOINTMENT_ID not in found:
        raise InputError(
            f"no column holds the appointment ids; the columns are {_listed(columns)}",
            advice="Name the column appointment_id, or say --map appointment_id=COLUMN.",
        )
    return found


def has_id_column(columns: Sequence[str], mapping: Mapping[str, str]) -> bool:
    """Tell whether some column could hold the appointment ids."""
    wanted = {same_header(APPOINTMENT_ID), *_SHORT_NAMES}
    return mapping.get(APPOINTMENT_ID) in columns or any(same_header(column) in wanted for column in columns)


def refuse_unusable_headers(columns: Sequence[str]) -> None:
    """Refuse headers that occur twice, are missing twice, or are reserved."""
    for column, count in Counter(columns).items():
        if count > 1:
            places = " and ".join(str(no) for no, name in enumerate(columns, 1) if name == column)
            what = f'have the same header "{column}"' if column else "have no header"
            raise InputError(f"columns {places} {what}", advice="Give each column a name of its own, or remove it.")
    for column in columns:
        if column.startswith(PREFIX):
            raise InputError(f'the header "{column}" is reserved', advice=f"No header may begin with {PREFIX}.")


def same_header(header: str) -> str:
    """Return the form in which two headers that differ only in case, spaces, hyphens or underscores are equal."""
    return "".join(header.casefold().split()).replace("-", "").replace("_", "")


def _mapped(columns: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    for field, column in mapping.items():
        if field not in MAPPABLE:
            raise InputError(f'"{field}" cannot be mapped; the fields are {", ".join(MAPPABLE)}')
        if column not in columns:
            raise InputError(f'there is no column "{column}" for {field}; the columns are {_listed(columns)}')
    for column, count in Counter(mapping.values()).items():
        if count > 1:
            raise InputError(f'column "{column}" is mapped to {count} fields')
    return dict(mapping)


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


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(f'"{column}"' for column in columns[:30])
    return shown if len(columns) <= 30 else f"{shown} and {len(columns) - 30} more"
