"""Decides when the next request may start. One limiter for cancels and reads: they share the key's limit."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field

import anyio

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace, after_pause, after_start, duration_s, earliest_start, recovered_factor
from bulk_cancel.core.retry import SHORTEST_PAUSE_S, is_long_pause, throttle_pause_s
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.health import Asked

_SLOWEST = 0.25
_SLOWDOWN = 0.7
#: A shorter wait counts as none: it may be lost in the rounding of a clock that shows hours, and repeat for ever.
_NO_WAIT_S = 1e-9


@dataclass(eq=False)
class _Waiter:
    """A caller that waits for slots; woken when it has them, or is the first in the queue."""

    count: int = 1
    woken: anyio.Event = field(default_factory=anyio.Event)
    granted: bool = False


@dataclass
class Limiter:
    """GCRA on the process's monotonic clock, first come, first served.

    Its state is `tat` and the number of held slots. The ledger keeps it, and a restart continues with it.

    The server takes a token when a request arrives, some time between its departure and its answer. Until then a full
    bucket does not refill; counting that time as refilling would allow more than the server does. A second TAT counts
    requests from their answers on, plus those in flight. It counts only up to a share of the burst: with a long latency
    a small burst would otherwise slow down the whole run.
    """

    pace: Pace
    clock: Clock
    tat: float
    jitter: random.Random

    def __post_init__(self) -> None:
        self._waiting: deque[_Waiter] = deque()
        self._held = 0
        self._underway = 0
        self._answered_tat = self.tat
        self._paused_until = 0.0
        self._throttles: Counter[Asked] = Counter()
        self._factor = 1.0
        self._slowed_at = 0.0

    @property
    def throttles_in_a_row(self) -> int:
        """Number of consecutive 429s of a kind of request; the higher of both kinds."""
        return max(self._throttles.values(), default=0)

    def current_pace(self) -> Pace:
        """Return the pace, reduced after 429s."""
        elapsed_s = self.clock.monotonic() - self._slowed_at
        return self.pace.slowed(recovered_factor(self._factor, elapsed_s))

    def try_hold(self, count: int = 1) -> bool:
        """Hold slots that are free now, if no caller waits for one; return whether it did."""
        if self._waiting or not self._granted(count):
            return False
        self._held += count
        return True

    def _granted(self, count: int) -> bool:
        """Return whether `count` more may start now; the caller then takes them."""
        return self.wait_s(count) <= _NO_WAIT_S

    async def _supply(self, count: int) -> None:
        """Get slots from elsewhere: nothing to do where the limit is this process's own."""

    async def hold(self, count: int = 1) -> None:
        """Wait until `count` requests may start, one right after the other; hold a slot for each.

        A slot is held until `use` or `give_back`. First come, first served: the first caller in the queue watches the
        clock for all. When cancelled while waiting, it holds nothing.
        """
        waiter = _Waiter(count)
        self._waiting.append(waiter)
        try:
            while not waiter.granted:
                if self._waiting[0] is waiter:
                    await self._supply(count)
                    await anyio.sleep(self.wait_s(count))  # a 429 may move the start meanwhile
                    self._grant()
                else:
                    await waiter.woken.wait()
        except BaseException:
            self._leave(waiter)
            raise

    def _grant(self) -> None:
        """Grant all free slots at once: one per turn of the event loop would be too slow at high rates."""
        while self._waiting and self._granted(self._waiting[0].count):
            waiter = self._waiting.popleft()
            self._held += waiter.count
            waiter.granted = True
            waiter.woken.set()
        self._wake_first()

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.granted:
            for _ in range(waiter.count):
                self.give_back()
        else:
            self._waiting.remove(waiter)
        self._wake_first()

    def _wake_first(self) -> None:
        if self._waiting:
            self._waiting[0].woken.set()

    def use(self) -> None:
        """Count a request with a held slot that leaves now."""
        self._held -= 1
        self._underway += 1
        self.tat = after_start(self.tat, self.clock.monotonic(), self.current_pace())

    def ended(self) -> None:
        """Count the end of a request, with or without an answer."""
        self._underway -= 1
        self._answered_tat = after_start(self._answered_tat, self.clock.monotonic(), self.current_pace())

    def give_back(self) -> None:
        """Release a held slot that is not needed."""
        self._held -= 1

    async def long_pause_s(self) -> float:
        """Return the remaining seconds of a pause that an earlier run was asked for; 0 if a run may wait for it."""
        wait_s = self.wait_s()
        return wait_s if is_long_pause(wait_s, self.pace.span_s) else 0.0

    async def finish(self) -> None:
        """End the use of the limiter: nothing more starts."""

    async def tell_pause(self) -> None:
        """Tell a pause to others that share the limit: nothing to do where it is this process's own."""

    async def acquire(self) -> None:
        """Wait until a request may start; it starts now and counts as answered at once."""
        await self.hold()
        self.use()
        self.ended()

    async def until_due(self) -> None:
        """Wait until a request with a held slot may leave: there may be a pause, or the burst is too small."""
        now = self.clock.monotonic()
        while (start := earliest_start(self.tat, now, self.current_pace())) - now > _NO_WAIT_S:
            await anyio.sleep(start - now)
            now = self.clock.monotonic()

    @property
    def is_paused(self) -> bool:
        """Whether a pause after a 429 lets nothing leave now, even with held slots."""
        return self.clock.monotonic() < self._paused_until

    def wait_s(self, count: int = 1) -> float:
        """Return the seconds until `count` more requests, at most a whole burst, may start.

        Held slots count as used from now on. A slow disk may delay their requests, and the bucket must not refill
        meanwhile: else they would all leave together with a whole burst.
        """
        now, pace = self.clock.monotonic(), self.current_pace()
        more = min(count, pace.burst) - 1
        return earliest_start(self._expected_tat(now, pace, more), now, pace) - now

    def _expected_tat(self, now: float, pace: Pace, more: int = 0) -> float:
        tat, ahead = max(self.tat, min(self._tat_by_answers(now, pace), self.tat + _late_s(pace))), self._held + more
        return max(tat, now) + ahead * pace.interval_s if ahead else tat

    def _tat_by_answers(self, now: float, pace: Pace) -> float:
        if not self._underway:
            return self._answered_tat
        return max(self._answered_tat, now) + self._underway * pace.interval_s

    def served(self, asked: Asked = Asked.READ) -> None:
        """Note that a request was not throttled."""
        self._throttles[asked] = 0

    def throttled(self, started_at: float, retry_after_s: float | None, asked: Asked = Asked.READ) -> float:
        """Pause and slow down after a 429 for a request that started at `started_at`; return the pause in seconds.

        Of requests that had started before the current pause, only a longer Retry-After counts.
        """
        now = self.clock.monotonic()
        if started_at < self._slowed_at and now < self._paused_until:
            wish_s = 0.0 if retry_after_s is None else max(SHORTEST_PAUSE_S, retry_after_s)
            self._pause_until(max(self._paused_until, now + wish_s))
            return self._paused_until - now
        pause_s = throttle_pause_s(retry_after_s, self._throttles[asked] + 1, self.jitter.random())
        self._factor = max(_SLOWEST, recovered_factor(self._factor, now - self._slowed_at) * _SLOWDOWN)
        self._throttles[asked] += 1
        self._slowed_at = now
        self._pause_until(now + pause_s)
        return pause_s

    def _pause_until(self, moment: float) -> None:
        self._paused_until = moment
        self.tat = after_pause(self.tat, moment, self.pace)

    def record(self) -> PaceRecord:
        """Return the state for the ledger, should the process end now.

        Requests with held slots may have left, and what has no answer may arrive late: nobody will see its lateness.
        """
        now, pace = self.clock.monotonic(), self.current_pace()
        tat = self._expected_tat(now, pace)
        if self._held or self._underway:
            tat = max(tat, max(self.tat, now) + self._held * pace.interval_s + _late_s(pace))
        return PaceRecord(self.clock.base.wall(tat), tat, self.clock.base.boot_id)

    def duration_s(self, count: int) -> float:
        """Return the seconds that `count` requests from now take at least."""
        now, pace = self.clock.monotonic(), self.current_pace()
        ready = int((now - self.tat) * pace.rate_per_s) + pace.burst
        return duration_s(count, pace, min(pace.burst, ready))


def _late_s(pace: Pace) -> float:
    """Return the most seconds between departure and arrival that count: a tenth of the burst's time."""
    return 0.1 * (pace.burst - 1) * pace.interval_s
