"""When a run has to be over: a time of day, or a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, tzinfo

#: Default number of seconds for which a cancel without an answer may still be applied.
SETTLE_S = 600.0
_HOURS = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time of day on the day the run starts, or a moment; without an offset, in the job's zone."""

    when: time | datetime

    def __str__(self) -> str:
        return self.when.isoformat(" ", "minutes") if isinstance(self.when, datetime) else f"{self.when:%H:%M}"

    def at(self, now: float, zone: tzinfo) -> float:
        """Return it in seconds since the epoch, as `now` is. `zone` is the job's.

        When daylight saving repeats the hour, the first one counts; when it skips the hour, the moment is one hour on.
        """
        if isinstance(self.when, datetime):
            moment = self.when if self.when.tzinfo else self.when.replace(tzinfo=zone)
        else:
            moment = datetime.combine(datetime.fromtimestamp(now, zone), self.when, zone)
        return moment.timestamp()


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """Until when a run may send."""

    ends_at: float  #: seconds on the monotonic clock
    sentence: str  #: with which the run stops then

    def left_s(self, mono: float) -> float:
        """Return the seconds until it ends; 0 when it has ended."""
        return max(0.0, self.ends_at - mono)


def parse_deadline(text: str) -> Deadline:
    """Read `18:00`, or `2026-12-24T18:00` with or without an offset. Raises ValueError, a clause."""
    try:
        match = _HOURS.fullmatch(text.strip())
        if match:
            return Deadline(time(int(match[1]), int(match[2])))
        if ":" in text:  # a day alone would silently mean its first minute
            moment = datetime.fromisoformat(text.strip())
            moment.timestamp()  # raises outside of the years 2 to 9998
            return Deadline(moment)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f'"{text}" is not a deadline; write for example 18:00 or 2026-12-24T18:00+01:00')
