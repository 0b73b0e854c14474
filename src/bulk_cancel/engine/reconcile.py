"""Reads the API's truth to settle unknown targets. Never sends a cancel.

A read that shows a target cancelled settles it at once. A read that shows it active proves nothing while an unanswered
cancel may still be applied: only when the settle time has passed since the sending run gave it up (since the intent,
where that run died), and a second read some seconds later agrees, may the target be sent again. What no read can settle
after that time (no such appointment, one cancelled occurrence of a series, a document that does not tell) stays unknown
and is recorded as undecided, with the reason: a person decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import anyio
from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

from bulk_cancel.api.port import Line, Query
from bulk_cancel.core.model import Answer, Appointment, Scope, Work
from bulk_cancel.core.outcome import resolve_unknown, why_undecided
from bulk_cancel.core.readings import Reading, ReadResult, Source, see
from bulk_cancel.core.states import Event
from bulk_cancel.engine.context import Context, appointments_by_id
from bulk_cancel.engine.retrying import random_wait
from bulk_cancel.engine.unknowns import due_in_s
from bulk_cancel.ledger.port import Ledger, Unknown

_CHUNK = 1000
#: From so many on, a page of 100 appointments may settle more than a single read.
_WORTH_PAGES = 10


@dataclass
class Reconciled:
    """What a reconcile came to."""

    settled: int = 0  #: found cancelled
    sendable: int = 0  #: proven not applied
    unknown: int = 0  #: still without proof
    due_in_s: float = 0.0  #: until the last of them is past its settle time
    undecided: int = 0  #: of the unknown ones, those that no read can settle: a person has to decide


class Reconciler:
    """Goes through all unknown targets of its scope."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._result = Reconciled()

    async def run(self) -> Reconciled:
        """Settle what can be settled now."""
        self._result = Reconciled()
        async for chunk in self._unknown():
            left = await self._by_pages(chunk)
            await self._by_single_reads(left)
        return self._result

    async def _unknown(self) -> AsyncIterator[list[Unknown]]:
        after = 0
        while not self._context.intake.closed:
            chunk = await self._context.commits.ask(partial(_next_unknown, after, self._context.scope))
            if not chunk:
                return
            after = chunk[-1].work.target_id
            yield chunk

    async def _by_pages(self, unknown: list[Unknown]) -> list[Unknown]:
        """Read the list of coming appointments as long as a page settles more than single reads would."""
        left = {item.work.target.appointment_id: item for item in unknown}
        users = {item.work.request.user_id for item in unknown}
        if len(left) != len(unknown) or len(left) < _WORTH_PAGES or len(users) != 1:
            return unknown
        (user_id,) = users
        start = datetime.fromtimestamp(self._context.clock.now(), UTC).isoformat(timespec="seconds")
        for number in range(len(left)):
            page = await self._context.read_page(self._context.lines[0], Query(number, start=start, user_id=user_id))
            if page is None or not page.appointments:
                break
            listed = appointments_by_id(page)
            found = [appointment_id for appointment_id in listed if appointment_id in left]
            for appointment_id in found:
                seen, work = listed[appointment_id], left[appointment_id].work
                reading = Reading(appointment_id, seen, self._context.clock.elapsed(), Source.PAGE)
                if see(work.target, reading, attended=work.attended) is ReadResult.CANCELLED:
                    await self._settle(left.pop(appointment_id), seen)
            if len(found) < 2:
                break
        return list(left.values())

    async def _by_single_reads(self, unknown: Sequence[Unknown]) -> None:
        """Read each; those that are active and old enough are read once more after the confirmation time."""
        active = [item for item in unknown if await self._look(item) is ReadResult.ACTIVE]
        old_enough = [item for item in active if self._due_in_s(item) <= 0]
        for item in active:
            if self._due_in_s(item) > 0:
                self._keep(item)
        if old_enough and await self._pause(self._context.limits.confirm_s):
            for item in old_enough:
                await self._confirm(item)
        else:
            for item in old_enough:
                self._keep(item)

    async def _look(self, item: Unknown) -> ReadResult:
        """Read one target; settle it when it is cancelled. An active one is left to the caller."""
        reading = await read_surely(self._context, self._context.lines[0], item.work)
        sight = see(item.work.target, reading, attended=item.work.attended)
        if sight is ReadResult.CANCELLED and reading is not None:
            await self._settle(item, reading.appointment)
        elif sight is not ReadResult.ACTIVE:
            if reading is not None and self._due_in_s(item) <= 0:
                await self._leave_to_a_person(item, reading.refusal or why_undecided(sight))
            self._keep(item)
        return sight

    async def _leave_to_a_person(self, item: Unknown, why: str) -> None:
        self._result.undecided += 1
        if not item.undecided:
            await self._context.move(item.work, Event.UNDECIDED, detail=f"{why}; tell with: bulk-cancel resolve")

    async def _confirm(self, item: Unknown) -> None:
        if await self._look(item) is ReadResult.ACTIVE:
            await self._context.move(item.work, Event.SEEN_ACTIVE, detail="found active after the settle time, twice")
            self._result.sendable += 1

    async def _settle(self, item: Unknown, seen: Appointment | None) -> None:
        event = resolve_unknown(item.intent_at, seen)
        await self._context.move(item.work, event, Answer(appointment=seen), _told_by(seen))
        self._result.settled += 1

    def _keep(self, item: Unknown) -> None:
        self._result.unknown += 1
        self._result.due_in_s = max(self._result.due_in_s, self._due_in_s(item))

    def _due_in_s(self, item: Unknown) -> float:
        return due_in_s(item, self._context.clock, self._context.limits.settle_s)

    async def _pause(self, seconds: float) -> bool:
        with self._context.intake.waiting():
            await anyio.sleep(seconds)
        return not self._context.intake.closed


def _next_unknown(after_target: int, scope: Scope, ledger: Ledger) -> list[Unknown]:
    return ledger.unknown(after_target, _CHUNK, scope)


async def read_surely(context: Context, line: Line, work: Work) -> Reading | None:
    """Read a target, again after a pause when the answer proves nothing; None when it stays so or the intake closed."""

    async def sleep(seconds: float) -> None:
        with context.intake.waiting():
            await anyio.sleep(seconds)

    retrying = AsyncRetrying(
        stop=stop_after_attempt(3),
        wait=random_wait(context.limiter.jitter, 0.5, 10),
        retry=retry_if_result(lambda reading: reading is None and not context.intake.closed),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        sleep=sleep,
    )
    reading: Reading | None = await retrying(context.reading, line, work)
    return reading


def _told_by(appointment: Appointment | None) -> str:
    by = f" by {appointment.cancelled_by}" if appointment and appointment.cancelled_by else ""
    return f"a read shows it cancelled{by}"
