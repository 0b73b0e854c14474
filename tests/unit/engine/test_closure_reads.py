"""The reads after a search with a scripted line: their number, and what becomes a doubt."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date

import pytest
import structlog

from bulk_cancel.api.port import Listed, Page, PendingQuery, Query, SlotsQuery
from bulk_cancel.core.closure import Offer, PendingBooking
from bulk_cancel.core.model import Answer, Appointment
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.selection import Days, Selection
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.engine.closure_reads import MOST_REQUESTS, ClosureReads
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.reader import Reader
from bulk_cancel.engine.search import Search
from bulk_cancel.errors import UnreachableError

pytestmark = pytest.mark.anyio

DAYS = Days(date(2026, 12, 24), date(2026, 12, 24), UTC)
START = "2026-12-24T09:00:00Z"
OK = Answer(200)
LOG = structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=structlog.make_filtering_bound_logger(50))


def booking(name: str, start: str = START, host: str = "me") -> PendingBooking:
    return PendingBooking(name, "double_opt_in", start, (host,))


@dataclass
class ClosureLine:
    """Answers the reads of a closure; `asked` notes what was asked for."""

    listed: tuple[Appointment, ...] = ()
    bookings: Callable[[PendingQuery], tuple[PendingBooking, ...]] = lambda _: ()
    total: int | None = None
    types: tuple[str, ...] = ("t",)
    starts: Callable[[SlotsQuery], tuple[str, ...] | None] = lambda _: ()
    asked: list[object] = field(default_factory=list)

    async def page(self, query: Query) -> Page:
        return Page(OK, self.listed if query.page == 0 else (), total=len(self.listed))

    async def me(self) -> Listed[str]:
        return Listed(OK, ("me",))

    async def pending(self, query: PendingQuery) -> Listed[PendingBooking]:
        self.asked.append(query)
        found = self.bookings(query)
        return Listed(OK, found, 0, self.total, len(found))

    async def meeting_types(self, user_id: str | None) -> Listed[str]:
        return Listed(OK, self.types)

    async def slots(self, query: SlotsQuery) -> Listed[str]:
        self.asked.append(query)
        return Listed(OK, self.starts(query))


async def read(line: ClosureLine, **wanted: object) -> ClosureReads:
    clock = system_clock()
    limiter = Limiter(Pace(1000, 1000), clock, clock.monotonic(), random.Random(1))
    reader = Reader(line, limiter, LOG)  # type: ignore[arg-type]  # it reads and never cancels
    search = Search(reader, Selection(DAYS, **wanted))  # type: ignore[arg-type]
    await search.run()
    reads = ClosureReads(reader, acts_for_all=False)
    await reads.run(search)
    return reads


async def test_bookings_of_other_days_are_left_out() -> None:
    found = (booking("a"), booking("b", "2026-12-25T00:00:00Z"), booking("c", "2026-12-23T23:59:59Z"))
    line = ClosureLine(bookings=lambda query: found if query.status == "pending" and query.page == 0 else ())
    reads = await read(line)
    assert [*reads.pending] == ["a"]
    assert not reads.pending_doubts


async def test_a_short_first_page_of_bookings_is_not_taken_for_the_end() -> None:
    names = [f"b{number}" for number in range(30)]

    def page(query: PendingQuery) -> tuple[PendingBooking, ...]:
        first = query.page * 10
        return tuple(map(booking, names[first : first + 10])) if query.status == "pending" else ()

    reads = await read(ClosureLine(bookings=page))
    assert len(reads.pending) == 30
    assert not reads.pending_doubts


async def test_bookings_that_are_counted_and_not_shown_are_a_doubt() -> None:
    page = (booking("a"),)
    reads = await read(ClosureLine(bookings=lambda query: page if query.status == "pending" else (), total=50))
    assert "The API counts 50 bookings as pending and shows 1." in reads.pending_doubts


async def test_the_same_bookings_under_another_status_are_a_doubt_and_nothing_pending() -> None:
    reads = await read(ClosureLine(bookings=lambda _: (booking("a"),), total=1))
    assert not reads.pending
    assert "ignores the filter by status" in reads.pending_doubts[0]


async def test_bookings_of_others_than_were_asked_for_are_a_doubt() -> None:
    line = ClosureLine(bookings=lambda query: (booking("a"),) if query.status == "pending" else ())
    reads = await read(line, host_ids=("other",), meeting_type_id="t")
    assert reads.pending_doubts[0] == "Asked for the bookings of host other, the API lists those of others."


async def test_the_most_booked_meeting_type_is_read_first() -> None:
    booked = ["rare", "often", "often"]
    listed = tuple(
        Appointment(f"{number:036}", False, start=START, host_ids=("me",), meeting_type_id=name)
        for number, name in enumerate(booked)
    )
    line = ClosureLine(listed, types=("own", "often"), starts=lambda _: (START, "2026-12-25T09:00:00Z"))
    reads = await read(line)
    asked = [query.offer.meeting_type_id for query in line.asked if isinstance(query, SlotsQuery)]
    assert asked == ["often", "rare", "own"]
    assert reads.slots[Offer("own", "me")] == (START,)


async def test_no_more_requests_than_allowed_and_what_was_not_asked_about_is_a_doubt() -> None:
    line = ClosureLine(types=tuple(f"t{number}" for number in range(100)))
    reads = await read(line)
    assert len(line.asked) <= MOST_REQUESTS
    assert len(reads.slots) < 100
    assert f"{len(reads.slots)} of 100 meeting types and hosts were read" in reads.slot_doubts[0]


async def test_an_unknown_shape_is_asked_for_once_and_is_a_doubt() -> None:
    line = ClosureLine(starts=lambda _: None)
    reads = await read(line)
    assert len([query for query in line.asked if isinstance(query, SlotsQuery)]) == 1
    assert reads.slot_doubts == ["The API shows what can be booked in a shape that is not known."]


async def test_a_pause_that_a_read_is_asked_for_is_saved_at_once() -> None:
    """A command that is killed in it leaves the pause to the next one."""
    clock, saved = system_clock(), list[float]()
    limiter = Limiter(Pace(1000, 1000), clock, clock.monotonic(), random.Random(1))
    line = ClosureLine(total=0)
    reader = Reader(line, limiter, LOG, lambda record: saved.append(record.tat_mono))  # type: ignore[arg-type]

    async def page(query: Query) -> Page:
        return Page(Answer(429, retry_after_s=3600.0, is_api_error=True), None)

    line.page = page  # type: ignore[method-assign]
    with pytest.raises(UnreachableError):
        await reader.page(Query(0))
    assert saved[-1] >= clock.monotonic() + 3500
