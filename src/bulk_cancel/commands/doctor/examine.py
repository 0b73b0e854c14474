"""All checks, in the order in which a run would fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from bulk_cancel.access.ledgers import ledger_place
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.setup import Setup, housed, zone_of
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.commands.doctor.api import check_access, settings_or_why
from bulk_cancel.commands.doctor.check import Check, Level, failed, good, warning
from bulk_cancel.commands.doctor.machine import check_versions, check_zones
from bulk_cancel.commands.doctor.settings import check_input, check_job
from bulk_cancel.commands.doctor.storage import check_ledger
from bulk_cancel.commands.doctor.surroundings import check_surroundings
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ops.logs import make_log
from bulk_cancel.settings.accounts import OWN, Accounts, load_accounts
from bulk_cancel.settings.environment import DEFAULT_API, api_url
from bulk_cancel.settings.job import Job

T = TypeVar("T")
#: Checks that are the same for all accounts and have been shown already.
_COMMON = ("proxy", "clock")


def examine(source: str, flags: Mapping[str, Any], machine: Machine) -> Iterator[Check]:
    """Check everything on which a run of `source` (or of any input, when empty) depends."""
    job, valid = check_job(source, flags)
    yield valid
    setup, failures = _set_up_by_parts(job, machine)
    settings = failures.get("API settings") or settings_or_why(setup, OWN, "API settings")
    if isinstance(settings, Check):
        # A run whose rows all name accounts needs no credential of its own.
        others_do = warning("own credential", settings.found, "Rows that name no account cannot be sent.")
        yield others_do if job.accounts else settings
    if source and valid.level is Level.OK:
        yield check_input(job)
    yield check_versions()
    yield check_zones(("UTC", *_zones(job)))
    yield from check_surroundings(job, len(setup.accounts.names))
    if "ledger" in failures:
        yield failures["ledger"]
    elif "API settings" not in failures:
        yield from check_ledger(setup.place, setup.api_url)
    if isinstance(settings, ApiSettings):
        yield from check_access(setup, OWN, settings)
    if "accounts" in failures:
        yield failures["accounts"]
    elif "API settings" not in failures:
        yield from _check_accounts(setup)


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


def _check_accounts(setup: Setup) -> Iterator[Check]:
    """Check every account in the file, each with one request."""
    if setup.accounts.given:
        yield good("accounts", f"The file names {', '.join(setup.accounts.names)}.")
    for name in setup.accounts.names:
        settings = settings_or_why(setup, name, "credential")
        checks = [settings] if isinstance(settings, Check) else check_access(setup, name, settings)
        for check in checks:
            if check.name not in _COMMON or check.level is Level.FAIL:
                yield replace(check, name=f"{check.name} of {name}")


def _zones(job: Job) -> tuple[str, ...]:
    named = (job.zone, job.select and job.select.selection().days.zone, job.send_window and job.send_window.zone)
    return tuple(sorted({"Europe/Berlin", *map(str, filter(None, named))}))
