"""The setting `map`: from which column of the input each field is read."""

from __future__ import annotations

from typing import Any

from bulk_cancel.core.columns import MAPPABLE

_ALL_FIELDS = f" The fields are {', '.join(MAPPABLE)}."


def parse_mapping(value: Any) -> Any:
    """Accept a table (job file), `FIELD=COLUMN` pairs (flags) or those with commas between them (environment)."""
    if isinstance(value, str):
        value = [pair for pair in value.split(",") if pair.strip()]
    if isinstance(value, list | tuple):
        pairs = [str(pair).partition("=") for pair in value]
        if not all(field.strip() and column.strip() for field, _, column in pairs):
            raise ValueError("write FIELD=COLUMN")
        value = {field.strip(): column.strip() for field, _, column in pairs}
    return {_field(field, column): column for field, column in value.items()} if isinstance(value, dict) else value


def _field(name: str, column: Any) -> str:
    """Return a field's usual spelling. Raises ValueError for an unknown one, and a pair that is the wrong way round."""
    field = _spelled(name)
    if field not in MAPPABLE and _spelled(str(column)) in MAPPABLE:
        raise ValueError(f"{name}={column} is the wrong way round: write {_spelled(str(column))}={name}")
    if field not in MAPPABLE:
        from difflib import get_close_matches  # slow to import, and needed only for mistakes

        near = "".join(f" Did you mean {like}?" for like in get_close_matches(field, MAPPABLE, 1))
        raise ValueError(f"there is no field {name}.{near or _ALL_FIELDS}")
    return field


def _spelled(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
