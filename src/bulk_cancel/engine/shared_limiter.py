"""A credential's limit that many processes share: slots are reserved, some at a time, on one row of the ledger.

Reserved slots count as used for all processes. So the limit holds across takeovers, machines and other jobs with the
same key, and a crash costs at most one window of slots. Between two reservations this process alone decides when its
slots are used; two windows of the burst stay unspent, for slots that other processes have reserved and not used yet.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import anyio

from bulk_cancel.core.pacing import JITTER_S, Pace
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.commits import GroupCommit
from bulk_cancel.engine.health import Asked
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.ledger.shared import Lease, Reservation, SharedLedger

T = TypeVar("T")
#: Seconds for which slots are reserved at once.
WINDOW_S = 0.5
#: Share of the rate that is used: the clocks of the database and of the server may run at different speeds.
_RATE_SHARE = 0.98


def window_of(pace: Pace) -> int:
    """Return how many slots of a limit to reserve at once: half a second's, or fewer for a small burst."""
    return max(1, min(math.ceil(pace.rate_per_s * WINDOW_S), pace.burst // 8))


def shared_pace(pace: Pace) -> Pace:
    """Return the part of a limit that all processes use together: 98 % of the rate, and the burst minus two windows."""
    unspent = 2 * window_of(pace) + 1 + math.ceil(pace.rate_per_s * JITTER_S)
    return Pace(pace.rate_per_s * _RATE_SHARE, max(1, pace.burst - unspent))


@dataclass(frozen=True, slots=True)
class Slots:
    """This process's slots of a credential's limit, on a `SharedLedger`; with a lease only as long as it holds."""

    commits: GroupCommit
    credential: str
    limit: Pace
    lease: Lease | None = None

    @property
    def pace(self) -> Pace:
        """The part of the limit that all processes use together."""
        return shared_pace(self.limit)

    async def reserve(self) -> Reservation:
        """Reserve a window of slots. Raises LostChunkError, LedgerError."""
        window = window_of(self.limit)
        return await self._ask(lambda ledger: ledger.reserve(self.credential, window, self.pace, self.lease))

    async def give_back(self, reservation: Reservation, unused: int) -> None:
        """Return the last `unused` slots, unless another process has reserved since. Raises LedgerError."""
        await self._ask(lambda ledger: ledger.give_back(self.credential, reservation, unused, self.pace))

    async def pause(self, seconds: float) -> None:
        """Let no process start anything for `seconds`. Raises LedgerError."""
        await self._ask(lambda ledger: ledger.pause(self.credential, seconds, self.pace))

    async def paused_s(self) -> float:
        """Return the remaining seconds of a pause that any process was asked for. Raises LedgerError."""
        return await self._ask(lambda ledger: ledger.paused_s(self.credential, self.pace))

    async def _ask(self, question: Callable[[SharedLedger], T]) -> T:
        return await self.commits.ask(lambda ledger: question(cast(SharedLedger, ledger)))


class SharedLimiter(Limiter):
    """A limiter that starts requests for which it has reserved slots, when they are due."""

    def __init__(self, clock: Clock, jitter: random.Random, slots: Slots) -> None:
        super().__init__(slots.pace, clock, clock.monotonic(), jitter)
        self._slots = slots
        self._reserved: Reservation | None = None
        self._left = 0
        self._untold_until = 0.0  # monotonic; end of a pause that the other processes do not know of yet
        self._heard_at = -math.inf  # monotonic; when the database last said how far the limit is used, or paused
        self._supplying = anyio.Lock()

    def _granted(self, count: int) -> bool:
        if self._left < count or self._untold_until or not super()._granted(count):
            return False
        self._left -= count
        return True

    def give_back(self) -> None:
        """Release a held slot that is not needed."""
        super().give_back()
        self._left += 1

    def throttled(self, started_at: float, retry_after_s: float | None, asked: Asked = Asked.READ) -> float:
        """As `Limiter.throttled`; other processes are told the pause before this one starts anything more."""
        pause_s = super().throttled(started_at, retry_after_s, asked)
        self._untold_until = max(self._untold_until, self.clock.monotonic() + pause_s)
        return pause_s

    async def long_pause_s(self) -> float:
        """As `Limiter.long_pause_s`; the database knows of the pause. Raises LedgerError."""
        await self._supply(1)
        return await super().long_pause_s()

    async def _supply(self, count: int) -> None:
        async with self._supplying:
            await self.tell_pause()
            while self._left < count:
                self._reserved = await self._slots.reserve()
                self._left += self._reserved.count
                # The database read its clock before its answer came: this errs on the safe side.
                self._heard_at = self.clock.monotonic()
                self.tat = max(self.tat, self._heard_at + self._reserved.ahead_s)

    async def until_due(self) -> None:
        """As `Limiter.until_due`, for a pause of another process as well. Raises LedgerError.

        Slots are reserved for a window; when one is used later, such a pause may have begun since.
        """
        await super().until_due()
        while self._heard_at < self.clock.monotonic() - WINDOW_S:
            await self._hear_of_pause()
            await super().until_due()

    async def _hear_of_pause(self) -> None:
        async with self._supplying:
            if pause_s := await self._slots.paused_s():
                self._pause_until(max(self._paused_until, self.clock.monotonic() + pause_s))
            self._heard_at = self.clock.monotonic()

    async def tell_pause(self) -> None:
        """As `Limiter.tell_pause`. Slots reserved before are forfeit: the server's bucket is empty.

        A pause that cannot be told stays untold. Raises LedgerError.
        """
        if until := self._untold_until:
            self._left = 0
            await self._slots.pause(max(0.0, until - self.clock.monotonic()))
            self._untold_until = self._untold_until if self._untold_until > until else 0.0

    @property
    def has_untold_pause(self) -> bool:
        """Whether the other processes do not know of a pause yet."""
        return bool(self._untold_until)

    async def finish(self) -> None:
        """End the use of the limiter: tell a pause not told yet, and give back unused slots. Raises LedgerError."""
        await self.tell_pause()
        unused, self._left = self._left, 0
        if unused and self._reserved is not None:
            await self._slots.give_back(self._reserved, min(unused, self._reserved.count))
