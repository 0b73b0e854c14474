"""What `run` and `reconcile` share: time limits, opening the ledger, the active accounts, staging."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bulk_cancel.access.credential_locks import CredentialLocks
from bulk_cancel.access.ledgers import LedgerDatabase, refuse_other_api
from bulk_cancel.access.setup import Setup
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import InputRow
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.deadline import time_limit
from bulk_cancel.errors import ConfigError, DeclinedError
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.settings.accounts import OWN
from bulk_cancel.settings.environment import refuse_short_settle

if TYPE_CHECKING:
    from bulk_cancel.execution.active_accounts import ActiveAccount

#: No run has this number: for it a ledger returns the accounts of all open targets.
NO_RUN = 0


def refuse_unfit(keys: CredentialLocks) -> None:
    """Raise ConfigError for a settle time that is too short, and, without an accounts file, for a missing credential.

    Workers have their own credentials.
    """
    if not keys.accounts.given and keys.setup.job.engine == "local":
        keys.settings(OWN)
    refuse_short_settle(keys.setup.job.settle, keys.setup.api_url)


def time_limit_of(setup: Setup) -> TimeLimit | None:
    """Return the time limit of a command that starts now; None without one."""
    job = setup.job
    return time_limit(job.max_duration, job.deadline, setup.zone, setup.machine.clock)


def refuse_when_over(setup: Setup, limit: TimeLimit | None) -> None:
    """Raise DeclinedError when the time is over before anything began."""
    if limit is not None and not limit.left_s(setup.machine.clock.monotonic()):
        raise DeclinedError(f"{limit.sentence} Nothing was sent.", advice="Run it earlier, or give it more time.")


def gather_accounts(
    keys: CredentialLocks, ledger: Ledger, run_no: int, clock: Clock
) -> tuple[list[ActiveAccount], dict[str, int]]:
    """Return the accounts that work on the run and, per account whose credential is missing, its unknown outcomes."""
    from bulk_cancel.execution.active_accounts import active_accounts, leave_others

    active = active_accounts(keys, ledger, run_no)
    # Without an accounts file no row of the run has an account, and finding them would read every row.
    others = ledger.accounts(run_no if keys.accounts.given else NO_RUN)
    left = leave_others({*others} - {account.name for account in active}, ledger, run_no, clock)
    for name, count in left.items():
        keys.setup.log.warning("account.left", account=name, unknown=count, why=keys.missing.get(name, ""))
    return active, left


@contextmanager
def open_ledger(keys: CredentialLocks, limit: TimeLimit | None) -> Iterator[Ledger]:
    """Lock the ledger for the whole run, and the limit of the run's own credential unless there are accounts."""
    setup, wait_s = keys.setup, lock_wait_of(keys.setup, limit)
    own = [] if keys.accounts.given else [OWN]
    setup.tell_of_wait("the ledger", setup.place.holder, wait_s)
    alone = partial(setup.place.alone, wait_s, lambda: keys.lock(own, wait_s))
    with _beside_workers(setup, wait_s) if setup.job.engine == "dbos" else alone() as ledger:
        refuse_other_api(ledger, setup.api_url)
        if ledger.notice:
            setup.log.warning("ledger.notice", told=ledger.notice)
        yield ledger


@contextmanager
def _beside_workers(setup: Setup, wait_s: float) -> Iterator[Ledger]:
    """Open a ledger that workers use, too, once no other run is active. Raises ConfigError for unsupported options."""
    place = setup.place
    if not isinstance(place, LedgerDatabase):
        raise ConfigError(
            "--engine dbos needs a ledger that workers can share.",
            advice="Nothing was sent. Name it: --ledger postgresql://user@host/database",
        )
    from bulk_cancel.cluster.exclusive_run import take_turn
    from bulk_cancel.cluster.run_settings import refuse_others

    refuse_others(setup.job)

    from bulk_cancel.cluster.queue import migrate

    migrate(place.url)  # before anything is staged, since it may fail
    with place.together(wait_s) as ledger:
        take_turn(ledger, wait_s)
        yield ledger


def lock_wait_of(setup: Setup, limit: TimeLimit | None) -> float:
    """Return how many seconds to wait for a lock: at most the time that is left."""
    wait_s = setup.job.lock_wait
    return min(wait_s, limit.left_s(setup.machine.clock.monotonic())) if limit else wait_s


def stage_rows(
    ledger: Ledger,
    start: RunStart,
    chunks: Iterable[Sequence[InputRow]],
    clock: Clock,
    *,
    retry_refused: bool = False,
) -> int:
    """Begin a run and stage its rows; return its number."""
    run_no = ledger.begin_run(start)
    for rows in chunks:
        ledger.stage(run_no, rows, clock.now(), retry_refused=retry_refused)
    ledger.start_run(run_no)
    return run_no
