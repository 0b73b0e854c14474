"""Looks at the present state of a plan's targets, cheaply: a page of coming appointments shows a hundred of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bulk_cancel.api.port import Page, Query
from bulk_cancel.core.actions import NOTHING_EXPECTED, Action, Decision, SkipRules, decide
from bulk_cancel.core.model import Request, Target
from bulk_cancel.core.plan import PlanLine, request_of, target_of
from bulk_cancel.core.readings import Reading, Source
from bulk_cancel.engine.reader import Reader, each_page

#: From so many on, a page may show more of them than a single read.
_WORTH_PAGES = 3
#: An unknown target is settled by the reconcile; the look only tells what a reason's blanks may want.
_MUST_BE_READ = replace(NOTHING_EXPECTED, must_be_read=True)
LOOKED_AT = (Action.CANCEL, Action.READ_FIRST)


@dataclass
class LiveLook:
    """Looks for one plan. `seen` keeps the readings, by appointment."""

    reader: Reader
    rules: SkipRules
    seen: dict[str, Reading] = field(default_factory=dict)

    async def look(self, lines: Sequence[PlanLine]) -> list[PlanLine]:
        """Say for every line that would be sent what the API shows of it. Raises as the reader does."""
        await self._look_at_pages(lines)
        return [await self._looked_at(line) for line in lines]

    async def _look_at_pages(self, lines: Sequence[PlanLine]) -> None:
        """Read the coming appointments by start, as long as pages show targets. Each acting user has an own list."""
        by_user: dict[str | None, set[str]] = {}
        for line in lines:
            if line.action in LOOKED_AT and line.row.appointment_id:
                by_user.setdefault(line.row.user_id, set()).add(line.row.appointment_id)
        for user_id, wanted in by_user.items():
            if len(wanted) >= _WORTH_PAGES:
                await self._look_at_list(user_id, wanted)

    async def _look_at_list(self, user_id: str | None, wanted: set[str]) -> None:
        start = datetime.fromtimestamp(self.rules.now, UTC).isoformat(timespec="seconds")

        def take(page: Page) -> bool:
            found = [one for one in page.appointments or () if one.appointment_id in wanted]
            at = self.reader.limiter.clock.elapsed()
            self.seen.update((one.appointment_id, Reading(one.appointment_id, one, at, Source.PAGE)) for one in found)
            wanted.difference_update(appointment.appointment_id for appointment in found)
            return bool(found) and len(wanted) >= _WORTH_PAGES

        await each_page(self.reader, lambda number, size: Query(number, size, start=start, user_id=user_id), take)

    async def _looked_at(self, line: PlanLine) -> PlanLine:
        if line.action not in LOOKED_AT:
            return line
        target, request = target_of(line.row), request_of(line.row)
        decision = self._decided(target, request)
        if decision.action is Action.READ_FIRST:
            self.seen[target.appointment_id] = await self.reader.read(target, request)
            decision = self._decided(target, request)
        seen = self.seen[target.appointment_id].appointment
        if line.action is Action.READ_FIRST:
            return replace(line, seen=seen)
        return replace(line, action=decision.action, why=decision.why, seen=seen)

    def _decided(self, target: Target, request: Request) -> Decision:
        """A plan sends nothing, so its readings may be of any age: each is judged as of when it was taken."""
        reading = self.seen.get(target.appointment_id)
        rules = replace(self.rules, elapsed=reading.taken_at) if reading else self.rules
        return decide(target, request, reading, _MUST_BE_READ, rules)
