"""Feeds workers from the ledger in chunks, so that memory stays flat whatever the size of the run.

First come targets on pages of the API's list, soonest first: a page is read when its rows are about to be handed out,
and the ledger's targets on it go to the workers with their readings. Then the other targets, in row order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Sequence
from functools import partial

import anyio

from bulk_cancel.core.actions import Look
from bulk_cancel.core.model import Work
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.readings import Source
from bulk_cancel.core.states import SENDABLE, State
from bulk_cancel.engine.breaker import Breaker
from bulk_cancel.engine.context import Context
from bulk_cancel.engine.list_walk import PAGE_SIZE, ListWalk

_CHUNK = 1000
#: From this number of rows of an acting user on, pages may take fewer requests than single reads.
WORTH_PAGES = 3
#: Seconds within which the rows of a page should be sent, and after which a waiting row is read again.
_AHEAD_S, _TOO_OLD_S = 45.0, Source.PAGE.value - 5.0
_MOST_FAILED_PAGES = 5
_NEED_NO_CANCEL = (State.ALREADY_CANCELLED, State.NOT_FOUND, State.REJECTED, State.SKIPPED)


class Feed:
    """The sendable targets of a run, each handed out once. Series come in a pass of their own, in row order."""

    def __init__(
        self,
        context: Context,
        breaker: Breaker,
        *,
        series: bool,
        most: int | None = None,
        without: Collection[int] = (),
    ) -> None:
        """Feed the targets of one pass, `most` at most and `without` those of these ids."""
        self._context = context
        self._breaker = breaker
        self.series = series
        # Whether a target must be read first is decided when it is fetched, and each series that is sent changes that.
        self._chunk = 1 if series else _CHUNK
        self._ready: deque[Work] = deque()
        self._after_row = 0
        self._most = most
        self.given: list[Work] = []  #: kept only with `most`
        self._out = set(without)  #: targets that workers have, or could not settle
        self._walks: list[ListWalk] | None = None  #: None: not determined yet
        self._failed_pages = 0
        self._reads_singly: bool | None = None
        self._paged_at, self._given_since = -math.inf, 0
        self._refilling = anyio.Lock()

    async def next(self) -> Work | None:
        """Return the next target; None when there is none or the intake has closed."""
        if not self._ready or self._is_old(self._ready[0]):
            async with self._refilling:
                self._drop_old()
                while not self._ready and not self._context.intake.closed and await self._refill():
                    continue
        if not self._ready or self._context.intake.closed or self._most == len(self.given):
            return None
        work = self._ready.popleft()
        self._out.add(work.target_id)
        self._given_since += 1
        if self._most is not None:
            self.given.append(work)
        return work

    def done(self, work: Work) -> None:
        """Take note that a worker is done with a target. One that it could not settle is not handed out again."""
        if work.state not in SENDABLE:
            self._out.discard(work.target_id)

    async def _refill(self) -> bool:
        """Fetch more targets; False at the end. True does not promise that any were fetched."""
        if self._walks is None:
            self._walks = await self._lists()
        while self._walks and not self._walks[0].is_worth_it:
            self._walks.pop(0)
        return await (self._refill_by_page(self._walks[0]) if self._walks else self._refill_by_rows())

    async def _lists(self) -> list[ListWalk]:
        """Return walks through the lists of the users who have enough rows."""
        context = self._context
        if self.series or self._most is not None or context.limits.look is not Look.AUTO:
            return []
        run_no, scope = context.run_no, context.scope
        users = await context.commits.ask(lambda ledger: ledger.acting_users(run_no, scope=scope))
        read, now = partial(context.read_page, context.lines[0]), context.clock.now()
        return [ListWalk(read, user, now, wanted=count) for user, count in users.items() if count >= WORTH_PAGES]

    async def _refill_by_page(self, walk: ListWalk) -> bool:
        """Read a page once its rows can be sent: after an outage, and in the send window."""
        context, size = self._context, self._rows_ahead()
        await self._breaker.passage(context.lines[0])
        if not await context.hours():
            return False
        shown = await walk.step(size)
        self._failed_pages = self._failed_pages + 1 if shown is None else 0
        if shown is None:
            walk.ended = self._failed_pages >= _MOST_FAILED_PAGES
            await context.pause(2.0**self._failed_pages)
            return True
        run_no, scope = context.run_no, context.scope
        found = await context.commits.ask(lambda ledger: ledger.listed_work(run_no, shown.keys(), scope=scope))
        for work in found:
            work.reading = shown[work.target.appointment_id]
        walk.count(len(found), size)
        self._paged_at, self._given_since = context.clock.monotonic(), 0
        self._take(sorted(found, key=_start))
        return True

    def _rows_ahead(self) -> int:
        """Return how many rows can be sent while a page is fresh: by the pace, and by the speed so far."""
        context, lasted_s = self._context, self._context.clock.monotonic() - self._paged_at
        by_speed = self._given_since / lasted_s * _AHEAD_S if 0 < lasted_s < math.inf else PAGE_SIZE
        most = max(10, min(PAGE_SIZE, int(by_speed)))
        fits = (rows for rows in range(most, 0, -1) if context.limiter.duration_s(rows + 1) <= _AHEAD_S)
        return next(fits, 1)

    def _is_old(self, work: Work) -> bool:
        reading = work.reading
        return reading is not None and self._context.clock.monotonic() - reading.taken_at > _TOO_OLD_S

    def _drop_old(self) -> None:
        """Drop targets whose readings are too old, and read the list again from there on."""
        if not self._ready or not self._walks or not self._is_old(self._ready[0]):
            return
        starts = [start for work in self._ready if (start := _start(work)) < math.inf]
        self._ready.clear()
        if starts:
            self._walks[0].go_to(min(*starts, self._walks[0].since))

    async def _refill_by_rows(self) -> bool:
        context, run_no, after_row = self._context, self._context.run_no, self._after_row
        if self._reads_singly is None:
            self._reads_singly = await self._is_cheap()
        # Await nothing else before `_take`: a target that a worker settles meanwhile would be handed out again.
        found = await context.commits.ask(
            lambda ledger: ledger.work(run_no, after_row, series=self.series, limit=self._chunk, scope=context.scope)
        )
        if not found:
            return False
        self._after_row = found[-1][0]
        for _, work in found:
            work.is_looked_at = self._reads_singly
        self._take([work for _, work in found])
        return True

    async def _is_cheap(self) -> bool:
        """Return whether the remaining targets are read singly: it costs no time, or they are at most a tenth."""
        context = self._context
        if context.limits.look is not Look.AUTO:
            return False
        if self._most is not None:
            return True
        run_no, scope, counters = context.run_no, context.scope, context.counters
        left = await context.commits.ask(lambda ledger: ledger.sendable_count(run_no, scope))
        left = max(0, left - len(self._out))
        cancels = counters.targets - sum(counters.states[state] for state in _NEED_NO_CANCEL)
        return left * 10 <= cancels or context.limiter.duration_s(2 * left) == 0

    def _take(self, found: Sequence[Work]) -> None:
        self._ready.extend(work for work in found if work.target_id not in self._out)


def _start(work: Work) -> float:
    """Return the start as the sort key: people with an appointment tomorrow are told before those of next week."""
    seen = work.reading.appointment if work.reading else None
    starts_at = moment_of(seen.start if seen else work.start)
    return math.inf if starts_at is None else starts_at
