"""Wires a search: the credential and its lock, the limiter that knows what was used before, a line, the reader."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.access.connection import settings_of
from bulk_cancel.access.ledgers import ledger_place
from bulk_cancel.access.places import credential_lock, credential_pace
from bulk_cancel.access.rate_limits import known_pace, limiter_of, remember_pace
from bulk_cancel.api.client import ApiSettings, line_factory
from bulk_cancel.api.port import Line
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.credential import CredentialKind, check_pairing
from bulk_cancel.core.selection import Fit, Gathering, Selection
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.engine.reader import Reader
from bulk_cancel.engine.search import Search
from bulk_cancel.errors import BulkCancelError, ConfigError
from bulk_cancel.ops.locks import locked
from bulk_cancel.ops.progress import Display, Silence, Standing, show_progress
from bulk_cancel.reports.found_file import Layout, write_found
from bulk_cancel.settings.accounts import load_accounts
from bulk_cancel.settings.job import Job

SELECTED = "selected.csv"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to."""

    gathering: Gathering
    hosts: int  #: whose lists were read
    requests: int
    throttled: int

    @property
    def selection(self) -> Selection:
        """What was searched for."""
        return self.gathering.selection


def select_input(job: Job, environ: Mapping[str, str], log: FilteringBoundLogger, into: Path) -> Path:
    """Write the active appointments of the job's [select] table into the folder `into`; return the file, an input.

    The credential's lock is held meanwhile, and free again afterwards. Raises as `find_appointments` does, and
    OutputError. When there is nothing to select, the file has a header and no rows.
    """
    found = find_appointments(job, environ, log, Silence())
    file = into / SELECTED
    write_found(found.gathering.chosen(Fit.ACTIVE), Layout(found.selection.days.zone), file)
    return file


def find_appointments(
    job: Job, environ: Mapping[str, str], log: FilteringBoundLogger, display: Display, *, with_contacts: bool = False
) -> Found:
    """Read every list that the job's [select] table asks for. Raises ConfigError, LockedError, and as the reader does.

    Sends nothing and writes no ledger.
    """
    if job.select is None:
        raise ConfigError("There is no [select] table to search by.")
    account = load_accounts(job.accounts, environ, job).find(job.account)
    settings = replace(settings_of(job, environ, account), with_contacts=with_contacts)
    _refuse_wrong_pairing(settings)
    key = settings.credential.fingerprint
    with locked(credential_lock(key), "this credential", job.lock_wait):
        line = line_factory(settings)()
        limiter = limiter_of(account.pace, key, system_clock(), _known_pace(job, settings))
        reader = Reader(line, limiter, log, partial(remember_pace, credential_pace(key)))
        search = Search(reader, job.select.selection())
        anyio.run(_carry_out, search, line, display)
    found = Found(search.gathering, search.hosts, reader.requests, reader.throttled)
    counts = {fit.value: search.gathering.count(fit) for fit in Fit if fit is not Fit.OTHER}
    log.info("find.ended", **counts, hosts=found.hosts, requests=found.requests)
    return found


def _refuse_wrong_pairing(settings: ApiSettings) -> None:
    if settings.credential.kind is CredentialKind.PLATFORM and not settings.user_id:
        raise ConfigError(
            "A Platform API key needs to know as whom it reads.", advice="Set MEETERGO_USER_ID or --user-id."
        )
    check_pairing(settings.credential, settings.user_id, rows_with_user=0, rows_without=0)


def _known_pace(job: Job, settings: ApiSettings) -> PaceRecord | None:
    """A ledger of another kind is a run's trouble, not a search's."""
    with suppress(ConfigError):
        return known_pace(ledger_place(job.ledger, settings.base_url), settings.credential.fingerprint)
    return None


async def _carry_out(search: Search, line: Line, display: Display) -> None:
    """Search while the display follows; an error comes out as itself, not as a group of one."""
    failure: BulkCancelError | None = None
    async with anyio.create_task_group() as surroundings:
        surroundings.start_soon(show_progress, display, lambda: _standing(search))
        try:
            await search.run()
        except BulkCancelError as error:
            failure = error
        finally:
            search.reader.remember(search.reader.limiter.record())
            with anyio.CancelScope(shield=True):
                await line.aclose()
        surroundings.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _standing(search: Search) -> Standing:
    """A list is at least one request; how many pages it has shows only as it is read."""
    reader, left = search.reader, search.hosts - search.hosts_read
    found = f"{search.gathering.count(Fit.ACTIVE)} found"
    return Standing(search.hosts_read, search.hosts, reader.requests, found, reader.limiter.duration_s(left))
