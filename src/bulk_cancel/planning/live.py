"""Wires the live plan's look at the API: lines, limiters that know what was used before, the readers over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.access.places import credential_pace
from bulk_cancel.access.rate_limits import limiter_of, remember_pace
from bulk_cancel.api.client import ApiSettings, line_factory
from bulk_cancel.core.actions import SkipRules
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.readings import Reading
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.engine.live_read import LOOKED_AT, LiveLook
from bulk_cancel.engine.reader import Reader
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.settings.accounts import label_of
from bulk_cancel.settings.job import Job


@dataclass
class LiveReads:
    """The look of one plan, over all accounts: each looks with its own credential and limit, all at the same time."""

    of: Callable[[str, dict[str, Reading]], AccountReads]  #: begins an account's look
    seen: dict[str, Reading] = field(default_factory=dict)
    _begun: dict[str, AccountReads] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests the looks took so far."""
        return sum(reads.requests for reads in self._begun.values())

    def __call__(self, lines: Sequence[PlanLine]) -> list[PlanLine]:
        """Look at a chunk of lines. Raises as the reader does."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, line in enumerate(lines):
            if line.action in LOOKED_AT:
                places[line.row.account or ""].append(place)
        for account in places.keys() - self._begun.keys():
            self._begun[account] = self.of(account, self.seen)
        looked = list(lines)
        anyio.run(self._look, places, looked)
        return looked

    async def _look(self, places: Mapping[str, list[int]], lines: list[PlanLine]) -> None:
        """Put what is seen in the place of what was asked. The first failure stops all of it, as itself."""
        failures: list[BulkCancelError] = []

        async def look(account: str) -> None:
            try:
                found = await self._begun[account].look([lines[place] for place in places[account]])
            except BulkCancelError as error:
                if account:
                    error.args = (f"With {label_of(account)}: {error}",)
                failures.append(error)
                group.cancel_scope.cancel()
            else:
                for place, line in zip(places[account], found, strict=True):
                    lines[place] = line

        async with anyio.create_task_group() as group:
            for account in places:
                group.start_soon(look, account)
        if failures:
            raise failures[0]


@dataclass
class AccountReads:
    """The look of one account. Contacts are read to count people, and kept in memory only."""

    job: Job
    settings: ApiSettings
    pace: Pace
    log: FilteringBoundLogger
    known_pace: PaceRecord | None = None  #: what the ledger knows of the limiter
    clock: Clock = field(default_factory=system_clock)
    seen: dict[str, Reading] = field(default_factory=dict)
    requests: int = 0

    async def look(self, lines: Sequence[PlanLine]) -> list[PlanLine]:
        """Look at lines of this account. Raises as the reader does."""
        line = line_factory(replace(self.settings, with_contacts=True))()
        key = self.settings.credential.fingerprint
        reader = Reader(line, limiter_of(self.pace, key, self.clock, self.known_pace), self.log)
        reader.remember = partial(remember_pace, credential_pace(key))
        rules = SkipRules(self.clock.now(), self.job.skip_past, self.job.late_within)
        try:
            return await LiveLook(reader, rules, self.seen).look(lines)
        finally:
            self.requests += reader.requests
            reader.remember(reader.limiter.record())
            await line.aclose()
