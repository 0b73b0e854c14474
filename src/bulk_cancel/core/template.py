"""Reasons with blanks to fill in: `Our {location} office is closed on {start:%d %B}.`

A blank names a column of the row, or a part of the reading: start, end, location, meeting, channel. After a colon a
date format may follow (strftime). A moment with an offset is written in the zone of the mail's readers; a date or a
time without an offset stays as it is in the row. `{{` and `}}` are braces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from string import Formatter

from bulk_cancel.core.model import Appointment
from bulk_cancel.core.moments import formatted, local, show_moment, write_moment
from bulk_cancel.core.reason import reason_problem
from bulk_cancel.core.text import is_sheet_error, unwrapped

#: Names of blanks that a reading of the appointment fills in.
SEEN_NAMES = ("start", "end", "location", "meeting", "channel")


_MOMENTS = ("start", "end")


class NoZoneError(ValueError):
    """A reason contains a moment, and no zone is given in which to write it."""


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
    zone: tzinfo | None = None  #: of those who read the mails; None: not known

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its blanks, each once."""
        return tuple(dict.fromkeys(piece.name for piece in self.pieces if piece.name))

    def fill(self, values: Mapping[str, str | None]) -> str:
        """Fill it in. Raises ValueError, a clause, when a value is missing or unfit, or the reason gets too long.

        Raises NoZoneError, a clause, for a moment when the zone is not known.
        """
        text = "".join(piece.before + (self._filled(piece, values) if piece.name else "") for piece in self.pieces)
        text = text.strip()
        if problem := reason_problem(text):
            raise ValueError(f"the reason, filled in, {problem}")
        return text

    def _filled(self, piece: Blank, values: Mapping[str, str | None]) -> str:
        value = _value_of(piece, values)
        moment = _date_in(value)
        if moment is not None and moment.tzinfo is not None:
            if self.zone is None:
                raise NoZoneError(f"the reason tells the time of {{{piece.name}}}, and no time zone is known for it")
            at = moment.timestamp()
            return (
                formatted(local(at, self.zone), piece.date_format) if piece.date_format else show_moment(at, self.zone)
            )
        if not piece.date_format:
            return value
        if moment is None:
            blank = f"{{{piece.name}}}"
            raise ValueError(
                f"the reason needs a date like 2026-12-01 in {blank}: write it so, or leave out the format, {blank}"
            )
        return formatted(moment, piece.date_format)


def _value_of(piece: Blank, values: Mapping[str, str | None]) -> str:
    value = unwrapped(values.get(piece.name) or "").replace("\r\n", "\n").strip()
    if is_sheet_error(value):
        raise ValueError(f"the reason needs {{{piece.name}}}, which is an error of the sheet: {value}")
    if not value:
        raise ValueError(f"the reason needs {{{piece.name}}}, which is not known for this row")
    return value


def _date_in(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def parse_template(text: str, zone: tzinfo | None = None) -> Template:
    """Read a reason with blanks; `zone` is its readers', None if not known. Raises ValueError, a clause."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"the braces of the reason do not match: {error}; write {{{{ for a brace") from None
    for _, name, _, conversion in parsed:
        if conversion or (name is not None and (not name.strip() or set(name) & set(".[]"))):
            raise ValueError("a blank of the reason names a column, like {location}, and nothing else")
    return Template(tuple(Blank(before, name or "", form or "") for before, name, form, _ in parsed), zone)


def seen_values(seen: Appointment | None) -> dict[str, str | None]:
    """Return what a reading says of an appointment, by the names of blanks."""
    if seen is None:
        return {}
    moments = {name: write_moment(getattr(seen, name), UTC) for name in _MOMENTS}
    return {name: moments.get(name) or getattr(seen, name) for name in SEEN_NAMES}
