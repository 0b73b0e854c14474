"""What run and reconcile share: the opened ledger, its lock, the time limit, the accounts at work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from structlog.typing import FilteringBoundLogger

from bulk_cancel.access.credential_locks import CredentialLocks
from bulk_cancel.access.ledgers import LedgerDatabase, LedgerPlace, ledger_place, refuse_other_api
from bulk_cancel.cluster.exclusive_run import take_turn
from bulk_cancel.cluster.run_settings import refuse_others
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import InputRow
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.engine.deadline import time_limit
from bulk_cancel.errors import ConfigError, DeclinedError
from bulk_cancel.execution.active_accounts import ActiveAccount, active_accounts, leave_others
from bulk_cancel.execution.caller import Caller
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.settings.accounts import OWN
from bulk_cancel.settings.environment import api_url, refuse_short_settle
from bulk_cancel.settings.job import Job

#: No run has this number: asked for its accounts, a ledger returns those of whatever is open.
NO_RUN = 0


def api_of(keys: CredentialLocks) -> str:
    """Return the API's address. Without an accounts file the run's own credential has to be there as well."""
    here = keys.accounts.given or keys.job.engine == "dbos"
    url = api_url(keys.environ) if here else keys.settings(OWN).base_url
    refuse_short_settle(keys.job.settle, url)
    return url


def time_limit_of(job: Job) -> TimeLimit | None:
    return time_limit(job.max_duration, job.deadline, job.zone, system_clock())


def refuse_when_over(limit: TimeLimit | None) -> None:
    if limit is not None and not limit.left_s(system_clock().monotonic()):
        raise DeclinedError(f"{limit.sentence} Nothing was sent.", advice="Run it earlier, or give it more time.")


def gather_accounts(
    keys: CredentialLocks, ledger: Ledger, run_no: int, caller: Caller, clock: Clock
) -> tuple[list[ActiveAccount], dict[str, int]]:
    """Return the accounts at work and, per account without a credential, the number of unknown outcomes."""
    members = active_accounts(keys, ledger, run_no)
    # Without an accounts file no row of the run has one, and to ask for them would mean to look at every row.
    others = ledger.accounts(run_no if keys.accounts.given else NO_RUN)
    left = leave_others({*others} - {member.name for member in members}, ledger, run_no, clock)
    for name, count in left.items():
        caller.log.warning("account.left", account=name, unknown=count, why=keys.missing.get(name, ""))
    return members, left


@contextmanager
def open_ledger(keys: CredentialLocks, limit: TimeLimit | None, log: FilteringBoundLogger) -> Iterator[Ledger]:
    """Hold the ledger for the life of a run, and the limit of a credential that is needed in any case."""
    job, url, wait_s = keys.job, api_url(keys.environ), lock_wait_of(keys.job, limit)
    place = ledger_place(job.ledger, url)
    own = [] if keys.accounts.given else [OWN]
    alone = partial(place.alone, wait_s, lambda: keys.lock(own, wait_s))
    with _beside_workers(place, job, wait_s) if job.engine == "dbos" else alone() as ledger:
        refuse_other_api(ledger, url)
        if ledger.notice:
            log.warning("ledger.notice", told=ledger.notice)
        yield ledger


@contextmanager
def _beside_workers(place: LedgerPlace, job: Job, wait_s: float) -> Iterator[Ledger]:
    """Open a ledger that workers use, too, when no run of theirs is at work. Refuses what they cannot do."""
    if not isinstance(place, LedgerDatabase):
        raise ConfigError(
            "--engine dbos needs a ledger that workers can share.",
            advice="Nothing was sent. Name it: --ledger postgresql://user@host/database",
        )
    refuse_others(job)

    from bulk_cancel.cluster.queue import migrate

    migrate(place.url)  # before anything is staged: what cannot be handed out is not begun
    with place.together(wait_s) as ledger:
        take_turn(ledger, wait_s)
        yield ledger


def lock_wait_of(job: Job, limit: TimeLimit | None) -> float:
    """Wait for a lock no longer than there is time."""
    return min(job.lock_wait, limit.left_s(system_clock().monotonic())) if limit else job.lock_wait


def retry_before_of(job: Job, clock: Clock) -> float | None:
    """Return which refusals are taken up again: those from before this moment, if any are."""
    return clock.now() - job.settle if job.retry_refused else None


def stage_rows(
    ledger: Ledger,
    start: RunStart,
    chunks: Iterable[Sequence[InputRow]],
    clock: Clock,
    retry_before: float | None = None,
) -> int:
    run_no = ledger.begin_run(start)
    for rows in chunks:
        ledger.stage(run_no, rows, clock.now(), retry_before=retry_before)
    ledger.start_run(run_no)
    return run_no
