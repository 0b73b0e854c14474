"""Wires the live plan's look at the API: a line, a limiter that knows what was used before, the reader over them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.api.client import ApiSettings, line_factory
from bulk_cancel.api.credentials import find_credential
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.foresight import Rules
from bulk_cancel.core.model import Appointment
from bulk_cancel.core.pacing import with_margin
from bulk_cancel.core.retry import LONGEST_PAUSE_S
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.live import LiveLook
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
class Looking:
    """The look of one plan. Contacts are read to count people, and kept in memory only."""

    job: Job
    settings: ApiSettings
    log: FilteringBoundLogger
    known_pace: PaceRecord | None = None  #: what the ledger knows of the limiter
    clock: Clock = field(default_factory=system_clock)
    seen: dict[str, Appointment | None] = field(default_factory=dict)
    requests: int = 0

    def __call__(self, lines: Sequence[PlanLine]) -> list[PlanLine]:
        """Look at a chunk of lines. Raises as the reader does."""
        return anyio.run(self._look, lines)

    async def _look(self, lines: Sequence[PlanLine]) -> list[PlanLine]:
        line = line_factory(replace(self.settings, with_contacts=True))()
        key = self.settings.credential.fingerprint
        reader = Reader(line, limiter_of(self.job, key, self.clock, self.known_pace), self.log)
        reader.remember = partial(remember_pace, credential_pace(key))
        rules = Rules(self.clock.now(), self.job.skip_past, self.job.late_within)
        try:
            return await LiveLook(reader, rules, self.seen).look(lines)
        finally:
            self.requests += reader.requests
            reader.remember(reader.limiter.record())
            await line.aclose()


def limiter_of(job: Job, key: str, clock: Clock, known: PaceRecord | None) -> Limiter:
    """Return a limiter that goes on where the last run, plan or search with this credential stopped."""
    pace, now = with_margin(job.pace), clock.monotonic()
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


def settings_of(job: Job, environ: Mapping[str, str]) -> ApiSettings:
    """Return where the API is and who asks. Raises ConfigError when the environment does not say it rightly."""
    agent = f"bulk-cancel/{version()}"
    return ApiSettings(
        api_url(environ), find_credential(environ), job.user_id, timeout_of(job, environ), agent, job.rebooking_list
    )


def timeout_of(job: Job, environ: Mapping[str, str]) -> float:
    """Return how many seconds one exchange may take. Raises ConfigError for a variable that is no number."""
    milliseconds = environ.get(TIMEOUT_VARIABLE, "").strip()
    if "timeout" in job.model_fields_set or not milliseconds:
        return job.timeout
    if not milliseconds.isdigit():
        raise ConfigError(f"{TIMEOUT_VARIABLE} is not a number of milliseconds.")
    return int(milliseconds) / 1000
