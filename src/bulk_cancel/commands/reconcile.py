"""`reconcile`: settle the ledger's unknown targets by reads alone."""

from __future__ import annotations

import anyio

from bulk_cancel.access.credential_locks import Keyring, keyring
from bulk_cancel.access.ledgers import clock_of
from bulk_cancel.access.places import new_run_id
from bulk_cancel.commands.run_setup import (
    _NO_RUN,
    _api_of,
    _lock_wait_s,
    _members,
    _open_ledger,
    _refuse_when_over,
    _stage,
    _time_limit,
)
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.plan import Plan
from bulk_cancel.engine.runner import Runner
from bulk_cancel.execution.caller import Parts
from bulk_cancel.execution.execute import Carrying, RunFacts, carry_out
from bulk_cancel.execution.finish import finish
from bulk_cancel.job import Job
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.planning.sources import program
from bulk_cancel.reports.summary import Summary


def reconcile_ledger(job: Job, parts: Parts) -> Summary:
    """Settle the ledger's unknown targets by reads alone."""
    limit = _time_limit(job)
    with keyring(job, parts.environ) as keys:
        _api_of(keys)
        _refuse_when_over(limit)
        return _reconciled(keys, parts, limit)


def _reconciled(keys: Keyring, parts: Parts, limit: TimeLimit | None) -> Summary:
    job = keys.job
    with _open_ledger(keys, limit) as ledger:
        keys.hold_all(Plan(job.pace), ledger.accounts(_NO_RUN), _lock_wait_s(job, limit))
        clock = clock_of(ledger)
        run_id = new_run_id()
        run_no = _stage(ledger, RunStart(run_id, clock.now(), clock.base, program=program()), (), clock)
        began = clock.monotonic()
        members, left = _members(keys, ledger, run_no, parts, clock)
        facts = RunFacts(run_id, run_no, None, clock, began, members, left, limit)
        end = anyio.run(carry_out, Carrying(job, parts, ledger, facts, Runner.reconcile_only))
        return finish(ledger, job, facts, end, parts.log)
