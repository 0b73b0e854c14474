"""Reads the appointments of one account for a plan: pages of its list, then single reads of the others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bulk_cancel.access.rate_limits import limiter_of, remember
from bulk_cancel.access.setup import Setup
from bulk_cancel.api.port import ApiSettings, Query
from bulk_cancel.core.actions import NOTHING_EXPECTED, Action, Decision, Look, SkipRules, decide
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import PlanLine, request_of, target_of
from bulk_cancel.core.readings import Reading
from bulk_cancel.engine.feed import WORTH_PAGES
from bulk_cancel.engine.list_walk import PAGE_SIZE, ListWalk
from bulk_cancel.engine.reader import ATTEMPTS, Reader
from bulk_cancel.errors import NoAnswerError

#: Most pages that a plan reads, and keeps in memory, for one account.
MOST_PAGES = 200
#: After this number of appointments in a row that could not be read, each is asked for once only.
_MOST_IN_A_ROW = 5
#: Every line is decided by a reading. (Unknown targets are settled by reconcile; their readings only fill in reasons.)
_MUST_BE_READ = replace(NOTHING_EXPECTED, must_be_read=True)


@dataclass
class AccountReads:
    """The reads for one account. Contacts are read to count people, and kept in memory only."""

    setup: Setup
    settings: ApiSettings
    pace: Pace
    look_at: Look
    known_pace: PaceRecord | None = None  #: what the ledger knows of the limiter
    reader: Reader | None = None  #: of the looks that go on
    _past_requests: int = 0
    _rows_per_request: int = PAGE_SIZE  #: at most, of what is read now
    _walks: dict[str | None, ListWalk] = field(default_factory=dict)
    _unread: dict[str, str] = field(default_factory=dict)  #: appointments that could not be read -> why, a clause
    _unread_in_a_row: int = 0

    @property
    def requests(self) -> int:
        """How many requests the looks took so far."""
        return self._past_requests + (self.reader.requests if self.reader else 0)

    def left_s(self, unread: int) -> float:
        """Return how long it takes at least to read so many rows, by the limit. A list may have more pages."""
        requests = math.ceil(unread / self._rows_per_request)
        return self.reader.limiter.duration_s(requests) if self.reader else 0.0

    async def look(self, lines: Sequence[PlanLine], seen: dict[str, Reading]) -> list[PlanLine]:
        """Read the appointments of lines that would be sent; return the decided lines. Raises as the reader does."""
        machine, key = self.setup.machine, self.settings.credential.fingerprint
        line = machine.line_factory(replace(self.settings, with_contacts=True))()
        limiter = limiter_of(self.pace, key, machine, self.known_pace)
        reader = Reader(line, limiter, self.setup.log, partial(remember, machine, key), self.settings.credential.origin)
        self.reader = reader
        try:
            return await self._looked_at(lines, seen, reader)
        finally:
            self.reader, self._past_requests = None, self.requests
            reader.remember(reader.limiter.record())
            await line.aclose()

    async def _looked_at(self, lines: Sequence[PlanLine], seen: dict[str, Reading], reader: Reader) -> list[PlanLine]:
        self._rows_per_request = PAGE_SIZE
        await self._read_pages(lines, seen, reader)
        left = sum(self._is_unread(line, seen) for line in lines)
        if left and (self.look_at is Look.EACH or left * 10 <= len(lines) or _is_free(reader, left + len(lines))):
            self._rows_per_request = 1
            for line in lines:
                if self._is_unread(line, seen) and line.row.appointment_id not in self._unread:
                    await self._read_one(line, seen, reader)
        return [self._told(line, seen) for line in lines]

    async def _read_one(self, line: PlanLine, seen: dict[str, Reading], reader: Reader) -> None:
        """Read one appointment. That it cannot be read is the row's trouble where the API answers other questions."""
        appointment_id, attempts = str(line.row.appointment_id), ATTEMPTS
        if self._unread_in_a_row >= _MOST_IN_A_ROW:
            attempts = replace(ATTEMPTS, count=1)
        try:
            seen[appointment_id] = await reader.read(target_of(line.row), request_of(line.row), attempts)
            self._unread_in_a_row = 0
        except NoAnswerError as error:
            await self._refuse_silence(line.row.user_id, reader)
            self._unread[appointment_id] = error.why
            self._unread_in_a_row += 1

    async def _refuse_silence(self, user_id: str | None, reader: Reader) -> None:
        """Raise UnreachableError where the API does not even show the beginning of its list, which every run needs."""
        await reader.page(Query(0, page_size=1, user_id=user_id))

    async def _read_pages(self, lines: Sequence[PlanLine], seen: dict[str, Reading], reader: Reader) -> None:
        """Read pages of coming appointments while they show rows. Each acting user has a list of their own."""
        by_user: defaultdict[str | None, set[str]] = defaultdict(set)
        for line in lines:
            if line.row.appointment_id not in seen:
                by_user[line.row.user_id].add(str(line.row.appointment_id))
        for user_id, wanted in by_user.items():
            if len(wanted) >= WORTH_PAGES:
                await self._read_list(user_id, wanted, seen, reader)

    async def _read_list(self, user_id: str | None, wanted: set[str], seen: dict[str, Reading], reader: Reader) -> None:
        """Read pages of one list. Readings that no row of this chunk needs are kept for later chunks."""
        walk = self._walks.setdefault(user_id, ListWalk(reader.page, user_id, self.setup.machine.clock.now()))
        walk.read, walk.wanted = reader.page, walk.wanted + len(wanted)
        while wanted and walk.is_worth_it and sum(walk.pages for walk in self._walks.values()) < MOST_PAGES:
            try:
                shown = await walk.step() or {}
            except NoAnswerError:
                await self._refuse_silence(user_id, reader)
                walk.ended = True
                return
            walk.count(len(wanted & shown.keys()))
            seen.update(shown)
            wanted -= shown.keys()

    def _is_unread(self, line: PlanLine, seen: Mapping[str, Reading]) -> bool:
        return self._decided(line, seen).action is Action.READ_FIRST

    def _told(self, line: PlanLine, seen: Mapping[str, Reading]) -> PlanLine:
        """Return a line with its reading and the decision by it; unchanged without a reading."""
        appointment_id = str(line.row.appointment_id)
        if (why := self._unread.get(appointment_id)) is not None:
            return replace(line, why=f"{line.why}; it could not be read: {why}", unread=why)
        reading = seen.get(appointment_id)
        if reading is None:
            return line
        decision = self._decided(line, seen)
        if line.action is Action.READ_FIRST or decision.action is Action.READ_FIRST:
            return replace(line, seen=reading.appointment)
        return replace(line, action=decision.action, why=decision.why, seen=reading.appointment)

    def _decided(self, line: PlanLine, seen: Mapping[str, Reading]) -> Decision:
        """Decide as of the moment of the reading: a plan sends nothing, so readings may be of any age."""
        target, request = target_of(line.row), request_of(line.row)
        reading = seen.get(target.appointment_id)
        at = reading.taken_at if reading else 0.0
        job, now = self.setup.job, self.setup.machine.clock.now()
        rules = SkipRules(now, job.skip_past, job.late_within, at, self.setup.zone)
        return decide(target, request, reading, _MUST_BE_READ, rules)


def _is_free(reader: Reader, requests: int) -> bool:
    """Return whether `requests`, which include the cancels of a later run, cost no time."""
    return reader.limiter.duration_s(requests) == 0
