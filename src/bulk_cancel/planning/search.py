"""Carries out a search: with the credential and its lock, the limiter, a line and the reader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio

from bulk_cancel.access.places import credential_lock
from bulk_cancel.access.rate_limits import known_pace, limiter_of, remember
from bulk_cancel.access.setup import Setup
from bulk_cancel.api.port import ApiSettings, Line
from bulk_cancel.core.credential import CredentialKind, check_pairing
from bulk_cancel.core.moments import show_moment
from bulk_cancel.core.selection import Fit, Gathering, Selection
from bulk_cancel.engine.reader import Reader
from bulk_cancel.engine.search import Search
from bulk_cancel.errors import BulkCancelError, ConfigError, IncompleteError
from bulk_cancel.ops.locks import holder_of, locked
from bulk_cancel.ops.progress import Display, Standing, show_progress
from bulk_cancel.reports.found_file import Layout, write_found

SELECTED = "selected.csv"


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search."""

    gathering: Gathering
    host_ids: tuple[str | None, ...]  #: hosts whose lists were read; None: the credential's own list
    requests: int
    throttled: int
    doubts: tuple[str, ...] = ()  #: sentences: what may be missing

    @property
    def selection(self) -> Selection:
        """The criteria of the search."""
        return self.gathering.selection


def select_input(setup: Setup, into: Path) -> tuple[Path, tuple[str, ...]]:
    """Write the active appointments of the job's [select] table into the folder `into`; return the file, an input.

    Sentences on the selection are returned with it. The credential is locked meanwhile. Raises as `find_appointments`
    does, OutputError, and IncompleteError where appointments may be missing. When the search finds nothing, the file
    has a header and no rows.
    """
    found = find_appointments(setup)
    if found.doubts:
        raise IncompleteError(
            f"The selection may lack appointments: {' '.join(found.doubts)}",
            advice="Nothing was sent. Try again; `bulk-cancel find` writes what can be read, for a person to judge.",
        )
    notes = tuple(reaching_in(found))
    for note in notes:
        setup.log.warning("select.reaches_in", told=note)
    file = into / SELECTED
    write_found(found.gathering.chosen(Fit.ACTIVE), Layout(found.selection.days.zone), file)
    return file, notes


def reaching_in(found: Found) -> Iterator[str]:
    """Yield a sentence for each appointment that began before the first day and reaches into it."""
    zone = found.selection.days.zone
    for appointment in found.gathering.chosen(Fit.REACHES_IN):
        start, end = (show_moment(at, zone) or "at an unknown time" for at in (appointment.start, appointment.end))
        id_ = appointment.appointment_id
        yield f"{id_} began before these days, {start}, and goes on into them, until {end}: it is not selected."


async def _nothing_more(search: Search) -> None: ...


def find_appointments(
    setup: Setup,
    *,
    with_contacts: bool = False,
    then: Callable[[Search], Awaitable[None]] = _nothing_more,
) -> Found:
    """Read every list that the job's [select] table asks for. Raises ConfigError, LockedError, and as the reader does.

    `then` may read more with the search's reader, while the credential is held. Sends nothing and writes no ledger.
    """
    job, machine = setup.job, setup.machine
    if job.select is None:
        raise ConfigError("There is no [select] table to search by.")
    account = setup.accounts.find(job.account)
    settings = replace(setup.api_settings(job.account), with_contacts=with_contacts)
    _refuse_wrong_pairing(settings)
    key = settings.credential.fingerprint
    lock = credential_lock(machine.state_folder, key)
    setup.tell_of_wait("this credential", partial(holder_of, lock), job.lock_wait)
    with locked(lock, "this credential", job.lock_wait):
        line = machine.line_factory(settings)()
        limiter = limiter_of(account.pace, key, machine, known_pace(setup.place, key))
        reader = Reader(line, limiter, setup.log, partial(remember, machine, key), settings.credential.origin)
        search = Search(reader, job.select.selection())
        machine.run_loop(_carry_out, search, line, setup.display, then)
    found = Found(search.gathering, search.host_ids, reader.requests, reader.throttled, tuple(search.doubts))
    counts = {fit.value: search.gathering.count(fit) for fit in Fit if fit is not Fit.OTHER}
    setup.log.info("find.ended", **counts, hosts=len(found.host_ids), requests=found.requests)
    return found


def _refuse_wrong_pairing(settings: ApiSettings) -> None:
    if settings.credential.kind is CredentialKind.PLATFORM and not settings.user_id:
        raise ConfigError(
            "A Platform API key needs the id of the user it acts as.", advice="Set MEETERGO_USER_ID or --user-id."
        )
    check_pairing(settings.credential, settings.user_id, rows_with_user=0, rows_without=0)


async def _carry_out(search: Search, line: Line, display: Display, then: Callable[[Search], Awaitable[None]]) -> None:
    """Search while progress is shown. An error is raised as itself, not in an exception group."""
    failure: BulkCancelError | None = None
    async with anyio.create_task_group() as surroundings:
        surroundings.start_soon(show_progress, display, lambda: _standing(search))
        try:
            await search.run()
            await then(search)
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
    """Return the progress. Each unread list counts as one request, since its number of pages is not known."""
    reader, left = search.reader, search.hosts - search.hosts_read
    found = f"{search.found} found"
    return Standing(search.hosts_read, search.hosts, reader.requests, found, reader.limiter.duration_s(left))
