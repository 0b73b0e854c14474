"""The cells of a sheet as text: numbers with their digits, dates as ISO 8601, errors and missing values by name."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from typing import Final

#: The text of a formula whose result the file does not contain.
NO_VALUE: Final = "#FORMULA!"

_WHOLE = re.compile(r"-?\d+")
_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_BUILT_IN_DURATIONS = frozenset((46,))
_NOT_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
_DURATION = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet knows no zones
_DAY_0_OF_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
_LAST_DAY = 2_958_465  # 9999-12-31


def unescaped(text: str) -> str:
    """Return a text of a workbook with its escape sequences decoded."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


@cache
def is_date(format_id: int, code: str) -> bool:
    """Return whether numbers in this format are shown as dates or times."""
    if not code:
        return format_id in _BUILT_IN_DATES
    shown = _NOT_CODE.sub("", code.partition(";")[0])
    return code.lower() != "general" and bool(set(shown.lower()) & set("dmyhs"))


@cache
def is_duration(format_id: int, code: str) -> bool:
    """Return whether numbers in this format are shown as durations, whose hours may exceed 24."""
    return bool(_DURATION.search(code)) if code else format_id in _BUILT_IN_DURATIONS


def number_text(text: str) -> str:
    """Return a stored number as people write it: whole numbers without a point."""
    if _WHOLE.fullmatch(text):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def date_text(text: str, *, since_1904: bool) -> str:
    """Return a stored number as the date, the moment or the time of day that a sheet shows."""
    try:
        days = float(text)
    except ValueError:
        return text
    if not 0 <= days <= _LAST_DAY:
        return number_text(text)
    seconds = round(days * 86_400)
    if seconds < 86_400:
        return str((_DAY_0 + timedelta(seconds=seconds)).time())
    if since_1904:
        moment = _DAY_0_OF_1904 + timedelta(seconds=seconds)
    else:  # sheets have a 29 February 1900, which did not exist
        moment = _DAY_0 + timedelta(seconds=seconds, days=days < 60)
    return moment.date().isoformat() if seconds % 86_400 == 0 else moment.isoformat()


def duration_text(text: str) -> str:
    """Return a stored number of days as hours, minutes and seconds."""
    try:
        seconds = round(float(text) * 86_400)
    except (ValueError, OverflowError):
        return text
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
