"""Reasons with blanks to fill in: `Our {location} office is closed on {start:%d %B}.`

A blank names a column of the row, or what a look tells: start, end, location, meeting, channel. After a colon a
date format may follow (strftime); the date is told in the offset that the value itself has. `{{` and `}}` are braces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Formatter

from bulk_cancel.core.model import Appointment
from bulk_cancel.core.reason import reason_problem
from bulk_cancel.core.text import is_sheet_error, unwrapped

#: What a look tells of an appointment under these names.
SEEN_NAMES = ("start", "end", "location", "meeting", "channel")


@dataclass(frozen=True, slots=True)
class Blank:
    """A piece of literal text, and the blank after it."""

    before: str
    name: str = ""  #: empty: no blank follows
    date_format: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A reason with blanks."""

    pieces: tuple[Blank, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What has to be known to fill it in."""
        return tuple(dict.fromkeys(piece.name for piece in self.pieces if piece.name))

    def fill(self, values: Mapping[str, str | None]) -> str:
        """Fill it in. Raises ValueError, a sentence, when a value is missing or unfit, or the reason gets too long."""
        text = "".join(piece.before + (_filled(piece, values) if piece.name else "") for piece in self.pieces).strip()
        if problem := reason_problem(text):
            raise ValueError(f"the reason, filled in, {problem}")
        return text


def _filled(piece: Blank, values: Mapping[str, str | None]) -> str:
    value = unwrapped(values.get(piece.name) or "").replace("\r\n", "\n").strip()
    if is_sheet_error(value):
        raise ValueError(f"the reason needs {{{piece.name}}}, which is an error of the sheet: {value}")
    if not value:
        raise ValueError(f"the reason needs {{{piece.name}}}, which is not known for this row")
    if not piece.date_format:
        return value
    try:
        return datetime.fromisoformat(value).strftime(piece.date_format)
    except ValueError:
        raise ValueError(f"the reason needs a date in {{{piece.name}}}, not the value of this row") from None


def parse_template(text: str) -> Template:
    """Read a reason with blanks. Raises ValueError for what is none."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"the braces of the reason do not match: {error}; write {{{{ for a brace") from None
    for _, name, _, conversion in parsed:
        if conversion or (name is not None and (not name.strip() or set(name) & set(".[]"))):
            raise ValueError("a blank of the reason names a column, like {location}, and nothing else")
    return Template(tuple(Blank(before, name or "", form or "") for before, name, form, _ in parsed))


def seen_values(seen: Appointment | None) -> dict[str, str | None]:
    """Return what a look tells, by the names that a blank may have."""
    return {name: getattr(seen, name) for name in SEEN_NAMES} if seen is not None else {}
