"""All checks, in the order in which a run would meet what they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from bulk_cancel.access.ledgers import LedgerFile, LedgerPlace, ledger_place
from bulk_cancel.access.places import credential_lock
from bulk_cancel.access.rate_limits import known_pace
from bulk_cancel.api.client import ApiSettings
from bulk_cancel.commands.doctor.accounts import check_accounts
from bulk_cancel.commands.doctor.api import check_access, settings_or_why
from bulk_cancel.commands.doctor.check import Check, Level, failed, warning
from bulk_cancel.commands.doctor.machine import check_versions, check_zones
from bulk_cancel.commands.doctor.settings import check_input, check_job
from bulk_cancel.commands.doctor.storage import check_database, check_lock, check_storage
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ops.locks import holder_of
from bulk_cancel.settings.environment import api_url
from bulk_cancel.settings.job import Job


def examine(source: str, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Check]:
    """Check everything that a run of `source` (or of anything, when empty) would depend on."""
    job, valid = check_job(source, flags)
    yield valid
    settings = settings_or_why(job, environ)
    if isinstance(settings, Check):
        yield _where_others_do(settings) if job.accounts else settings
    if source and valid.level is Level.OK:
        yield check_input(job)
    yield check_versions()
    yield check_zones(("UTC", *_zones(job)))
    place = _place(job, environ)
    if not isinstance(place, Check):
        yield from _check_ledger(place, api_url(environ))
    elif not isinstance(settings, Check):
        yield place
    if isinstance(settings, ApiSettings):
        key = settings.credential.fingerprint
        yield check_lock("credential lock", holder_of(credential_lock(key)), "this credential")
        yield from check_access(job.pace, settings, _pace_of(place, key))
    yield from check_accounts(job, environ, partial(_pace_of, place))


def _where_others_do(missing: Check) -> Check:
    """A run whose rows all name accounts needs no credential of its own."""
    return warning("own credential", missing.found, "Rows that name no account cannot be sent.")


def _zones(job: Job) -> tuple[str, ...]:
    named = (job.select.timezone if job.select else None, str(job.send_window.zone) if job.send_window else None)
    return tuple(sorted({"Europe/Berlin", *filter(None, named)}))


def _place(job: Job, environ: Mapping[str, str]) -> LedgerPlace | Check:
    try:
        return ledger_place(job.ledger, api_url(environ))
    except BulkCancelError as error:
        return failed("ledger", error)


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


def _pace_of(place: LedgerPlace | Check, key: str) -> PaceRecord | None:
    return None if isinstance(place, Check) else known_pace(place, key)
