"""Decides when the next request may start. One limiter for cancels and reads: they share the key's limit."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field

import anyio

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace, after_pause, after_start, duration_s, earliest_start, recovered_factor
from bulk_cancel.core.retry import LONGEST_PAUSE_S, throttle_pause_s
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.health import Asked

_SLOWEST = 0.25
_SLOWDOWN = 0.7
#: A wait for less is none: so short a sleep adds nothing to a clock that shows hours, and would come back for ever.
_NO_WAIT_S = 1e-9


@dataclass(eq=False)
class _Waiter:
    """One who waits for a slot: woken when it has one, or is the first."""

    count: int = 1
    woken: anyio.Event = field(default_factory=anyio.Event)
    granted: bool = False


@dataclass
class Limiter:
    """GCRA on the process's monotonic clock, first come, first served.

    `tat` and what is held beside it is its state. The ledger keeps it, and a restart goes on from there.

    The server's bucket is drawn on when a request arrives, which is some time between its leaving and its answer. While
    its bucket is full nothing drips into it: had we counted that time as refilling, we would ask for more than there
    is. So a second TAT counts the requests from their answers on, and what is on its way beside it. It is trusted up to
    a share of the burst: behind a long latency a small burst would otherwise be a limit of its own.
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
        """Throttles since the last request of their kind that was served, of the kind that has more."""
        return max(self._throttles.values(), default=0)

    def current_pace(self) -> Pace:
        """The pace after what throttles have taught."""
        elapsed_s = self.clock.monotonic() - self._slowed_at
        return self.pace.slowed(recovered_factor(self._factor, elapsed_s))

    def try_hold(self, count: int = 1) -> bool:
        """Hold slots that are free at this moment, if nobody waits for one."""
        if self._waiting or not self._granted(count):
            return False
        self._held += count
        return True

    def _granted(self, count: int) -> bool:
        """Whether so many more may start now; who asks takes them."""
        return self.wait_s(count) <= _NO_WAIT_S

    async def _supply(self, count: int) -> None:
        """Get what waiting alone does not bring: nothing, where the limit is this process's own."""

    async def hold(self, count: int = 1) -> None:
        """Return when so many requests may start, one right after the other; each is held until `use` or `give_back`.

        First come, first served; the first of those who wait watches the clock for all. Cancelled while waiting, it
        holds nothing.
        """
        waiter = _Waiter(count)
        self._waiting.append(waiter)
        try:
            while not waiter.granted:
                if self._waiting[0] is waiter:
                    await self._supply(count)
                    await anyio.sleep(self.wait_s(count))  # a throttle may have moved the start meanwhile: look again
                    self._grant()
                else:
                    await waiter.woken.wait()
        except BaseException:
            self._leave(waiter)
            raise

    def _grant(self) -> None:
        """Give out all that is free at once: a slot per turn of the event loop would be too few at high rates."""
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
        """A request with a held slot leaves at this moment."""
        self._held -= 1
        self._underway += 1
        self.tat = after_start(self.tat, self.clock.monotonic(), self.current_pace())

    def ended(self) -> None:
        """A request that left has its answer, or never gets one."""
        self._underway -= 1
        self._answered_tat = after_start(self._answered_tat, self.clock.monotonic(), self.current_pace())

    def give_back(self) -> None:
        """A held slot is not needed."""
        self._held -= 1

    async def long_pause_s(self) -> float:
        """Return what is left of a pause that an earlier run was asked for; 0 when a run may wait for so long."""
        wait_s = self.wait_s()
        return wait_s if wait_s > LONGEST_PAUSE_S + self.pace.span_s else 0.0

    async def finish(self) -> None:
        """Nothing more starts."""

    async def tell_pause(self) -> None:
        """Let others who share the limit hear of a pause: nobody does, where it is this process's own."""

    async def acquire(self) -> None:
        """Return when one request may start, which it does at this moment; it counts as answered at once."""
        await self.hold()
        self.use()
        self.ended()

    async def until_due(self) -> None:
        """Return when a request with a held slot may leave: a pause may have come since, or the burst be too small."""
        now = self.clock.monotonic()
        while (start := earliest_start(self.tat, now, self.current_pace())) - now > _NO_WAIT_S:
            await anyio.sleep(start - now)
            now = self.clock.monotonic()

    @property
    def is_paused(self) -> bool:
        """Whether a throttle lets nothing leave at this moment, whatever slots are held."""
        return self.clock.monotonic() < self._paused_until

    def wait_s(self, count: int = 1) -> float:
        """Return how long until so many more requests may start; of more than the burst, how long until the burst may.

        What holds a slot has not left. If a slow disk keeps it, time passes, and the bucket must not fill up again
        beside it: else all that was held would leave together with a whole burst.
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
        """A request was not throttled."""
        self._throttles[asked] = 0

    def throttled(self, started_at: float, retry_after_s: float | None, asked: Asked = Asked.READ) -> float:
        """A 429 came for a request that started at `started_at`: pause everyone, go slower. Returns the pause, seconds.

        Answers to requests that had started before the last pause began say nothing new, except a longer wish.
        """
        now = self.clock.monotonic()
        if started_at < self._slowed_at and now < self._paused_until:
            self._pause_until(max(self._paused_until, now + (retry_after_s or 0.0)))
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
        """Return the state for the ledger, as if what is held had left: after a crash nobody can tell."""
        tat = self._expected_tat(self.clock.monotonic(), self.current_pace())
        return PaceRecord(self.clock.base.wall(tat), tat, self.clock.base.boot_id)

    def duration_s(self, count: int) -> float:
        """Return how long `count` requests from now take at least."""
        now, pace = self.clock.monotonic(), self.current_pace()
        ready = int((now - self.tat) * pace.rate_per_s) + pace.burst
        return duration_s(count, pace, min(pace.burst, ready))


def _late_s(pace: Pace) -> float:
    """How much later than it left a request is taken to arrive, at most: a tenth of the burst's time."""
    return 0.1 * (pace.burst - 1) * pace.interval_s
