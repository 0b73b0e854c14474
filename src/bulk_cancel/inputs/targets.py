"""Finds rows that name the same target or contradict each other, in bounded memory.

Valid rows are read twice: hashes of the appointment ids show which ids may occur more than once, a few million ids
at a time; then only the rows with such ids are fetched, again a limited number at a time, and compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bulk_cancel.core.columns import ACCOUNT, CANCEL_ALL, USER_ID
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.columns import Added

HASHES_AT_A_TIME = 2_000_000
ROWS_AT_A_TIME = 400_000
MAX_ROWS_PER_APPOINTMENT = 1_000_000

_APPOINTMENT = [Added.APPOINTMENT_ID]
_TARGET = [Added.APPOINTMENT_ID, Added.ATTENDEE_ID, Added.ENTIRE_SERIES]
_WHOLE, _ATTENDEE, _SERIES = _SCOPES = ("whole", "attendee", "series")
_SCOPE, _DIFFERS = "scope", "differs"
_OTHER_ROW, _OTHER_CANCEL_ALL, _OTHER_USER = "other_row", "other_cancel_all", "other_user"
_OTHER_SCOPE, _OTHER_USE = "other_scope", "other_use"
_HASH = pl.col(Added.APPOINTMENT_ID).hash()
_ROW = pl.col(Added.ROW)
_USER, _ACCOUNT = (pl.col(column).fill_null("") for column in (Added.USER_ID, Added.ACCOUNT))


def find_changes(snapshot: Path, valid_count: int) -> Iterator[pl.DataFrame]:
    """Yield row, first_row and problems of the rows that repeat or contradict another.

    `first_row` is null in contradictory rows, `problems` is null in all others.
    """
    for hashes in _hash_groups(snapshot, valid_count):
        rows = _rows_with(snapshot, hashes)
        if (changes := compare_rows(rows)).height:
            yield changes


def compare_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the changes for valid rows; of each appointment among them all rows have to be given."""
    marked = rows.sort(Added.ROW).with_columns(_scope(), _ROW.min().over(_TARGET).alias(Added.FIRST_ROW))
    contradictory = _contradictory_rows(marked)
    repeated = marked.join(contradictory, on=Added.ROW, how="anti").filter(pl.col(Added.FIRST_ROW) != _ROW)
    changes = repeated.select(Added.ROW, Added.FIRST_ROW, pl.lit(None, pl.String).alias(Added.PROBLEMS))
    if contradictory.is_empty():
        return changes
    return pl.concat([changes, _contradictions(contradictory)]).sort(Added.ROW)


def _scope() -> pl.Expr:
    scope = pl.when(Added.ENTIRE_SERIES).then(pl.lit(_SERIES)).when(pl.col(Added.ATTENDEE_ID).is_not_null())
    return scope.then(pl.lit(_ATTENDEE)).otherwise(pl.lit(_WHOLE)).alias(_SCOPE)


def _contradictory_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that another one contradicts.

    Appointments whose rows are all alike (nearly all) are excluded first: window functions are slow.
    """
    scope, uses = pl.col(_SCOPE), (pl.col(Added.CANCEL_ALL), _USER, _ACCOUNT)
    unlike = pl.any_horizontal(value.min() != value.max() for value in (scope, *uses))
    suspects = rows.group_by(_APPOINTMENT).agg(unlike.alias("unlike")).filter("unlike")
    return rows.join(suspects, on=Added.APPOINTMENT_ID, how="semi", maintain_order="left").filter(
        (scope.min().over(_APPOINTMENT) != scope.max().over(_APPOINTMENT))
        | pl.any_horizontal(value.min().over(_TARGET) != value.max().over(_TARGET) for value in uses)
    )


def _contradictions(rows: pl.DataFrame) -> pl.DataFrame:
    judged = _with_scope_problem(_with_use_problem(rows))
    problems = pl.concat_str(_OTHER_SCOPE, _OTHER_USE, separator="; ", ignore_nulls=True)
    return judged.select(Added.ROW, pl.lit(None, pl.Int64).alias(Added.FIRST_ROW), problems.alias(Added.PROBLEMS))


def _hash_groups(snapshot: Path, valid_count: int) -> Iterator[pl.Series]:
    """Yield hashes that occur more than once, in groups with about ROWS_AT_A_TIME rows each."""
    parts = valid_count // HASHES_AT_A_TIME + 1
    ids = pl.scan_parquet(snapshot, glob=False).filter(pl.col(Added.APPOINTMENT_ID).is_not_null())
    for part in range(parts):
        hashes = ids.select(_HASH.alias("hash")).filter(pl.col("hash") % parts == part).collect(engine="streaming")
        yield from _split(_repeated(hashes.to_series()))


def _repeated(hashes: pl.Series) -> pl.DataFrame:
    in_order = hashes.sort()
    again = in_order.filter(in_order == in_order.shift(1))
    return again.value_counts().select("hash", rows=pl.col("count") + 1)


def _split(repeated: pl.DataFrame) -> Iterator[pl.Series]:
    groups = repeated.with_columns(group=(pl.col("rows").cum_sum() - pl.col("rows")) // ROWS_AT_A_TIME)
    for group in groups.partition_by("group"):
        if group["rows"].max() > MAX_ROWS_PER_APPOINTMENT:  # type: ignore[operator]
            raise InputError(
                f"more than {MAX_ROWS_PER_APPOINTMENT:,} rows name one appointment",
                advice="Is another column meant? See --map.",
            )
        yield group["hash"]


def _rows_with(snapshot: Path, hashes: pl.Series) -> pl.DataFrame:
    columns = (Added.ROW, *_TARGET, Added.CANCEL_ALL, Added.USER_ID, Added.ACCOUNT)
    rows = pl.scan_parquet(snapshot, glob=False).select(columns)
    wanted = pl.col(Added.APPOINTMENT_ID).is_not_null() & _HASH.is_in(hashes.implode())
    return rows.filter(wanted).collect(engine="streaming")


def _with_scope_problem(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the problem of rows with different scopes (whole, one attendee, series) for one appointment."""
    firsts = rows.with_columns(
        _ROW.filter(pl.col(_SCOPE) == name).min().over(_APPOINTMENT).alias(name) for name in _SCOPES
    )
    others = firsts.with_columns(pl.when(pl.col(_SCOPE) != name).then(name).alias(name) for name in _SCOPES)
    other_row = pl.min_horizontal(_SCOPES)
    other_name = pl.coalesce(pl.when(pl.col(name) == other_row).then(pl.lit(name)) for name in _SCOPES)
    sentence = pl.format(
        "row {} names the same appointment with another scope ({}); nothing is sent for either until one is removed",
        other_row,
        other_name,
    )
    return others.with_columns(sentence.alias(_OTHER_SCOPE))


def _with_use_problem(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the problem of rows with a different cancel_all, acting user or account for one target."""
    use = pl.struct(Added.CANCEL_ALL, _USER, _ACCOUNT)
    marked = rows.with_columns((use.first().over(_TARGET) != use).alias(_DIFFERS))
    differing = pl.col(_DIFFERS)
    # The row to name: the target's first for those that differ from it, and for the others the first that differs.
    # In a step of its own: polars 2.1 can panic when it formats text beside window functions.
    others = (_ROW.alias(_OTHER_ROW), pl.col(Added.CANCEL_ALL).alias(_OTHER_CANCEL_ALL), _USER.alias(_OTHER_USER))
    compared = marked.with_columns(
        pl.when(differing).then(value.first().over(_TARGET)).otherwise(value.filter(differing).first().over(_TARGET))
        for value in others
    )
    sentence = pl.format(
        "row {} names the same target with another {}; nothing is sent for either until one is removed",
        pl.col(_OTHER_ROW),
        pl.when(pl.col(Added.CANCEL_ALL) != pl.col(_OTHER_CANCEL_ALL))
        .then(pl.lit(CANCEL_ALL))
        .when(pl.col(_OTHER_USER) != _USER)
        .then(pl.lit(USER_ID))
        .otherwise(pl.lit(ACCOUNT)),
    )
    return compared.with_columns(sentence.alias(_OTHER_USE))
