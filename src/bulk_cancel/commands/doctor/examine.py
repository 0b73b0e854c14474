"""All checks, in the order in which a run would fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from bulk_cancel.access.ledgers import LedgerFile, LedgerPlace, ledger_place
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import credential_lock
from bulk_cancel.access.setup import Setup, housed, zone_of
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.commands.doctor.accounts import check_accounts
from bulk_cancel.commands.doctor.api import check_access, settings_or_why
from bulk_cancel.commands.doctor.check import Check, Level, failed, warning
from bulk_cancel.commands.doctor.machine import check_versions, check_zones
from bulk_cancel.commands.doctor.settings import check_input, check_job
from bulk_cancel.commands.doctor.storage import check_database, check_lock, check_storage
from bulk_cancel.commands.doctor.surroundings import check_surroundings
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ops.locks import holder_of
from bulk_cancel.ops.logs import make_log
from bulk_cancel.settings.accounts import Accounts, load_accounts
from bulk_cancel.settings.environment import DEFAULT_API, api_url
from bulk_cancel.settings.job import Job

T = TypeVar("T")


def examine(source: str, flags: Mapping[str, Any], machine: Machine) -> Iterator[Check]:
    """Check everything on which a run of `source` (or of any input, when empty) depends."""
    job, valid = check_job(source, flags)
    yield valid
    setup, failures = _set_up_by_parts(job, machine)
    settings = failures.get("API settings") or settings_or_why(setup)
    if isinstance(settings, Check):
        yield _where_others_do(settings) if job.accounts else settings
    if source and valid.level is Level.OK:
        yield check_input(job)
    yield check_versions()
    yield check_zones(("UTC", *_zones(job)))
    yield from check_surroundings(job, len(setup.accounts.names))
    if "ledger" in failures:
        yield failures["ledger"]
    elif "API settings" not in failures:
        yield from _check_ledger(setup.place, setup.api_url)
    if isinstance(settings, ApiSettings):
        lock = credential_lock(setup.machine.state_folder, settings.credential.fingerprint)
        yield check_lock("credential lock", holder_of(lock), "this credential")
        yield from check_access(setup, job.pace, settings)
    if "accounts" in failures:
        yield failures["accounts"]
    elif "API settings" not in failures:
        yield from check_accounts(setup)


def _set_up_by_parts(job: Job, machine: Machine) -> tuple[Setup, dict[str, Check]]:
    """Resolve a job as `set_up` does; for a part that fails, return the failed check and use the default."""
    failures: dict[str, Check] = {}

    def part(name: str, resolve: Callable[[], T], default: Callable[[], T]) -> T:
        try:
            return resolve()
        except BulkCancelError as error:
            failures[name] = failed(name, error)
            return default()

    machine = housed(machine, job.ledger)
    environ, place = machine.environ, partial(ledger_place, state=machine.state_folder)
    url = part("API settings", partial(api_url, environ), lambda: DEFAULT_API)
    found = part("ledger", partial(place, job.ledger, url), partial(place, None, url))
    accounts = part("accounts", partial(load_accounts, job, environ), partial(Accounts, job, environ))
    return Setup(job, url, found, accounts, make_log(quiet=True), machine, zone_of(job, machine)), failures


def _where_others_do(missing: Check) -> Check:
    """Return a warning: a run whose rows all name accounts needs no credential of its own."""
    return warning("own credential", missing.found, "Rows that name no account cannot be sent.")


def _zones(job: Job) -> tuple[str, ...]:
    named = (job.zone, job.select and job.select.selection().days.zone, job.send_window and job.send_window.zone)
    return tuple(sorted({"Europe/Berlin", *map(str, filter(None, named))}))


def _check_ledger(place: LedgerPlace, url: str) -> Iterator[Check]:
    try:
        place.refuse_lost()
    except BulkCancelError as error:
        yield failed("ledger", error)
        return
    if isinstance(place, LedgerFile):
        yield from check_storage(place.path, url)
    else:
        yield from check_database(place, url)
    with suppress(BulkCancelError):
        yield check_lock("ledger lock", place.holder(), "the ledger")
