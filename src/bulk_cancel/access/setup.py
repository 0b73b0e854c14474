"""The setup of a command, resolved once: its job, the API's address, the ledger's place, the accounts."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


from bulk_cancel.access.ledgers import LedgerPlace, is_database, ledger_place
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import NOWHERE, ledger_path
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.core.estimate import Hours
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.errors import BulkCancelError
from bulk_cancel.ops.locks import Holder
from bulk_cancel.ops.progress import Display
from bulk_cancel.plan_files import zone_of_plan
from bulk_cancel.settings.accounts import Accounts, load_accounts
from bulk_cancel.settings.environment import DEFAULT_API, api_url, timeout_of
from bulk_cancel.settings.job import Job
from bulk_cancel.settings.recorded_command import recorded_command
from bulk_cancel.version import version


@dataclass(frozen=True, slots=True)
class Setup:
    """A job with everything that it names, validated; no credential has been read yet."""

    job: Job
    api_url: str
    place: LedgerPlace
    accounts: Accounts
    log: FilteringBoundLogger
    machine: Machine
    zone: tzinfo  #: of times for people: see `zone_of`
    display: Display = field(default_factory=Display)  #: shows how long reads and waits go on

    @property
    def known_zone(self) -> tzinfo | None:
        """The zone of the people concerned; None when none is named and this machine is set to UTC."""
        return None if self.job.zone is None and str(self.zone) == str(UTC) else self.zone

    @property
    def hours(self) -> Hours:
        """The hours in which cancels of the job may be sent."""
        return Hours(self.job.send_window, self.job.outside_window == "wait", self.zone)

    @property
    def provenance(self) -> Provenance:
        """The provenance of a run that is started now."""
        job, zone = self.job, str(self.zone)
        return replace(provenance_of(self.machine), ticket=job.ticket, approved_by=job.approved_by, timezone=zone)

    def api_settings(self, name: str) -> ApiSettings:
        """Return the API settings of an account.

        Raises ConfigError for a missing credential, and for a timeout, proxy or certificates that cannot be used.
        """
        account = self.accounts.find(name)  # before HTTP is imported, which an offline plan does not need
        from bulk_cancel.api.transports import refuse_unfit_way

        refuse_unfit_way(self.api_url)
        return ApiSettings(
            self.api_url,
            account.credential,
            account.user_id,
            timeout_of(self.job, self.machine.environ),
            f"bulk-cancel/{version()}",
            self.job.rebooking_list,
            now=self.machine.clock.now,
        )

    def tell_of_wait(self, what: str, holder_of: Callable[[], Holder | None], wait_s: float) -> None:
        """Log which process holds what this command is about to wait for."""
        if not wait_s:
            return
        with suppress(BulkCancelError):  # locking it, which follows, raises the same error
            if holder := holder_of():
                self.log.info("lock.waiting", what=what, holder=str(holder), at_most_s=wait_s)


def provenance_of(machine: Machine) -> Provenance:
    """Return the user, machine, command and version of a command."""
    return Provenance(
        user=machine.user,
        machine=machine.name,
        command=recorded_command(machine.arguments, machine.environ),
        version=f"bulk-cancel {version()}, Python {platform.python_version()}",
    )


def set_up(job: Job, log: FilteringBoundLogger, machine: Machine, display: Display | None = None) -> Setup:
    """Resolve a job. Raises ConfigError for an address, a kind of ledger or an accounts file that cannot be used."""
    url, machine = api_url(machine.environ), housed(machine, job.ledger)
    place = ledger_place(job.ledger, url, machine.state_folder)
    accounts = load_accounts(job, machine.environ)
    return Setup(job, url, place, accounts, log, machine, zone_of(job, machine), display or Display())


def zone_of(job: Job, machine: Machine) -> tzinfo:
    """Return the zone of a job's times for people: its own, else its plan's, else this machine's."""
    return job.zone or zone_of_plan(Path(job.input)) or machine.zone


def place_of(given: str | None, machine: Machine) -> LedgerPlace:
    """Return the ledger of a command without a job: the given one, else the one of the environment's API."""
    url, given = api_url(machine.environ), given or machine.environ.get("BULK_CANCEL_LEDGER")
    return ledger_place(given, url, housed(machine, given).state_folder)


def housed(machine: Machine, ledger: str | None) -> Machine:
    """Return the machine, with the state folder beside the named ledger when the user has no home."""
    if machine.state_folder != NOWHERE or ledger is None or is_database(ledger):
        return machine
    file = ledger_path(ledger, DEFAULT_API, NOWHERE)
    return replace(machine, state_folder=file.with_name(f"{file.name}.state"))
