"""Moments and zones: how they are read, and how a moment is written for people and for machines.

Every date with a time that the program shows or writes is written here, so that none is without its zone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bulk_cancel.core.text import clean

#: The zone of a reader. None: that of `read_in`, else this machine's.
Zone: TypeAlias = tzinfo | None

_READER: ContextVar[Zone] = ContextVar("the reader's zone", default=None)

_MINUTE = "%Y-%m-%d %H:%M"
#: What a system's C writes with fewer digits for a year before 1000.
_FOUR_DIGITS = {"Y": "{:04}", "F": "{:04}-%m-%d"}
#: The years 1 to 9999, which is what a date can show.
_FIRST_AT, _LAST_AT = -62_135_596_800.0, 253_402_300_799.0


@contextmanager
def read_in(zone: Zone) -> Iterator[None]:
    """Show the moments of the block in `zone` where no other is named: also those in the messages of locks."""
    token = _READER.set(zone or _READER.get())
    try:
        yield
    finally:
        _READER.reset(token)


def told_in(zone: Zone, told: object) -> str:
    """Return `told` as a text, with its moments in `zone`."""
    with read_in(zone):
        return str(told)


def moment_of(text: object) -> float | None:
    """Read ISO 8601 as seconds since the epoch; without an offset it is UTC (documented).

    None when the text is not a moment, or outside of the years 1 to 9999 in UTC, which no date can show.
    """
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def show_moment(moment: float | str | None, zone: Zone = None, form: str = _MINUTE) -> str:
    """Write a moment as people read it, with the name of the zone: `2026-12-24 09:30 CET`.

    `moment` is in seconds since the epoch, or a text in ISO 8601; another text is shown as it is. `form` is a date
    format (strftime), `zone` the reader's; None: this machine's.
    """
    at = moment_of(moment) if isinstance(moment, str) else moment
    return clean(str(moment or ""), 64) if at is None else f"{formatted(there := local(at, zone), form)} {_name(there)}"


def show_due(at: float, zone: Zone = None) -> str:
    """Write the minute from which on something is possible, rounded up: a minute too early would achieve nothing."""
    return show_moment(math.ceil(at / 60) * 60, zone)


def formatted(day: date, form: str) -> str:
    """Write a date, or a moment, in a date format (strftime); its year has four digits on every system."""
    return day.strftime(re.sub("%(.)", lambda found: _FOUR_DIGITS.get(found[1], found[0]).format(day.year), form))


def write_moment(moment: float | str | None, zone: Zone, timespec: str = "seconds") -> str:
    """Write a moment as programs read it, in that zone and with its offset: `2026-12-24T09:30:00+01:00`.

    `moment` is as for `show_moment`, `timespec` as for `datetime.isoformat`.
    """
    at = moment_of(moment) if isinstance(moment, str) else moment
    return clean(str(moment or ""), 64) if at is None else local(at, zone).isoformat(timespec=timespec)


def show_span(span: tuple[float, float], zone: Zone = None) -> str:
    """Write the first and the last of some moments as people read them; only one when both read alike."""
    first, last = (show_moment(at, zone) for at in span)
    return first if first == last else f"{first} to {last}"


def widened(span: tuple[float, float] | None, moment: str | None) -> tuple[float, float] | None:
    """Return the span, widened to contain `moment` (ISO 8601); unchanged when the text is not a moment."""
    at = moment_of(moment)
    return span if at is None else (min(at, *(span or (at,))), max(at, *(span or (at,))))


def local(at: float, zone: Zone) -> datetime:
    """Return a moment, seconds since the epoch, in a zone; in UTC where a date in the zone cannot show it."""
    moment = datetime.fromtimestamp(min(max(at, _FIRST_AT), _LAST_AT), UTC)
    try:
        return moment.astimezone(zone or _READER.get())
    except (OverflowError, ValueError):
        return moment


def show_hour(at: float, now: float, zone: Zone = None) -> str:
    """Write a moment as its hour, `10:50 CET`, and with its date when that is not today's."""
    is_today = local(at, zone).date() == local(now, zone).date()
    return show_moment(at, zone, "%H:%M" if is_today else _MINUTE)


def _name(moment: datetime) -> str:
    """Return the name of its zone, `CET`; where the zone has no name, the offset, `UTC-03:00`."""
    name = moment.tzname() or ""
    return name if name[:1].isalpha() else str(timezone(moment.utcoffset() or timedelta()))


def parse_zone(name: str) -> ZoneInfo:
    """Return the time zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is not a time zone known here; write for example Europe/Berlin') from error


def zone_named(name: str) -> ZoneInfo | None:
    """Return the time zone of that name; None where it is not known on this machine."""
    try:
        return parse_zone(name)
    except ValueError:
        return None
