"""Typed columns (Parquet) as text: which types fit which field, and how other columns are converted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from bulk_cancel.core.columns import APPOINTMENT_ID, ATTENDEE_ID, CANCEL_ALL, ENTIRE_SERIES, USER_ID
from bulk_cancel.core.text import shown
from bulk_cancel.errors import InputError

_TEXT = (pl.String, pl.Categorical, pl.Enum, pl.Null)
_FLAGS = (CANCEL_ALL, ENTIRE_SERIES)
_IDS = (APPOINTMENT_ID, ATTENDEE_ID, USER_ID)


def refuse_wrong_types(schema: pl.Schema, fields: Mapping[str, str]) -> None:
    """Refuse numbers, dates and the like where an id or a reason belongs.

    Flags may be booleans or numbers, texts may be bytes (of UTF-8), and ids 16 bytes.
    """
    wrong = [
        f'column "{shown(column)}" holds {schema[column]}, {"yes or no" if field in _FLAGS else "text"} is needed'
        for field, column in fields.items()
        if not _fits(field, schema[column])
    ]
    if wrong:
        raise InputError("; ".join(wrong), advice="Convert the column, or leave it out.")


def _fits(field: str, dtype: pl.DataType) -> bool:
    if isinstance(dtype, (*_TEXT, pl.Binary)):
        return True
    return field in _FLAGS and (isinstance(dtype, pl.Boolean) or dtype.is_numeric())


def text_columns(schema: pl.Schema, fields: Mapping[str, str]) -> Iterator[pl.Expr]:
    """Yield an expression for each column that turns it into text."""
    ids = {fields[field] for field in _IDS if field in fields}
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Binary):
            yield _bytes_as_text(pl.col(name), is_id=name in ids, is_field=name in fields.values())
        else:
            yield _as_text(pl.col(name), dtype).alias(name)


def _bytes_as_text(column: pl.Expr, *, is_id: bool, is_field: bool) -> pl.Expr:
    """Return bytes as text: those of a field are UTF-8, or the 16 bytes of a UUID; those of other columns base64."""
    if not is_field:
        return column.bin.encode("base64")

    def texts(values: pl.Series) -> pl.Series:
        return pl.Series([None if value is None else _text_of(value, is_id=is_id) for value in values], dtype=pl.String)

    return column.map_batches(texts, return_dtype=pl.String, is_elementwise=True)


def _text_of(value: bytes, *, is_id: bool) -> str:
    if is_id and len(value) == 16:
        return value.hex()
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"\0{value.hex()}"  # a control character: invalid in any field


def _as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Duration):
        return column.dt.to_string("iso")
    if dtype.is_nested():
        return _as_json(column)
    return column.cast(pl.String)


def _as_json(column: pl.Expr) -> pl.Expr:
    # Only structs can be encoded, so the value is wrapped as {"v":value} and unwrapped again.
    framed = pl.struct(column.alias("v")).struct.json_encode()
    value = framed.str.strip_prefix('{"v":').str.strip_suffix("}")
    return pl.when(column.is_not_null()).then(value)
