"""The program's line to the world: connects, lets a request leave, and waits for the answer as long as a line does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bulk_cancel.api.port import ApiSettings, Listed, Page, Query, at_once
from bulk_cancel.core.clock import SEND_WITHIN_S
from bulk_cancel.core.model import Answer, Appointment, Request, Target
from world.api import Answered, Departure
from world.queue import EPOCH
from world.truth import Meeting

if TYPE_CHECKING:
    import random

    from world.process import Process


@dataclass
class WorldLine:
    """A `Line` into the world, of one process."""

    process: Process
    settings: ApiSettings

    async def cancel(self, target: Target, request: Request, may_leave: Callable[[], bool] = at_once) -> Answer:
        rng = self.process.api.draw("post", f"{target.appointment_id}/{target.attendee_id}")
        return (await self._exchange("post", target, request, rng, may_leave)).about(target.appointment_id)

    async def read(self, target: Target, request: Request) -> Answer:
        rng = self.process.api.draw("get", target.appointment_id)
        return (await self._exchange("get", target, request, rng)).about(target.appointment_id)

    async def page(self, query: Query) -> Page:
        rng = self.process.api.draw("list", str(query.page))
        kind = "probe" if query.start is None else "list"
        answer = await self._exchange(kind, None, Request(user_id=query.user_id), rng)
        is_list = answer.status == 200 and answer.message != "html"
        return Page(answer, self._listed(query, rng, answer.age_s) if is_list else None)

    async def users(self, limit: int, offset: int) -> Listed[str]:
        return Listed(Answer(200), ())

    async def aclose(self) -> None: ...

    async def _exchange(
        self,
        kind: str,
        target: Target | None,
        request: Request,
        rng: random.Random,
        may_leave: Callable[[], bool] = at_once,
    ) -> Answer:
        """Bound the whole exchange in time; a connection that stands too late sends nothing, as the real line does."""
        process, departure, answer = self.process, None, None
        request = replace(request, user_id=request.user_id or self.settings.user_id)
        started, began = process.host.elapsed(), process.host.clock.now
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                answer = await self._connect(rng)
                is_late = process.host.elapsed() - started > SEND_WITHIN_S
                if answer is None and (is_late or not may_leave()):
                    answer = Answer(bytes_left=False, message="the connection stood too late")
                if answer is None:
                    departure = process.depart(began, kind, self.settings.credential.fingerprint, target, request)
                    answer = await self._answer(departure, request, rng)
        except TimeoutError:
            answer = Answer(bytes_left=departure is not None, message="no complete answer")
        process.answered(departure, answer, target if kind == "post" else None, began)
        return answer

    async def _connect(self, rng: random.Random) -> Answer | None:
        api = self.process.api
        refused, slow, connect_s = (
            api.meets("unreachable", rng, 0.4),
            api.meets("unreachable", rng, 0.2),
            rng.choice((rng.uniform(5, 40), rng.uniform(8, 14.9))),
        )
        if slow:
            api.count("slow connect")
            await asyncio.sleep(connect_s)
        if refused:
            api.count("connection refused")
            await asyncio.sleep(0.01)
            return Answer(bytes_left=False, message="connection refused")
        return None

    async def _answer(self, departure: Departure, request: Request, rng: random.Random) -> Answer:
        process, loop = self.process, asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def deliver(answered: Answered) -> None:
            departure.not_processed = answered.not_processed
            if process.is_alive and not future.done() and not loop.is_closed():
                future.set_result(answered.answer)

        def arrive() -> None:
            answered = process.api.hear(departure, request, rng)
            departure.what = answered.what
            process.api.note("heard", departure.number, answered.what)
            if answered.answer.status is not None or answered.delay_s < 1e8:
                clock = process.host.clock
                clock.at(clock.now + answered.delay_s, lambda: deliver(answered))

        clock = process.host.clock
        clock.at(clock.now + process.api.transit_s(departure), arrive)
        return await future

    def _listed(self, query: Query, rng: random.Random, age_s: float) -> tuple[Appointment, ...]:
        """Return a page by start: as it is, shifted, with gaps, with short documents, or as a replica had it."""
        api, now = self.process.api, self.process.host.clock.now
        lag_s = api.lag(rng) + age_s
        since = query.start if api.scenario.by_the_clock else None  # it is what the wall clock shows, at first
        begins = datetime.fromisoformat(since).timestamp() - EPOCH if since else float("-inf")
        user_id = query.user_id or self.settings.user_id
        shown = [one for one in api.truth.meetings.values() if one.exists and api.may_see(one, user_id)]
        listed = sorted(
            (one for one in shown if one.starts_at >= begins),
            key=lambda meeting: (meeting.starts_at, meeting.appointment_id),
        )
        shift = rng.choice((-1, 1, 2)) if api.meets("odd_pages", rng) else 0
        gaps = api.meets("odd_pages", rng)
        first = max(0, query.page * query.page_size + shift)
        found = [self._entry(meeting, now - lag_s, rng) for meeting in listed[first : first + query.page_size]]
        if shift or gaps:
            api.count("odd page")
        return tuple(entry for entry in found if not (gaps and rng.random() < 0.3))

    def _entry(self, meeting: Meeting, at: float, rng: random.Random) -> Appointment:
        entry = meeting.as_of(at)
        if self.process.api.meets("slim", rng):
            self.process.api.count("slim entry")
            known = entry.is_cancelled if rng.random() < 0.4 else None
            return replace(
                entry, is_cancelled=known, attendee_ids=None, removed_ids=frozenset(), host_ids=None, start=None
            )
        return entry
