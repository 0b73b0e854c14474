"""When the next request may start: the generic cell rate algorithm (GCRA), as arithmetic on numbers.

The whole state is one number, the theoretical arrival time (TAT): the moment at which the bucket would be full again.
A request may start when TAT is at most `burst - 1` intervals away; starting moves TAT one interval on. Deadlines are
absolute, so a late wake-up is made good by the next one and the rate does not drift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: How much later than its slot a request may arrive, beyond what the others do (connects, commits, the network).
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
        """A fraction of the rate. The burst shrinks alike, or a given TAT would suddenly allow more at once."""
        return self if factor >= 1 else Pace(self.rate_per_s * factor, 1 + int((self.burst - 1) * factor))


def with_margin(pace: Pace, jitter_s: float = JITTER_S) -> Pace:
    """Keep a few tokens of the server's burst unspent.

    The server starts to refill when the first request arrives, we when it was allowed to start. Whatever delays that
    first arrival more than the later ones (a connect) makes us run ahead by rate × delay tokens; one more covers
    rounding. The rate itself is used in full.
    """
    margin = 1 + math.ceil(pace.rate_per_s * jitter_s)
    return Pace(pace.rate_per_s, max(1, pace.burst - margin))


def earliest_start(tat: float, now: float, pace: Pace) -> float:
    """Return the first moment, `now` or later, at which a request may start."""
    return max(now, tat - (pace.burst - 1) * pace.interval_s)


def after_start(tat: float, now: float, pace: Pace) -> float:
    """Return the TAT after a request that starts at `now`."""
    return max(tat, now) + pace.interval_s


def after_pause(tat: float, until: float, pace: Pace) -> float:
    """Return a TAT under which nothing starts before `until`, and with no burst left: the server has none."""
    return max(tat, until + (pace.burst - 1) * pace.interval_s)


def duration_s(count: int, pace: Pace, ready: int | None = None) -> float:
    """Return how long `count` requests take at least; `ready` tokens are there at once (default: the whole burst)."""
    waiting = count - (pace.burst if ready is None else ready)
    return max(0.0, waiting * pace.interval_s)


def recovered_factor(factor: float, elapsed_s: float, recovery_s: float = 300.0) -> float:
    """Return the share of the rate to use `elapsed_s` after a throttle had lowered it to `factor`."""
    return min(1.0, factor + max(0.0, elapsed_s) / recovery_s)
