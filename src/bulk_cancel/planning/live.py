"""Wires the live plan's look at the API: lines, limiters that know what was used before, the readers over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from bulk_cancel.access.rate_limits import limiter_of, remember
from bulk_cancel.access.setup import Setup
from bulk_cancel.api.client import ApiSettings
from bulk_cancel.core.actions import SkipRules
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.readings import Reading
from bulk_cancel.engine.live_read import LOOKED_AT, LiveLook
from bulk_cancel.engine.reader import Reader
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.settings.accounts import label_of


@dataclass
class LiveReads:
    """The look of one plan, over all accounts: each looks with its own credential and limit, all at the same time."""

    of: Callable[[str, dict[str, Reading]], AccountReads]  #: begins an account's look
    run_loop: Callable[..., Any]
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
        for account in sorted(places):
            if account not in self._begun:
                self._begun[account] = self.of(account, self.seen)
        looked = list(lines)
        self.run_loop(self._look, places, looked)
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
            for account in sorted(places):
                group.start_soon(look, account)
        if failures:
            raise failures[0]


@dataclass
class AccountReads:
    """The look of one account. Contacts are read to count people, and kept in memory only."""

    setup: Setup
    settings: ApiSettings
    pace: Pace
    known_pace: PaceRecord | None = None  #: what the ledger knows of the limiter
    seen: dict[str, Reading] = field(default_factory=dict)
    requests: int = 0

    async def look(self, lines: Sequence[PlanLine]) -> list[PlanLine]:
        """Look at lines of this account. Raises as the reader does."""
        job, machine, key = self.setup.job, self.setup.machine, self.settings.credential.fingerprint
        line = machine.line_factory(replace(self.settings, with_contacts=True))()
        limiter = limiter_of(self.pace, key, machine, self.known_pace)
        reader = Reader(line, limiter, self.setup.log, partial(remember, machine, key))
        rules = SkipRules(machine.clock.now(), job.skip_past, job.late_within)
        try:
            return await LiveLook(reader, rules, self.seen).look(lines)
        finally:
            self.requests += reader.requests
            reader.remember(reader.limiter.record())
            await line.aclose()
