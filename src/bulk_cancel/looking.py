"""Wires the live plan's look at the API: lines, limiters that know what was used before, the readers over them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.accounts import Account, label_of
from bulk_cancel.api.client import ApiSettings, line_factory
from bulk_cancel.api.credentials import find_credential
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.foresight import Rules
from bulk_cancel.core.pacing import Pace, with_margin
from bulk_cancel.core.readings import Reading
from bulk_cancel.core.retry import LONGEST_PAUSE_S
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.live import LOOKED_AT, LiveLook
from bulk_cancel.engine.plan import PlanLine
from bulk_cancel.engine.reader import Reader
from bulk_cancel.errors import BulkCancelError, ConfigError
from bulk_cancel.job import Job
from bulk_cancel.ledgers import LedgerPlace
from bulk_cancel.ops.pace_file import remember_pace, remembered_pace
from bulk_cancel.places import api_url, credential_pace
from bulk_cancel.version import version

#: The official client's variable; a timeout of ours beats it.
TIMEOUT_VARIABLE = "MEETERGO_TIMEOUT_MS"


@dataclass
class Looks:
    """The look of one plan, over all accounts: each looks with its own credential and limit, all at the same time."""

    of: Callable[[str, dict[str, Reading]], Looking]  #: begins an account's look
    seen: dict[str, Reading] = field(default_factory=dict)
    _begun: dict[str, Looking] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests the looks took so far."""
        return sum(looking.requests for looking in self._begun.values())

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
class Looking:
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
        rules = Rules(self.clock.now(), self.job.skip_past, self.job.late_within)
        try:
            return await LiveLook(reader, rules, self.seen).look(lines)
        finally:
            self.requests += reader.requests
            reader.remember(reader.limiter.record())
            await line.aclose()


def limiter_of(pace: Pace, key: str, clock: Clock, known: PaceRecord | None) -> Limiter:
    """Return a limiter that goes on where the last run, plan or search with this credential stopped."""
    pace, now = with_margin(pace), clock.monotonic()
    records = [record for record in (known, remembered_pace(credential_pace(key))) if record]
    tat = max((record.tat(clock.base, now, LONGEST_PAUSE_S + pace.span_s) for record in records), default=now)
    return Limiter(pace, clock, tat, random.Random())  # noqa: S311 - jitter, no secret


def known_pace(place: LedgerPlace, key: str) -> PaceRecord | None:
    """Ask the ledger what the last run used of the limit. No look fails for want of an answer."""
    with suppress(BulkCancelError):
        if place.exists():
            with place.reading() as ledger:
                return ledger.load_pace(key)
    return None


def settings_of(job: Job, environ: Mapping[str, str], account: Account | None = None) -> ApiSettings:
    """Return where the API is and who asks: the account, or the environment's credential.

    Raises ConfigError when the environment does not say it rightly.
    """
    url, agent = api_url(environ), f"bulk-cancel/{version()}"
    credential = account.credential if account else find_credential(environ)
    user_id = account.user_id if account else job.user_id
    return ApiSettings(url, credential, user_id, timeout_of(job, environ), agent, job.rebooking_list)


def timeout_of(job: Job, environ: Mapping[str, str]) -> float:
    """Return how many seconds one exchange may take. Raises ConfigError for a variable that is no number."""
    milliseconds = environ.get(TIMEOUT_VARIABLE, "").strip()
    if "timeout" in job.model_fields_set or not milliseconds:
        return job.timeout
    if not milliseconds.isdigit():
        raise ConfigError(f"{TIMEOUT_VARIABLE} is not a number of milliseconds.")
    return int(milliseconds) / 1000
