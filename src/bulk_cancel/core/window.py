"""The hours in which cancels may be sent: people get mails, and nobody wants one at night."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bulk_cancel.core.moments import parse_zone

_FORM = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s+(\S+)")


@dataclass(frozen=True, slots=True)
class SendWindow:
    """From `opens` to `closes` on every day in `zone`; over midnight when it closes before it opens.

    Hours are wall-clock hours of the zone. Where daylight saving skips the opening hour, the window opens when the
    clock has passed it; where an hour comes twice, both count.
    """

    opens: time
    closes: time
    zone: ZoneInfo

    def __str__(self) -> str:
        """As `parse_window` reads it."""
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} {self.zone.key}"

    def is_open(self, at: float) -> bool:
        """Whether cancels may be sent at this moment, seconds since the epoch."""
        local = datetime.fromtimestamp(at, self.zone).time()
        if self.opens <= self.closes:
            return self.opens <= local < self.closes
        return local >= self.opens or local < self.closes

    def wait_s(self, at: float) -> float:
        """Return the seconds until it is open; 0 when it is."""
        if self.is_open(at):
            return 0.0
        today = datetime.fromtimestamp(at, self.zone).date()
        for days in range(3):
            opening = datetime.combine(today + timedelta(days=days), self.opens, self.zone).astimezone(UTC).timestamp()
            if opening > at and self.is_open(opening):
                return opening - at
        return 3600.0  # an opening hour that daylight saving skips: look again in an hour


def parse_window(text: str) -> SendWindow:
    """Read `08:00-20:00 Europe/Berlin`. Raises ValueError."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is no send window; write for example 08:00-20:00 Europe/Berlin')
    first, second = (time(int(match[i]), int(match[i + 1])) for i in (1, 3))
    if first == second:
        raise ValueError("a send window that opens when it closes is never open")
    return SendWindow(first, second, parse_zone(match[5]))
