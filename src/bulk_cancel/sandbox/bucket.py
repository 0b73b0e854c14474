"""The documented limit: a token bucket, full at the start, refilled continuously."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# One nanosecond of refill at 1000/s. Without it, a client that paces itself exactly would now and then be refused
# because 0.1 * 10 is a little less than 1 in binary.
_ROUNDING = 1e-6


@dataclass(slots=True)
class TokenBucket:
    """At most `burst` tokens; `rate_per_s` new ones each second; each request takes one."""

    rate_per_s: float
    burst: int
    now: Callable[[], float]
    _tokens: float = field(init=False)
    _seen_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = float(self.burst)
        self._seen_at = self.now()

    def take(self) -> bool:
        """Take one token; False, and nothing is taken, when less than one is there."""
        now = self.now()
        self._tokens = min(float(self.burst), self._tokens + (now - self._seen_at) * self.rate_per_s)
        self._seen_at = now
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True
