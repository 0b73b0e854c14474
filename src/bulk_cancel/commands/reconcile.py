"""`reconcile`: settle the ledger's unknown targets by reads alone."""

from __future__ import annotations

import anyio

from bulk_cancel.access.credential_locks import CredentialLocks, credential_locks
from bulk_cancel.access.ledgers import clock_of
from bulk_cancel.access.places import new_run_id
from bulk_cancel.commands.run_setup import (
    NO_RUN,
    api_of,
    gather_accounts,
    lock_wait_of,
    open_ledger,
    refuse_when_over,
    stage_rows,
    time_limit_of,
)
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.plan import Plan
from bulk_cancel.engine.runner import Runner
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.execute import Carrying, RunFacts, carry_out
from bulk_cancel.execution.finish import finish
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.planning.sources import program
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import Job


def reconcile_ledger(job: Job, caller: Caller) -> Summary:
    """Settle the ledger's unknown targets by reads alone."""
    limit = time_limit_of(job)
    with credential_locks(job, caller.environ) as keys:
        api_of(keys)
        refuse_when_over(limit)
        return _reconciled(keys, caller, limit)


def _reconciled(keys: CredentialLocks, caller: Caller, limit: TimeLimit | None) -> Summary:
    job = keys.job
    with open_ledger(keys, limit, caller.log) as ledger:
        keys.lock_all(Plan(job.pace), ledger.accounts(NO_RUN), lock_wait_of(job, limit))
        clock = clock_of(ledger)
        run_id = new_run_id()
        run_no = stage_rows(ledger, RunStart(run_id, clock.now(), clock.base, program=program()), (), clock)
        began = clock.monotonic()
        members, left = gather_accounts(keys, ledger, run_no, caller, clock)
        facts = RunFacts(run_id, run_no, None, clock, began, members, left, limit)
        end = anyio.run(carry_out, Carrying(job, caller, ledger, facts, Runner.reconcile_only))
        return finish(ledger, job, facts, end, caller.log)
