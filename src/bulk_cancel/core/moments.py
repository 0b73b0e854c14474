"""Moments and zones: how they are read."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def moment_of(text: object) -> float | None:
    """Read ISO 8601 as seconds since the epoch; without an offset it is UTC (documented).

    None when it is none, or outside of the years 1 to 9999 in UTC, which no date can show.
    """
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def parse_zone(name: str) -> ZoneInfo:
    """Return the time zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is no time zone known here; write for example Europe/Berlin') from error
