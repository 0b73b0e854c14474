"""Validates rows with polars expressions: one pass finds all problems of every row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
import polars.selectors as cs

from bulk_cancel.core.columns import (
    ACCOUNT,
    APPOINTMENT_ID,
    ATTENDEE_ID,
    CANCEL_ALL,
    ENTIRE_SERIES,
    PREFIX,
    REASON,
    STATUS_HEADER,
    USER_ID,
)
from bulk_cancel.core.model import Status
from bulk_cancel.core.read_as import is_correction_file
from bulk_cancel.core.reason import CONTROL, LONGEST_REASON
from bulk_cancel.core.text import FORMULA_TEXT, SHEET_ERROR, shown
from bulk_cancel.errors import InputError
from bulk_cancel.inputs.cell_text import NO_VALUE
from bulk_cancel.inputs.columns import ADDED_FOR, Added
from bulk_cancel.inputs.rows import AccountNames, InputOptions
from bulk_cancel.inputs.table import LAYOUT_PROBLEM
from bulk_cancel.inputs.yes_no import NO, YES

_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_BLANKS = " \t\u00a0\u2007\u202f\u3000"  # removed around ids and flags; a line break stays, as a sign of damage
_UNSEEN = r"\p{Cf}"  # zero-width characters, marks of direction, byte order marks
_ASTRAL = r"[\x{10000}-\x{10ffff}]"
_SHOWN = 40
_FILLED = f"{PREFIX}filled"
_HYPHEN = "[-\u2010-\u2015\u2212]?"
#: Other spellings of a UUID: in braces, in quotes, after urn:uuid:, with other hyphens or with none.
_ANY_UUID = (
    r"""(?i)^[\'"‘’‚“”„«»\s]*[{(]?(?:urn:uuid:)?"""
    + _HYPHEN.join(rf"([0-9a-f]{{{digits}}})" for digits in (8, 4, 4, 4, 12))
    + r"""[)}]?[\'"‘’“”«»\s]*$"""
)
_IDS = (APPOINTMENT_ID, ATTENDEE_ID, USER_ID)
_FLAGS = (CANCEL_ALL, ENTIRE_SERIES)


def validated(frame: pl.LazyFrame, fields: Mapping[str, str], options: InputOptions) -> pl.LazyFrame:
    """Drop blank rows and add the columns of the snapshot, with first_row still the row itself."""
    columns = [name for name in frame.collect_schema().names() if name not in (Added.ROW, LAYOUT_PROBLEM)]
    # In a column of its own: as a predicate of a scan it takes polars 2.1 time and memory quadratic in the columns.
    filled = pl.concat_str(cs.by_name(columns), ignore_nulls=True).str.contains(r"\S")
    found = (
        frame.with_columns(filled.alias(_FILLED))
        .filter(_FILLED)
        .with_columns(_given(field, fields.get(field)) for field in ADDED_FOR)
    )
    judged = found.with_columns(_asked(columns), _all_problems(options).alias(Added.PROBLEMS)).with_columns(
        pl.when(pl.col(Added.PROBLEMS) != "").then(Added.PROBLEMS).alias(Added.PROBLEMS)
    )
    return judged.with_columns(_usable(options)).select(*columns, *Added)


def _asked(columns: Sequence[str]) -> pl.Expr:
    """Return whether a row says all that was asked: in a correction file, unless it was never sent, or is new."""
    if not is_correction_file(columns):
        return pl.lit(value=False).alias(Added.ASKED)
    return (pl.col(STATUS_HEADER) != Status.INVALID.value).fill_null(value=False).alias(Added.ASKED)


def refuse_bad_default_reason(reason: str | None) -> None:
    """Raise InputError for a default reason that would make every row invalid."""
    if not reason:
        return
    row = pl.LazyFrame({Added.REASON: [reason]}, schema={Added.REASON: pl.String})
    problems = row.select(_given(REASON, Added.REASON)).select(pl.concat_list(_reason_problems()).list.drop_nulls())
    if found := problems.collect().item().to_list():
        raise InputError(f"the reason for rows without one cannot be used: {'; '.join(found)}")


def default_reason(options: InputOptions) -> str | None:
    """Return the reason for rows without one, normalised like a row's own; None without one."""
    return (options.reason or "").replace("\r\n", "\n").strip() or None


def _given(field: str, column: str | None) -> pl.Expr:
    """Return a field's value without the white space around it; null when it is empty."""
    if column is None:
        return pl.lit(None, pl.String).alias(ADDED_FOR[field])
    text = pl.col(column).str.replace(FORMULA_TEXT, "$1")
    if field == REASON:
        value = text.str.replace_all("\r\n", "\n", literal=True).str.strip_chars()
    else:
        value = text.str.replace_all(_UNSEEN, "").str.strip_chars(_BLANKS)
    if field in _IDS:
        value = value.str.replace(_ANY_UUID, "$1-$2-$3-$4-$5")
    return pl.when(value != "").then(value).alias(ADDED_FOR[field])


def _all_problems(options: InputOptions) -> pl.Expr:
    sentences = [
        pl.col(LAYOUT_PROBLEM),
        pl.when(pl.col(Added.APPOINTMENT_ID).is_null()).then(pl.lit("appointment_id is empty")),
        *(_sheet_problem(field) for field in ADDED_FOR),
        *(_id_problem(field) for field in _IDS),
        *_reason_problems(),
        *(_flag_problem(field) for field in _FLAGS),
        *_contradictions(),
        _account_problem(options.accounts or AccountNames()),
    ]
    return pl.concat_str(sentences, separator="; ", ignore_nulls=True)


def _sheet_problem(field: str) -> pl.Expr:
    """Return the problem of a field whose cell is an error of a sheet, in any format."""
    value = pl.col(ADDED_FOR[field])
    return (
        pl.when(value == NO_VALUE)
        .then(pl.lit(f"{field} is a formula without a stored value"))
        .when(value.str.contains(SHEET_ERROR))
        .then(pl.format(f"{field} is an error of the sheet: {{}}", value))
    )


def _is_sheet_error(value: pl.Expr) -> pl.Expr:
    return value.str.contains(SHEET_ERROR)


def _id_problem(field: str) -> pl.Expr:
    value = pl.col(ADDED_FOR[field])
    wrong = pl.when(~value.str.contains(_UUID) & ~_is_sheet_error(value)).then(value)
    return _sentence(f"{field} is not a UUID", wrong)


def _flag_problem(field: str) -> pl.Expr:
    value = pl.col(ADDED_FOR[field])
    wrong = pl.when(~_flag(value).is_in((*YES, *NO)) & ~_is_sheet_error(value)).then(value)
    return _sentence(f"{field} is not a yes/no value", wrong)


def _account_problem(accounts: AccountNames) -> pl.Expr:
    value = pl.col(Added.ACCOUNT)
    wrong = pl.when(~value.is_in(accounts.names)).then(value) if accounts.names else value
    return _sentence(f"{ACCOUNT} is not in the accounts file", wrong)


def _reason_problems() -> Iterator[pl.Expr]:
    reason = pl.col(Added.REASON)
    # A text has at least as many bytes as UTF-16 units, so only few reasons have to be counted.
    long = pl.when(reason.str.len_bytes() > LONGEST_REASON).then(reason)
    points = long.str.len_chars()
    units = points + long.str.count_matches(_ASTRAL)
    limit = f"at most {LONGEST_REASON} are allowed"
    yield (
        pl.when(points > LONGEST_REASON)
        .then(pl.format(f"reason has {{}} characters, {limit}", points))
        .when(units > LONGEST_REASON)
        .then(pl.format(f"reason has {{}} characters that count as {{}}, {limit}", points, units))
    )
    yield pl.when(reason.str.contains(CONTROL)).then(pl.lit("reason contains control characters"))


def _contradictions() -> Iterator[pl.Expr]:
    attendee = pl.col(Added.ATTENDEE_ID).is_not_null()
    whole, series = _says_yes(Added.CANCEL_ALL), _says_yes(Added.ENTIRE_SERIES)
    for one, other, names in (
        (attendee, whole, (ATTENDEE_ID, CANCEL_ALL)),
        (series, attendee, (ENTIRE_SERIES, ATTENDEE_ID)),
        (series, whole, (ENTIRE_SERIES, CANCEL_ALL)),
    ):
        yield pl.when(one & other).then(pl.lit(f"{names[0]} and {names[1]} contradict each other"))


def _says_yes(column: str) -> pl.Expr:
    return _flag(pl.col(column)).is_in(YES).fill_null(value=False)


def _flag(value: pl.Expr) -> pl.Expr:
    """Normalise a flag: lower case, and 1,0 or 1.00 as 1."""
    return value.str.to_lowercase().str.replace(r"^([01])[.,]0+$", "$1")


def _sentence(start: str, value: pl.Expr) -> pl.Expr:
    """Return the sentence with the value, shortened and harmless to print; null where the value is null."""
    harmless = value.map_batches(_shown, return_dtype=pl.String, is_elementwise=True)
    return pl.format(f'{start}: "{{}}"', harmless)


def _shown(values: pl.Series) -> pl.Series:
    if values.null_count() == len(values):
        return values
    return pl.Series([value if value is None else shown(value, _SHOWN) for value in values], dtype=pl.String)


def _usable(options: InputOptions) -> Iterator[pl.Expr]:
    """Return the final columns of InputRow; those of an invalid row are empty."""
    valid = pl.col(Added.PROBLEMS).is_null()
    for column in (Added.APPOINTMENT_ID, Added.ATTENDEE_ID, Added.USER_ID):
        yield pl.when(valid).then(pl.col(column).str.to_lowercase()).alias(column)
    open_to_options = ~pl.col(Added.ASKED)
    unsaid = pl.col(Added.CANCEL_ALL).is_null() & pl.col(Added.ATTENDEE_ID).is_null()
    default_applies = unsaid & ~_says_yes(Added.ENTIRE_SERIES)
    cancel_all = _says_yes(Added.CANCEL_ALL) | (default_applies & open_to_options & options.cancel_all)
    yield (valid & cancel_all).alias(Added.CANCEL_ALL)
    yield (valid & _says_yes(Added.ENTIRE_SERIES)).alias(Added.ENTIRE_SERIES)
    default = default_reason(options)
    yield (valid & open_to_options & pl.col(Added.REASON).is_null() & (default is not None)).alias(Added.REASON_GIVEN)
    reason = pl.col(Added.REASON).fill_null(pl.when(open_to_options).then(pl.lit(default, pl.String)))
    yield pl.when(valid).then(reason).alias(Added.REASON)
    usual = options.accounts.default if options.accounts else ""
    account = pl.col(Added.ACCOUNT).fill_null(pl.when(open_to_options).then(pl.lit(usual or None, pl.String)))
    yield pl.when(valid).then(account).alias(Added.ACCOUNT)
    yield pl.when(valid).then(pl.col(Added.ROW)).alias(Added.FIRST_ROW)
