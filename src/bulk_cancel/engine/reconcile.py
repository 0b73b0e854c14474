"""Reads the API's truth to settle unknown targets. Never sends a cancel.

A read that shows a target cancelled settles it at once. A read that shows it active proves nothing while an unanswered
cancel may still be applied: only when the settle time has passed since the sending run gave it up (since the latest
moment at which it may have left, if that run died), and a second read some seconds later agrees, may the target be
sent again. A target that no read can settle by then (no such appointment, one cancelled occurrence of a series, a
document without the field) stays unknown and is recorded as undecided, with the reason: a person decides.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from bulk_cancel.api.port import Line
from bulk_cancel.core.model import Answer, Appointment, Scope, Work
from bulk_cancel.core.outcome import CACHED, UNVERIFIED, resolve_unknown, why_undecided
from bulk_cancel.core.readings import Reading, ReadResult, see
from bulk_cancel.core.states import Event
from bulk_cancel.engine.context import Context
from bulk_cancel.engine.list_walk import ListWalk
from bulk_cancel.engine.retrying import Attempts
from bulk_cancel.engine.unknowns import due_in_s
from bulk_cancel.ledger.port import Ledger, Unknown

_CHUNK = 1000
#: From this number of unknown targets on, pages of 100 appointments may take fewer requests than single reads.
_WORTH_PAGES = 10
#: Of one target.
_READS = Attempts(3, first_s=0.5, most_s=10)


@dataclass
class Reconciled:
    """The result of a reconcile."""

    settled: int = 0  #: found cancelled
    sendable: int = 0  #: proven not applied
    unknown: int = 0  #: still without proof
    due_in_s: float = 0.0  #: seconds until the last unknown one is past its settle time
    undecided: int = 0  #: unknown ones that no read can settle: a person has to decide
    unverified: list[str] = field(default_factory=list)  #: ids of canaries that no read has shown cancelled


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
        """Read pages of coming appointments while each shows at least two targets; return the targets not settled."""
        left = {item.work.target.appointment_id: item for item in unknown}
        users = {item.work.request.user_id for item in unknown}
        if len(left) != len(unknown) or len(left) < _WORTH_PAGES or len(users) != 1:
            return unknown
        (user_id,) = users
        read = partial(self._context.read_page, self._context.lines[0])
        walk = ListWalk(read, user_id, self._context.clock.now())
        before = set[str]()  # a list may show the same again and again
        while not walk.ended and (shown := await walk.step()):
            found = [appointment_id for appointment_id in shown if appointment_id in left.keys() - before]
            before |= {*found}
            for appointment_id in found:
                reading, work = shown[appointment_id], left[appointment_id].work
                if see(work.target, reading, attended=work.attended) is ReadResult.CANCELLED:
                    await self._settle(left.pop(appointment_id), reading.appointment)
            if len(found) < 2:
                break
        return list(left.values())

    async def _by_single_reads(self, unknown: Sequence[Unknown]) -> None:
        """Read each target; those found active after their settle time are read again after the confirmation time."""
        active = [(item, reading) for item in unknown if (reading := await self._read(item)) is not None]
        if active:
            await self._context.pause(self._context.limits.confirm_s)
        for item, first in active:
            if self._context.intake.closed:
                self._keep(item)
            else:
                await self._confirm(item, first)

    async def _read(self, item: Unknown) -> Reading | None:
        """Read one target and settle it if it is cancelled. Return a reading that may prove it active, or None.

        Such a reading was taken after the settle time; one from a cache is as old as the cache says.
        """
        reading = await read_surely(self._context, self._context.lines[0], item.work)
        shows = see(item.work.target, reading, attended=item.work.attended)
        if reading is not None and shows is ReadResult.CANCELLED:
            await self._settle(item, reading.appointment)
            return None
        if item.unverified:
            await self._leave_to_a_person(item, UNVERIFIED)
            self._result.unverified.append(item.work.target.appointment_id)
            self._keep(item)
            return None
        is_late = reading is not None and self._due_in_s(item, reading.taken_at) <= 0
        if shows is ReadResult.ACTIVE and is_late:
            return reading
        if reading is not None and shows is not ReadResult.ACTIVE and is_late:
            await self._leave_to_a_person(item, reading.refusal or why_undecided(shows))
        elif reading is not None and reading.taken_at == -math.inf and self._due_in_s(item) <= 0:
            await self._leave_to_a_person(item, CACHED)
        self._keep(item, reading)
        return None

    async def _leave_to_a_person(self, item: Unknown, why: str) -> None:
        if not item.undecided:
            self._result.undecided += 1
            await self._context.move(item.work, Event.UNDECIDED, detail=f"{why}; tell with: bulk-cancel resolve")

    async def _confirm(self, item: Unknown, first: Reading) -> None:
        """Read a target again, so much later that no cache repeats the first reading; if active, it may be sent."""
        second = await self._read(item)
        if second is None:
            return
        missing_s = self._context.limits.confirm_s - (second.taken_at - first.taken_at)
        if missing_s > 0:
            self._keep(item)
            self._result.due_in_s = max(self._result.due_in_s, missing_s)
            return
        await self._context.move(item.work, Event.SEEN_ACTIVE, detail="found active after the settle time, twice")
        self._result.sendable += 1

    async def _settle(self, item: Unknown, seen: Appointment | None) -> None:
        event = resolve_unknown(item.intent_at, seen)
        await self._context.move(item.work, event, Answer(appointment=seen), _told_by(seen))
        self._result.settled += 1

    def _keep(self, item: Unknown, reading: Reading | None = None) -> None:
        """Leave it unknown, and note when readings as old as this one (it may be from a cache) can settle it."""
        at = reading.taken_at if reading is not None and reading.taken_at > -math.inf else None
        self._result.unknown += 1
        self._result.undecided += item.undecided  # also where this read tells nothing
        self._result.due_in_s = max(self._result.due_in_s, self._due_in_s(item, at))

    def _due_in_s(self, item: Unknown, at: float | None = None) -> float:
        """Return the seconds from the moment `at`, or from now, until its settle time is over."""
        left_s = due_in_s(item, self._context.clock, self._context.limits.settle_s)
        return left_s if at is None else left_s + self._context.clock.monotonic() - at


def _next_unknown(after_target: int, scope: Scope, ledger: Ledger) -> list[Unknown]:
    return ledger.unknown(after_target, _CHUNK, scope)


async def read_surely(context: Context, line: Line, work: Work) -> Reading | None:
    """Read a target, again after a pause when an answer proves nothing; None when all did, or the intake closed."""

    def again(reading: Reading | None) -> bool:
        return reading is None and not context.intake.closed

    retrying = _READS.retrying(again, context.limiter.jitter, context.pause)
    reading: Reading | None = await retrying(context.reading, line, work)
    return reading


def _told_by(appointment: Appointment | None) -> str:
    by = f" by {appointment.cancelled_by}" if appointment and appointment.cancelled_by else ""
    return f"a read shows it cancelled{by}"
