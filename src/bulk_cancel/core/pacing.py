"""When the next request may start: the generic cell rate algorithm (GCRA), as arithmetic on numbers.

The whole state is one number, the theoretical arrival time (TAT): the moment at which the bucket would be full again.
A request may start when TAT is at most `burst - 1` intervals away; starting moves TAT one interval on. Deadlines are
absolute, so a late start does not delay the next ones and the rate does not drift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Seconds by which the delays between a request's slot and its arrival may differ (connects, commits, the network).
JITTER_S = 0.02


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate with a burst: `burst` requests at once, then `rate_per_s`."""

    rate_per_s: float
    burst: int

    @property
    def interval_s(self) -> float:
        """Seconds between two requests when the burst is spent."""
        return 1.0 / self.rate_per_s

    @property
    def span_s(self) -> float:
        """Seconds in which an empty bucket fills."""
        return self.burst * self.interval_s

    def slowed(self, factor: float) -> Pace:
        """Return a fraction of the rate and of the burst: with the whole burst a given TAT would allow more at once."""
        return self if factor >= 1 else Pace(self.rate_per_s * factor, 1 + int((self.burst - 1) * factor))


def with_margin(pace: Pace) -> Pace:
    """Return the pace with a few tokens of the server's burst unspent.

    The server's bucket refills from the first request's arrival on, ours from its start on. A delay of the first
    arrival that the later ones do not have (a connect) makes us run ahead by rate × delay tokens; one more covers
    rounding. The rate itself is used in full.
    """
    margin = 1 + math.ceil(pace.rate_per_s * JITTER_S)
    return Pace(pace.rate_per_s, max(1, pace.burst - margin))


def earliest_start(tat: float, now: float, pace: Pace) -> float:
    """Return the first moment, `now` or later, at which a request may start."""
    return max(now, tat - (pace.burst - 1) * pace.interval_s)


def after_start(tat: float, now: float, pace: Pace) -> float:
    """Return the TAT after a request that starts at `now`."""
    return max(tat, now) + pace.interval_s


def after_pause(tat: float, until: float, pace: Pace) -> float:
    """Return a TAT under which nothing starts before `until` and no burst is available then: the server has none."""
    return max(tat, until + (pace.burst - 1) * pace.interval_s)


def duration_s(count: int, pace: Pace, ready: int | None = None) -> float:
    """Return the seconds that `count` requests take at least, with `ready` tokens at first (None: the whole burst)."""
    waiting = count - (pace.burst if ready is None else ready)
    return max(0.0, waiting * pace.interval_s)


def recovered_factor(factor: float, elapsed_s: float, recovery_s: float = 300.0) -> float:
    """Return the share of the rate to use `elapsed_s` seconds after a 429 had lowered it to `factor`."""
    return min(1.0, factor + max(0.0, elapsed_s) / recovery_s)
