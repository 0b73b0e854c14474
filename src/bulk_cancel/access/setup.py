"""What a command works with, resolved once: its job, the API's address, the ledger's place, the accounts."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


from bulk_cancel.access.ledgers import LedgerPlace, is_database, ledger_place
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import NOWHERE, ledger_path, state_beside
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.settings.accounts import Accounts, load_accounts
from bulk_cancel.settings.environment import DEFAULT_API, api_url
from bulk_cancel.settings.job import Job
from bulk_cancel.settings.recorded_command import recorded_command
from bulk_cancel.version import version


@dataclass(frozen=True, slots=True)
class Setup:
    """A job and everything that it names, found and validated; no credential has been read yet."""

    job: Job
    api_url: str
    place: LedgerPlace
    accounts: Accounts
    log: FilteringBoundLogger
    machine: Machine

    @property
    def provenance(self) -> Provenance:
        """Who starts a run here and now, with which command, and why."""
        return replace(provenance_of(self.machine), ticket=self.job.ticket, approved_by=self.job.approved_by)


def provenance_of(machine: Machine) -> Provenance:
    """Return who types which command on a machine."""
    return Provenance(
        user=machine.user,
        machine=machine.name,
        command=recorded_command(machine.arguments, machine.environ),
        version=f"bulk-cancel {version()}, Python {platform.python_version()}",
    )


def set_up(job: Job, log: FilteringBoundLogger, machine: Machine) -> Setup:
    """Resolve a job. Raises ConfigError for an address, a kind of ledger or an accounts file that cannot be used."""
    url, machine = api_url(machine.environ), housed(machine, job.ledger)
    place = ledger_place(job.ledger, url, machine.state_folder)
    return Setup(job, url, place, load_accounts(job.accounts, machine.environ, job), log, machine)


def place_of(given: str | None, machine: Machine) -> LedgerPlace:
    """Return the ledger that a command without a job means: the one given, or the one of the environment's API."""
    url, given = api_url(machine.environ), given or machine.environ.get("BULK_CANCEL_LEDGER")
    return ledger_place(given, url, housed(machine, given).state_folder)


def housed(machine: Machine, ledger: str | None) -> Machine:
    """Return the machine of a user who may have no home: then the state folder is beside the named ledger."""
    if machine.state_folder != NOWHERE or ledger is None or is_database(ledger):
        return machine
    return replace(machine, state_folder=state_beside(ledger_path(ledger, DEFAULT_API, NOWHERE)))
