"""What a command locks against other processes: the limits of its credentials, and its folder of results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_cancel.access.places import credential_lock, results_lock
from bulk_cancel.access.setup import Setup
from bulk_cancel.core.credential import check_pairing
from bulk_cancel.core.plan import Plan, Share
from bulk_cancel.errors import ConfigError
from bulk_cancel.ops.locks import holder_of, locked
from bulk_cancel.settings.accounts import OWN, Accounts

if TYPE_CHECKING:
    from bulk_cancel.api.port import ApiSettings


@dataclass
class CredentialLocks:
    """The accounts of a command, and those whose limits this process has locked."""

    setup: Setup
    _locks: ExitStack = field(repr=False)
    locked: set[str] = field(default_factory=set)  #: names of accounts
    missing: dict[str, str] = field(default_factory=dict)  #: accounts in the ledger without a credential -> why
    _settings: dict[str, ApiSettings] = field(default_factory=dict, repr=False)

    @property
    def accounts(self) -> Accounts:
        """The accounts that the job may use."""
        return self.setup.accounts

    def settings(self, name: str) -> ApiSettings:
        """Return the API settings of an account. Raises ConfigError when its credential is missing."""
        if name not in self._settings:
            self._settings[name] = self.setup.api_settings(name)
        return self._settings[name]

    def lock(self, names: Iterable[str], wait_s: float) -> None:
        """Lock the limits of accounts until the command ends. Raises ConfigError and LockedError."""
        for name in sorted({*names} - self.locked):
            what = f"the credential of the account {name}" if name else "this credential"
            key = self.settings(name).credential.fingerprint
            self._hold(credential_lock(self.setup.machine.state_folder, key), what, wait_s)
            self.locked.add(name)

    def lock_results(self, folder: Path, wait_s: float) -> None:
        """Lock a folder of results against other runs until the command ends. Raises LockedError."""
        self._hold(results_lock(folder), f"the folder of results {folder}", wait_s)

    def _hold(self, lock: Path, what: str, wait_s: float) -> None:
        self.setup.tell_of_wait(what, partial(holder_of, lock), wait_s)
        self._locks.enter_context(locked(lock, what, wait_s))

    def lock_all(self, plan: Plan, open_accounts: Iterable[str], wait_s: float) -> None:
        """Lock the accounts that the plan needs, and those with open targets whose credential is known."""
        needed = {name for name, share in plan.shares.items() if share.open}
        self.lock(needed, wait_s)
        for name in sorted({*open_accounts} - self.locked):
            try:
                self.settings(name)
            except ConfigError as error:
                self.missing[name] = str(error)
            else:
                self.lock([name], wait_s)

    def refuse_wrong_pairings(self, plan: Plan) -> None:
        """Refuse users that a credential cannot act as. Raises ConfigError before any request."""
        if not self.accounts.given:
            self._refuse_wrong_pairing(OWN, plan.shares.get(OWN, Share()))
            return
        for name, share in plan.shares.items():
            if share.open:
                self._refuse_wrong_pairing(name, share)

    def _refuse_wrong_pairing(self, name: str, share: Share) -> None:
        settings, counts = self.settings(name), {"rows_with_user": share.with_user, "rows_without": share.without_user}
        try:
            check_pairing(settings.credential, settings.user_id, **counts)
        except ConfigError as error:
            if name == OWN:
                raise
            advice = "Nothing was sent. Correct user_id of the account, or the column user_id."
            raise ConfigError(f"The account {name}: {error}", advice=advice) from error


@contextmanager
def credential_locks(setup: Setup) -> Iterator[CredentialLocks]:
    """Yield the locks of a command; all are released after the block."""
    with ExitStack() as locks:
        yield CredentialLocks(setup, locks)
