"""Decides when the next request may start. One limiter for cancels and reads: they share the key's limit."""

from __future__ import annotations

import random
from dataclasses import dataclass

import anyio

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace, after_pause, after_start, duration_s, earliest_start, recovered_factor
from bulk_cancel.core.retry import throttle_pause_s
from bulk_cancel.engine.clock import Clock

_SLOWEST = 0.25
_SLOWDOWN = 0.7


@dataclass
class Limiter:
    """GCRA on the process's monotonic clock, first come, first served.

    `tat` is all its state; the ledger keeps it, so that a restart goes on where the last process stopped.
    """

    pace: Pace
    clock: Clock
    tat: float
    jitter: random.Random

    def __post_init__(self) -> None:
        self._turn = anyio.Lock()
        self._paused_until = 0.0
        self._throttles_in_a_row = 0
        self._factor = 1.0
        self._slowed_at = 0.0

    @property
    def paused_until(self) -> float:
        """The monotonic time until which a throttle pauses everyone."""
        return self._paused_until

    @property
    def throttles_in_a_row(self) -> int:
        """Throttles since the last request that was served."""
        return self._throttles_in_a_row

    def current_pace(self) -> Pace:
        """The pace after what throttles have taught."""
        elapsed_s = self.clock.monotonic() - self._slowed_at
        return self.pace.slowed(recovered_factor(self._factor, elapsed_s))

    def take(self) -> bool:
        """Take a slot that is free at this moment, if nobody waits for one."""
        if self._turn.locked():
            return False
        now, pace = self.clock.monotonic(), self.current_pace()
        if earliest_start(self.tat, now, pace) > now:
            return False
        self.tat = after_start(self.tat, now, pace)
        return True

    async def acquire(self) -> None:
        """Return when one request may start. Cancelled while waiting, it has taken nothing."""
        async with self._turn:
            while True:
                now, pace = self.clock.monotonic(), self.current_pace()
                start = earliest_start(self.tat, now, pace)
                if start <= now:
                    break
                await anyio.sleep(start - now)  # a throttle may have moved the start meanwhile: look again
            self.tat = after_start(self.tat, now, pace)

    def served(self) -> None:
        """A request was not throttled."""
        self._throttles_in_a_row = 0

    def throttled(self, started_at: float, retry_after_s: float | None) -> float:
        """A 429 came for a request that started at `started_at`: pause everyone, go slower. Returns the pause, seconds.

        Answers to requests that had started before the last pause began say nothing new.
        """
        now = self.clock.monotonic()
        if started_at < self._slowed_at and now < self._paused_until:
            return self._paused_until - now
        pause_s = throttle_pause_s(retry_after_s, self._throttles_in_a_row + 1, self.jitter.random())
        self._factor = max(_SLOWEST, recovered_factor(self._factor, now - self._slowed_at) * _SLOWDOWN)
        self._throttles_in_a_row += 1
        self._slowed_at = now
        self._paused_until = now + pause_s
        self.tat = after_pause(self.tat, self._paused_until, self.pace)
        return pause_s

    def record(self) -> PaceRecord:
        """Return the state for the ledger."""
        return PaceRecord(self.clock.base.wall(self.tat), self.tat, self.clock.base.boot_id)

    def duration_s(self, count: int) -> float:
        """Return how long `count` requests from now take at least."""
        now, pace = self.clock.monotonic(), self.current_pace()
        ready = int((now - self.tat) * pace.rate_per_s) + pace.burst
        return duration_s(count, pace, min(pace.burst, ready))
