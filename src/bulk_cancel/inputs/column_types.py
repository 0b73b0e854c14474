"""Typed columns (Parquet) as text: what may stand where, and how the rest is carried through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import CANCEL_ALL, ENTIRE_SERIES

_TEXT = (pl.String, pl.Categorical, pl.Enum, pl.Null)
_FLAGS = (CANCEL_ALL, ENTIRE_SERIES)


def refuse_wrong_types(schema: pl.Schema, fields: Mapping[str, str]) -> None:
    """Refuse numbers, dates and the like where an id or a reason belongs. Flags may be booleans or whole numbers."""
    wrong = [
        f'column "{column}" holds {schema[column]}, {"yes or no" if field in _FLAGS else "text"} is needed'
        for field, column in fields.items()
        if not _fits(field, schema[column])
    ]
    if wrong:
        raise InputError("; ".join(wrong), advice="Convert the column, or leave it out.")


def _fits(field: str, dtype: pl.DataType) -> bool:
    if isinstance(dtype, _TEXT):
        return True
    return field in _FLAGS and (isinstance(dtype, pl.Boolean) or dtype.is_integer())


def text_columns(schema: pl.Schema) -> Iterator[pl.Expr]:
    """Yield an expression for each column that turns it into text."""
    for name, dtype in schema.items():
        yield _as_text(name, dtype)


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Binary):
        return column.bin.encode("base64")
    if isinstance(dtype, pl.Duration):
        return column.dt.to_string("iso")
    if dtype.is_nested():
        return _as_json(column).alias(name)
    return column.cast(pl.String)


def _as_json(column: pl.Expr) -> pl.Expr:
    # Only structs can be encoded, so the value becomes {"v":value} and loses the frame again.
    framed = pl.struct(column.alias("v")).struct.json_encode()
    value = framed.str.strip_prefix('{"v":').str.strip_suffix("}")
    return pl.when(column.is_not_null()).then(value)
