"""A credential's limit that the workers of one ledger share, and no other process on this machine uses meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bulk_cancel.access.ledgers import clock_of
from bulk_cancel.access.places import credential_lock
from bulk_cancel.access.rate_limits import remember, remembered, tat_of
from bulk_cancel.access.setup import Setup
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.shared import SharedLedger
from bulk_cancel.ops.locks import locked_together
from bulk_cancel.settings.accounts import Account


@contextmanager
def limit_shared(setup: Setup, account: Account, ledger: SharedLedger) -> Iterator[None]:
    """Share the limit of an account's credential with the workers of one ledger only, during the block.

    Use by earlier commands counts here, and use here counts for later ones. Raises LockedError, LedgerError.
    """
    machine, key = setup.machine, account.credential.fingerprint
    path, what = credential_lock(machine.state_folder, key), f"the credential of {account.label}"
    with locked_together(path, what, ledger.place, setup.job.lock_wait):
        pace, ahead_s = account.pace, _ahead_s(setup, account)
        if ahead_s > 0:
            ledger.pause(key, ahead_s - (pace.burst - 1) * pace.interval_s, pace)
        try:
            yield
        finally:
            with suppress(LedgerError):
                _hand_over(setup, account, ledger)


def _hand_over(setup: Setup, account: Account, ledger: SharedLedger) -> None:
    used = ledger.load_pace(account.credential.fingerprint)
    if used is not None:
        keep_ahead(setup, account, used.tat_at - clock_of(ledger, setup.machine.clock).now())


def keep_ahead(setup: Setup, account: Account, ahead_s: float) -> None:
    """Have this machine know that the limit is used up, or paused, for `ahead_s` seconds in advance, or longer."""
    clock, ahead_s = setup.machine.clock, max(ahead_s, _ahead_s(setup, account))
    record = PaceRecord(clock.now() + ahead_s, clock.monotonic() + ahead_s, clock.base.boot_id)
    remember(setup.machine, account.credential.fingerprint, record)


def _ahead_s(setup: Setup, account: Account) -> float:
    clock, known = setup.machine.clock, remembered(setup.machine, account.credential.fingerprint)
    return tat_of(known, account.pace, clock) - clock.monotonic() if known else 0.0
