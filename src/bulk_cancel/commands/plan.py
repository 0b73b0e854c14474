"""`plan`: plan without sending anything or writing the ledger."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bulk_cancel.access.credential_locks import credential_locks
from bulk_cancel.access.setup import set_up
from bulk_cancel.commands.run_setup import time_limit_of
from bulk_cancel.core.actions import Look
from bulk_cancel.core.plan import Plan
from bulk_cancel.execution.caller import Caller
from bulk_cancel.planning.other_reasons import OtherReasons
from bulk_cancel.planning.outputs import plan_outputs
from bulk_cancel.planning.planner import KnownPace, StatesOf, hours_of, plan_reads, planned
from bulk_cancel.planning.reason_templates import template_of
from bulk_cancel.planning.sources import open_if_any, provenance_of_source, retries_refused
from bulk_cancel.reports.shown_columns import shown_columns
from bulk_cancel.settings.job import Job


def plan_job(job: Job, caller: Caller) -> Plan:
    """Plan without sending anything or writing the ledger; write the plan file and the audit files that the job names.

    Raises as staging, opening, writing and reading do. Without a credential nothing is read, unless all is to be read.
    """
    setup = set_up(job, caller.log, caller.machine, caller.display)
    temporary = tempfile.TemporaryDirectory(prefix="bulk-cancel-")
    with credential_locks(setup) as keys, temporary as folder, ExitStack() as stack:
        source = open_if_any(setup, Path(folder))
        if isinstance(source, str):
            return Plan(job.pace, nothing=source)
        shown = shown_columns(source.snapshot, job.show)
        setup.place.refuse_lost()
        ledger = stack.enter_context(setup.place.reading()) if setup.place.exists() else None
        retry = retries_refused(setup, source)
        states_of: StatesOf = (
            partial(ledger.states_of, retry_refused=retry) if ledger else lambda rows: [None] * len(rows)
        )
        known_pace: KnownPace = ledger.load_pace if ledger else lambda _: None
        reasons = OtherReasons(ledger.mailed_of, template_of(setup) is not None) if ledger else None
        look = Look.EACH if source.needs_looks and job.look is not Look.NEVER else job.look
        reads = None if look is Look.NEVER else plan_reads(keys, look, known_pace, job.lock_wait)
        with plan_outputs(setup, source) as outputs:
            if reasons:
                outputs.takers.append(reasons.add)
            plan = planned(keys, source.rows(reads), states_of, reads, outputs.add)
            plan.hours = hours_of(keys, plan, known_pace)
            if reasons and plan.may_send and (note := reasons.note()):
                plan.notes = (*plan.notes, note)
            outputs.conclude(plan)
            plan.closure, plan.shown = source.closure, shown.beside(plan.named_rows)
        plan.digest, plan.time = outputs.digest, time_limit_of(setup)
        plan.provenance = provenance_of_source(setup, source)
        return plan
