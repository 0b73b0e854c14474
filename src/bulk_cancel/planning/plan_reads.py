"""The reads of a plan, over all accounts: each has its own credential and limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from bulk_cancel.core.actions import SENT, Look
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.readings import Reading
from bulk_cancel.errors import BulkCancelError, ConfigError, LockedError, UnreachableError
from bulk_cancel.ops.progress import Display, Standing, show_progress
from bulk_cancel.settings.accounts import label_of

if TYPE_CHECKING:
    from bulk_cancel.planning.account_reads import AccountReads

_READING = "reading the appointments of the plan: nothing is sent"


@dataclass
class PlanReads:
    """The reads of one plan. `seen` has the readings, by appointment."""

    look: Look
    begin: Callable[[str], AccountReads]  #: begins an account's reads; raises ConfigError, LockedError
    run_loop: Callable[..., Any]
    display: Display = field(default_factory=Display)  #: shows how far the looks are
    seen: dict[str, Reading] = field(default_factory=dict)
    offline: dict[str, str] = field(default_factory=dict)  #: accounts whose appointments cannot be read -> why
    _begun: dict[str, AccountReads] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Number of requests that the reads took so far."""
        return sum(reads.requests for reads in self._begun.values())

    def __call__(self, lines: Sequence[PlanLine]) -> list[PlanLine]:
        """Read a chunk of lines. Raises as the reader does, and with Look.EACH for a missing credential."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, line in enumerate(lines):
            if line.action in SENT and self._is_begun(line.row.account or ""):
                places[line.row.account or ""].append(place)
        looked = list(lines)
        if places:
            self.run_loop(self._read, places, looked)
        return looked

    def _is_begun(self, account: str) -> bool:
        """Return whether an account can be read. Without a credential its rows are planned offline, unless EACH."""
        if account not in self._begun and account not in self.offline:
            try:
                self._begun[account] = self.begin(account)
            except (ConfigError, LockedError) as error:
                if self.look is Look.EACH:
                    raise
                self.offline[account] = str(error)
        return account in self._begun

    async def _read(self, places: Mapping[str, list[int]], lines: list[PlanLine]) -> None:
        """Replace the lines by those that were read. The first error stops all accounts and is raised."""
        failures: list[BulkCancelError] = []

        async def look(account: str) -> None:
            try:
                found = await self._begun[account].look([lines[place] for place in places[account]], self.seen)
            except BulkCancelError as error:
                if isinstance(error, UnreachableError) and self.look is Look.AUTO:
                    error.advice = f"{error.advice} To plan without reading: --look never."
                if account:
                    error.args = (f"With {label_of(account)}: {error}",)
                failures.append(error)
                group.cancel_scope.cancel()
            else:
                for place, line in zip(places[account], found, strict=True):
                    lines[place] = line

        async with anyio.create_task_group() as surroundings:
            surroundings.start_soon(show_progress, self.display, lambda: self._standing(places, lines))
            async with anyio.create_task_group() as group:
                for account in sorted(places):
                    group.start_soon(look, account)
            surroundings.cancel_scope.cancel()
        if failures:
            raise failures[0]

    def _standing(self, places: Mapping[str, list[int]], lines: Sequence[PlanLine]) -> Standing:
        unread = {
            account: sum(str(lines[place].row.appointment_id) not in self.seen for place in of_account)
            for account, of_account in places.items()
        }
        total, left = sum(map(len, places.values())), sum(unread.values())
        left_s = max(self._begun[account].left_s(count) for account, count in unread.items())
        return Standing(total - left, total, self.requests, "", left_s, _READING)
