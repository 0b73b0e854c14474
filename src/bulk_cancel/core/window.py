"""The hours in which cancels may be sent: each cancel mails people, who should not get mails at night."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from bulk_cancel.core.moments import parse_zone

#: In minutes.
_THREE_DAYS, _MONTH = 3 * 1440, 31 * 1440
_DAY_S = 86_400.0
_FORM = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s+(\S+)")


@dataclass(frozen=True, slots=True)
class SendWindow:
    """From `opens` to `closes` on every day in `zone`; over midnight when it closes before it opens.

    Hours are wall-clock hours of the zone. When daylight saving skips the opening hour, the window opens right after
    the skipped hour; when it repeats an hour, both count.
    """

    opens: time
    closes: time
    zone: ZoneInfo

    def __str__(self) -> str:
        """Return the window as `parse_window` reads it."""
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} {self.zone.key}"

    def is_open(self, at: float) -> bool:
        """Whether cancels may be sent at this moment, seconds since the epoch."""
        local = datetime.fromtimestamp(at, self.zone).time()
        if self.opens <= self.closes:
            return self.opens <= local < self.closes
        return local >= self.opens or local < self.closes

    def wait_s(self, at: float) -> float:
        """Return the seconds until it is open; 0 when it is.

        Windows and clocks change on full minutes: when the clock changes in between, each minute is examined.
        """
        if self.is_open(at):
            return 0.0
        local = datetime.fromtimestamp(at, self.zone)
        gap = datetime.combine(local, self.opens) - local.replace(tzinfo=None)
        opens_at = round(at + gap.total_seconds() % _DAY_S)
        if datetime.fromtimestamp(opens_at, self.zone).utcoffset() != local.utcoffset():
            first = math.floor(at / 60) + 1
            opens_at = next(minute * 60 for minute in range(first, first + _THREE_DAYS) if self.is_open(minute * 60))
        return opens_at - at

    def ends_at(self, at: float, needs_s: float) -> float | None:
        """Return when the window has been open for `needs_s` seconds from `at` on; None: not within a month."""
        for minute in range(_MONTH):
            if self.is_open(at + minute * 60):
                if needs_s <= 60:
                    return at + minute * 60 + needs_s
                needs_s -= 60
        return None


def parse_window(text: str) -> SendWindow:
    """Read `08:00-20:00 Europe/Berlin`. Raises ValueError."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not a send window; write for example 08:00-20:00 Europe/Berlin')
    first, second = (time(int(match[i]), int(match[i + 1])) for i in (1, 3))
    if first == second:
        raise ValueError("a send window that opens when it closes is never open")
    return SendWindow(first, second, parse_zone(match[5]))
