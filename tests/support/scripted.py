"""A scripted API and a ledger in memory, for tests of the engine in virtual time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import structlog

from bulk_cancel.api.port import Page, Query, at_once
from bulk_cancel.core.model import Answer, Appointment, Entry, Request, Scope, Target, Work
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import OPEN, SENDABLE, Event, State, next_state
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.counters import Counters
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.ledger.port import Unknown

NO_ANSWER = Answer(message="reset")
NOT_SENT = Answer(bytes_left=False, message="refused")


def said(status: int, message: str = "no") -> Answer:
    """Return an error in the API's own words; without them a status is a gateway's."""
    return Answer(status, message=message, is_api_error=True)


def cancelled(target: Target) -> Answer:
    return Answer(201, appointment=Appointment(target.appointment_id, is_cancelled=True))


def active(target: Target) -> Answer:
    return Answer(200, appointment=Appointment(target.appointment_id, is_cancelled=False))


@dataclass
class ScriptedLine:
    """Answers cancels and reads as the script says, and notes when each came."""

    clock: Clock
    on_cancel: Callable[[Target], Answer] = cancelled
    on_read: Callable[[Target], Answer] = active
    on_page: Callable[[], Answer] = lambda: Answer(200)
    listed: list[Appointment] = field(default_factory=list)
    connect_s: float = 0.0  #: before a cancel leaves
    posts: list[tuple[float, str]] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)

    async def cancel(self, target: Target, request: Request, may_leave: Callable[[], bool] = at_once) -> Answer:
        if self.connect_s:
            await anyio.sleep(self.connect_s)
        if not may_leave():
            return NOT_SENT
        self.posts.append((self.clock.monotonic(), target.appointment_id))
        return self.on_cancel(target)

    async def read(self, target: Target, request: Request) -> Answer:
        self.reads.append(self.clock.monotonic())
        return self.on_read(target)

    async def page(self, query: Query) -> Page:
        self.pages.append(self.clock.monotonic())
        answer, first = self.on_page(), moment_of(query.start) or 0.0
        coming = [one for one in self.listed if one.start is None or (moment_of(one.start) or 0.0) >= first]
        part = coming[query.page * query.page_size : (query.page + 1) * query.page_size]
        return Page(answer, tuple(part) if answer.status == 200 else None)

    async def aclose(self) -> None: ...


class MemoryCommits:
    """Stands in for the group commit: no threads, so that virtual time holds. Refuses what the law forbids."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.states: dict[int, State] = {}
        self.unknowns: list[Unknown] = []
        self.rows: list[Work] = []
        self.elsewhere: set[int] = set()  #: targets of another account

    async def record(self, *entries: Entry) -> None:
        for entry in entries:
            assert self.states.get(entry.target_id, State.PENDING) is entry.was
            self.states[entry.target_id] = next_state(entry.was, entry.event)
            self.entries.append(entry)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self)

    def unknown(self, after_target: int, limit: int, scope: Scope | None = None) -> list[Unknown]:
        left = [item for item in self.unknowns if self.states[item.work.target_id] is State.UNKNOWN]
        left = [item for item in left if scope is None or item.work.target_id not in self.elsewhere]
        return [item for item in left if item.work.target_id > after_target][:limit]

    def stage(self, *rows: Work) -> None:
        """Have these targets in the ledger, in row order."""
        self.rows.extend(rows)

    def _sendable(self) -> list[Work]:
        """Copies, as a ledger makes them of what it holds."""
        states = {row.target_id: self.states.get(row.target_id, State.PENDING) for row in self.rows}
        return [replace(row, state=states[row.target_id]) for row in self.rows if states[row.target_id] in SENDABLE]

    def work(self, run_no: int, after_row: int, *, series: bool, limit: int, scope: Scope) -> list[tuple[int, Work]]:
        undecided = {entry.target_id for entry in self.entries if entry.event is Event.UNDECIDED}
        waits_for = [row for row in self.rows if row.target.entire_series and row.target_id not in undecided]
        if any(self.states.get(row.target_id) in OPEN for row in waits_for):
            return []  # every target waits while a series is open
        rows = [(row.target_id, row) for row in self._sendable() if row.target.entire_series is series]
        return [(number, row) for number, row in rows if number > after_row][:limit]

    def listed_work(self, run_no: int, appointment_ids: Collection[str], *, scope: Scope) -> list[Work]:
        return [row for row in self._sendable() if row.target.appointment_id in appointment_ids]

    def acting_users(self, run_no: int, *, scope: Scope) -> dict[str | None, int]:
        return dict(Counter(row.request.user_id for row in self._sendable()))

    def sendable_count(self, run_no: int, scope: Scope) -> int:
        return len(self._sendable())

    def recover(self, run_no: int, at: float, scope: Scope) -> int:
        return 0

    def unknown_count(self, scope: Scope) -> int:
        return sum(state in OPEN for target_id, state in self.states.items() if target_id not in self.elsewhere)

    def hold(self, *items: Unknown, elsewhere: bool = False) -> None:
        """Have these targets unknown, as an earlier run left them; `elsewhere`: they are another account's."""
        for item in items:
            item.work.state, item.work.attempts = State.UNKNOWN, 1
            self.states[item.work.target_id] = State.UNKNOWN
            self.unknowns.append(item)
            self.elsewhere |= {item.work.target_id} if elsewhere else set()

    def events(self, target_id: int = 1) -> list[Event]:
        return [entry.event for entry in self.entries if entry.target_id == target_id]


def context_of(clock: Clock, line: ScriptedLine, limits: Limits | None = None) -> tuple[Context, MemoryCommits]:
    commits: Any = MemoryCommits()
    context = Context(
        run_no=1,
        commits=commits,
        limiter=Limiter(Pace(100, 1000), clock, clock.monotonic(), random.Random(1)),
        clock=clock,
        intake=Intake(),
        counters=Counters(targets=100),
        limits=limits or Limits(),
        log=structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=structlog.make_filtering_bound_logger(50)),
        lines=[line],
    )
    return context, commits


def works(count: int) -> Iterator[Work]:
    for number in range(1, count + 1):
        target = Target(f"00000000-0000-4000-8000-{number:012}")
        yield Work(number, target, Request(), State.PENDING, attempts=0)
