"""`reconcile`: settle the ledger's unknown targets by reads alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bulk_cancel.access.credential_locks import credential_locks
from bulk_cancel.access.ledgers import clock_of, free_run_id
from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.commands.run_setup import (
    NO_RUN,
    gather_accounts,
    lock_wait_of,
    open_ledger,
    refuse_unfit,
    refuse_when_over,
    stage_rows,
    time_limit_of,
)
from bulk_cancel.core.plan import Plan
from bulk_cancel.engine.runner import Runner
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.execute import RunFacts, carry_out
from bulk_cancel.execution.finish import conclude
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import Job


def reconcile_ledger(job: Job, caller: Caller) -> Summary:
    """Settle the ledger's unknown targets by reads alone."""
    return reconcile_in(set_up(job, caller.log, caller.machine, caller.display), caller)


def reconcile_in(setup: Setup, caller: Caller) -> Summary:
    """As `reconcile_ledger` does."""
    with prepare_reconcile(setup) as facts:
        return conclude(setup, facts, carry_out(setup, facts, Runner.reconcile_only, caller))


@contextmanager
def prepare_reconcile(setup: Setup) -> Iterator[RunFacts]:
    """Lock what a reconcile needs and record its beginning; yield its facts."""
    limit = time_limit_of(setup)
    with credential_locks(setup) as keys:
        refuse_unfit(keys)
        refuse_when_over(setup, limit)
        with open_ledger(keys, limit) as ledger:
            keys.lock_all(Plan(setup.job.pace), ledger.accounts(NO_RUN), lock_wait_of(setup, limit))
            clock, run_id = clock_of(ledger, setup.machine.clock), free_run_id(ledger, setup.machine)
            provenance, settle_s = setup.provenance, setup.job.settle
            start = RunStart(run_id, clock.now(), clock.base, provenance=provenance, settle_s=settle_s)
            run_no = stage_rows(ledger, start, (), clock)
            began = clock.monotonic()
            active, left = gather_accounts(keys, ledger, run_no, clock)
            yield RunFacts(run_id, run_no, ledger, None, clock, began, active, left, limit, provenance=provenance)
