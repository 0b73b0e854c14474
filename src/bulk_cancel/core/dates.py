"""Dates in file names and in the days of a search: `closures/{today:%Y-%m-%d}.csv`.

A blank is `{today}`, `{yesterday}` or `{tomorrow}`, optionally with a date format (strftime) after a colon; without one
it is filled in as 2026-12-24. `{{` and `}}` are braces. The blanks of a reason are others (`core/template.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from string import Formatter
from types import MappingProxyType

from bulk_cancel.core.moments import formatted

_DAYS: Mapping[str, int] = MappingProxyType({"yesterday": -1, "today": 0, "tomorrow": 1})
#: Directives that depend on the day alone and on no locale; strftime leaves a letter that it does not know as it is.
_KNOWN = frozenset("YymdjGVuUWw%")
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)


def fill_dates(text: str, today: date) -> str:
    """Return the text with its dates filled in. Raises ValueError, a clause, for an unknown name or a wrong format."""
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"the braces do not match: {error}; write {{{{ for a brace") from None
    return "".join(
        before + ("" if name is None else _filled(name, form or "", conversion, today))
        for before, name, form, conversion in pieces
    )


def _filled(name: str, form: str, conversion: str | None, today: date) -> str:
    if name not in _DAYS or conversion:
        raise ValueError(f"there is no date {{{name}}}; there are {', '.join(f'{{{day}}}' for day in sorted(_DAYS))}")
    day = today + timedelta(days=_DAYS[name])
    if not form:
        return day.isoformat()
    if "%" not in form or (wrong := [found for found in _DIRECTIVE.findall(form) if found not in _KNOWN]):
        what = f"%{wrong[0]} in it" if "%" in form else "it has no %"
        raise ValueError(f'"{form}" is not a date format: {what}; write for example {{{name}:%Y-%m-%d}}')
    return formatted(day, form)
