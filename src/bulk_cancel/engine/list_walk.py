"""Walks through a list of appointments by their start, a page at a time, for plans, runs and reconciles.

The next page begins at the last start on the page before, not at a page number: where the server drops cancelled
appointments from its list, numbered pages would shift during a run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bulk_cancel.api.port import Page, Query
from bulk_cancel.core.model import Appointment
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.readings import Reading, Source

PAGE_SIZE = 100
#: Number of pages that may be wasted, and the share of `wanted` that is added to it.
_WASTED_PAGES, _WASTED_SHARE = 3.0, 0.01


@dataclass
class ListWalk:
    """A walk through the list of one acting user. `read` returns None, or a page without a list, when it fails."""

    read: Callable[[Query], Awaitable[Page | None]]
    user_id: str | None
    since: float  #: the start of the next page, seconds since the epoch
    pages: int = 0
    wanted: int = 0  #: number of its appointments that are wanted
    found: int = 0  #: number of them that were found, as the caller counts them
    ended: bool = False
    _number: int = 0
    _last_ids: Collection[str] = field(default_factory=frozenset)
    _wasted: float = 0.0

    @property
    def is_worth_it(self) -> bool:
        """Whether the next page is likely to show enough wanted appointments."""
        return not self.ended and self._wasted <= _WASTED_PAGES + self.wanted * _WASTED_SHARE

    async def step(self, size: int = PAGE_SIZE) -> dict[str, Reading] | None:
        """Read the next page; return its readings by appointment id, None when it could not be read."""
        query = Query(self._number, size, start=_iso(self.since), user_id=self.user_id)
        page = await self.read(query)
        if page is None or page.appointments is None:
            return None
        self.pages += 1
        self._advance(page.appointments, size)
        at = page.asked_at - page.answer.age_s
        return {
            one.appointment_id: Reading(one.appointment_id, one, at, Source.PAGE, is_cached=page.answer.age_s > 0)
            for one in page.appointments
        }

    def count(self, found: int, size: int = PAGE_SIZE) -> None:
        """Note how many appointments of the last page were wanted."""
        self.found += found
        self._wasted += 1 - min(1.0, found / size)

    def go_to(self, since: float) -> None:
        """Continue from another start, which may be an earlier one."""
        self.since, self._number, self._last_ids, self.ended = since, 0, frozenset(), False

    def _advance(self, shown: Collection[Appointment], size: int) -> None:
        """Move to the next page. A page at most half full is the last; in a fuller one entries may be unreadable."""
        ids = {one.appointment_id for one in shown}
        self.ended = len(shown) <= size // 2 or ids <= set(self._last_ids)
        self._last_ids = ids
        last = max((at for one in shown if (at := moment_of(one.start)) is not None), default=self.since)
        self._number = self._number + 1 if last <= self.since else 0
        self.since = max(self.since, last)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
