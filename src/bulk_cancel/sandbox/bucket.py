"""The documented limit: a token bucket, full at the start, refilled continuously."""

from __future__ import annotations

from collections.abc import Callable

# One nanosecond of refill at 1000/s. Without it, a client that paces itself exactly would now and then be refused
# because 0.1 * 10 is a little less than 1 in binary.
_ROUNDING = 1e-6


class TokenBucket:
    """At most `burst` tokens; `rate_per_s` new ones each second; each request takes one."""

    def __init__(self, rate_per_s: float, burst: int, now: Callable[[], float]) -> None:
        self._rate_per_s, self._burst, self._now = rate_per_s, float(burst), now
        self._tokens, self._seen_at = self._burst, now()

    def take(self) -> bool:
        """Take one token; False, and nothing is taken, when less than one is there."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._seen_at) * self._rate_per_s)
        self._seen_at = now
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True
