"""Each account of the accounts file: its credential, its limit, and whether the API lets it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from bulk_cancel.access.connection import settings_of
from bulk_cancel.access.places import credential_lock
from bulk_cancel.commands.doctor.api import check_access
from bulk_cancel.commands.doctor.check import Check, Level, failed, good
from bulk_cancel.commands.doctor.storage import check_lock
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.credential import check_pairing
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ops.locks import holder_of
from bulk_cancel.settings.accounts import Account, Accounts, load_accounts
from bulk_cancel.settings.job import Job

KnownPace = Callable[[str], PaceRecord | None]
#: The same for all accounts, and said once already.
_COMMON = ("proxy", "clock")


def check_accounts(job: Job, environ: Mapping[str, str], known: KnownPace) -> Iterator[Check]:
    """Look at the file, then at every account in it: each is asked about once."""
    try:
        accounts = load_accounts(job.accounts, environ, job)
    except BulkCancelError as error:
        yield failed("accounts", error)
        return
    if accounts.given:
        yield good("accounts", f"The file names {', '.join(accounts.names)}.")
    for name in accounts.names:
        for check in _check_account(job, environ, accounts, name, known):
            if check.name not in _COMMON or check.level is Level.FAIL:
                yield replace(check, name=f"{check.name} of {name}")


def _check_account(
    job: Job, environ: Mapping[str, str], accounts: Accounts, name: str, known: KnownPace
) -> Iterator[Check]:
    try:
        account: Account = accounts.find(name)
        settings = settings_of(job, environ, account)
        check_pairing(account.credential, account.user_id, rows_with_user=0, rows_without=0)
    except BulkCancelError as error:
        yield failed("credential", error)
        return
    key = account.credential.fingerprint
    yield check_lock("credential lock", holder_of(credential_lock(key)), account.label)
    yield from check_access(account.pace, settings, known(key))
