"""What a command works with, resolved once: its job, the API's address, the ledger's place, the accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


from bulk_cancel.access.ledgers import LedgerPlace, ledger_place
from bulk_cancel.access.machine import Machine
from bulk_cancel.plan_files import zone_of_plan
from bulk_cancel.settings.accounts import Accounts, load_accounts
from bulk_cancel.settings.environment import api_url
from bulk_cancel.settings.job import Job


@dataclass(frozen=True, slots=True)
class Setup:
    """A job and everything that it names, found and validated; no credential has been read yet."""

    job: Job
    api_url: str
    place: LedgerPlace
    accounts: Accounts
    log: FilteringBoundLogger
    machine: Machine
    zone: tzinfo  #: in which people read times: see `zone_of`

    @property
    def known_zone(self) -> tzinfo | None:
        """The zone in which people live by their clocks; None where nobody names one and this machine is set to UTC."""
        return None if self.job.zone is None and str(self.zone) == str(UTC) else self.zone


def set_up(job: Job, log: FilteringBoundLogger, machine: Machine) -> Setup:
    """Resolve a job. Raises ConfigError for an address, a kind of ledger or an accounts file that cannot be used."""
    url = api_url(machine.environ)
    place = ledger_place(job.ledger, url, machine.state_folder)
    accounts = load_accounts(job.accounts, machine.environ, job)
    return Setup(job, url, place, accounts, log, machine, zone_of(job, machine))


def zone_of(job: Job, machine: Machine) -> tzinfo:
    """Return the zone in which people read a job's times: its own, that of the plan it carries out, this machine's."""
    return job.zone or zone_of_plan(Path(job.input)) or machine.zone


def place_of(given: str | None, machine: Machine) -> LedgerPlace:
    """Return the ledger that a command without a job means: the one given, or the one of the environment's API."""
    url = api_url(machine.environ)
    return ledger_place(given or machine.environ.get("BULK_CANCEL_LEDGER"), url, machine.state_folder)
