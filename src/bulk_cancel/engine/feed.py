"""Feeds workers from the ledger in chunks, so that memory stays flat whatever the size of the run."""

from __future__ import annotations

import math
from collections import deque

import anyio

from bulk_cancel.core.actions import moment_of
from bulk_cancel.core.model import Work
from bulk_cancel.engine.context import Context

_CHUNK = 1000


class Feed:
    """The sendable targets of a run in row order, each given out once. Series come in a pass of their own."""

    def __init__(self, context: Context, *, series: bool, most: int | None = None) -> None:
        self._context = context
        self.series = series
        # Whether a target must be read first is decided when it is fetched, and each series sent changes the answer.
        self._chunk = 1 if series else _CHUNK
        self._ready: deque[Work] = deque()
        self._after_row = 0
        self._most = most
        self.given: list[Work] = []  #: kept only when there is a limit to how many are given
        self._refilling = anyio.Lock()

    async def next(self) -> Work | None:
        """Return the next target; None when there is none or the intake has closed."""
        if not self._ready:
            await self._refill()
        if not self._ready or self._context.intake.closed or self._most == len(self.given):
            return None
        work = self._ready.popleft()
        if self._most is not None:
            self.given.append(work)
        return work

    async def _refill(self) -> None:
        async with self._refilling:
            if self._ready:
                return
            found = await self._fetch()
            if found and self._knows_starts() and self._chunk > 1:
                await self._refill_soonest_first()

    async def _fetch(self) -> bool:
        """Take the next chunk from the ledger; False when there is none."""
        run_no, after_row, scope = self._context.run_no, self._after_row, self._context.scope
        found = await self._context.commits.ask(
            lambda ledger: ledger.work(run_no, after_row, series=self.series, limit=self._chunk, scope=scope)
        )
        self._after_row = found[-1][0] if found else after_row
        self._ready.extend(work for _, work in found)
        return bool(found)

    async def _refill_soonest_first(self) -> None:
        """Who has an appointment tomorrow hears of it before who has one next week, where the starts are known."""
        while await self._fetch():
            continue
        self._ready = deque(sorted(self._ready, key=self._start))

    def _knows_starts(self) -> bool:
        foresight = self._context.foresight
        return bool(foresight.seen or any(expected.start for expected in foresight.expected.values()))

    def _start(self, work: Work) -> float:
        starts_at = moment_of(self._context.foresight.start_of(work))
        return math.inf if starts_at is None else starts_at
