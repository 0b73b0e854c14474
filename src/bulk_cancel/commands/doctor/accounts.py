"""Checks each account of the accounts file: its credential, its limit, and its access to the API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bulk_cancel.access.connection import settings_of
from bulk_cancel.access.places import credential_lock
from bulk_cancel.access.setup import Setup
from bulk_cancel.commands.doctor.api import check_access
from bulk_cancel.commands.doctor.check import Check, Level, failed, good
from bulk_cancel.commands.doctor.storage import check_lock
from bulk_cancel.core.credential import check_pairing
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ops.locks import holder_of

#: Checks that are the same for all accounts and have been shown already.
_COMMON = ("proxy", "clock")


def check_accounts(setup: Setup) -> Iterator[Check]:
    """Check every account in the file, each with one request."""
    if setup.accounts.given:
        yield good("accounts", f"The file names {', '.join(setup.accounts.names)}.")
    for name in setup.accounts.names:
        for check in _check_account(setup, name):
            if check.name not in _COMMON or check.level is Level.FAIL:
                yield replace(check, name=f"{check.name} of {name}")


def _check_account(setup: Setup, name: str) -> Iterator[Check]:
    try:
        account = setup.accounts.find(name)
        settings = settings_of(setup, account)
        check_pairing(account.credential, account.user_id, rows_with_user=0, rows_without=0)
    except BulkCancelError as error:
        yield failed("credential", error)
        return
    lock = credential_lock(setup.machine.state_folder, account.credential.fingerprint)
    yield check_lock("credential lock", holder_of(lock), account.label)
    yield from check_access(setup, account.pace, settings)
