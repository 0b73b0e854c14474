"""`plan`: plan without sending anything or writing the ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bulk_cancel.access.credential_locks import credential_locks
from bulk_cancel.access.setup import set_up
from bulk_cancel.commands.run_setup import time_limit_of
from bulk_cancel.core.actions import Look
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.plan import Plan
from bulk_cancel.core.states import State
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
        states_of: StatesOf = _nothing_known
        known_pace: KnownPace = _no_pace
        reasons: OtherReasons | None = None
        setup.place.refuse_lost()
        if setup.place.exists():
            ledger = stack.enter_context(setup.place.reading())
            states_of = partial(ledger.states_of, retry_refused=retries_refused(setup, source))
            known_pace = ledger.load_pace
            reasons = OtherReasons(ledger.mailed_of, template_of(setup) is not None)
        look = Look.EACH if source.needs_looks and job.look is not Look.NEVER else job.look
        reads = None if look is Look.NEVER else plan_reads(keys, look, known_pace, job.lock_wait)
        with plan_outputs(setup, source) as outputs:
            if reasons:
                outputs.takers.append(reasons.add)
            plan = planned(keys, source.rows(reads), states_of, reads, outputs.add)
            plan.hours = outputs.hours = hours_of(keys, plan, known_pace)
            plan.closure, plan.shown = source.closure, shown.beside(plan.named_rows)
        plan.digest, plan.time, plan.provenance = (
            outputs.digest,
            time_limit_of(setup),
            provenance_of_source(setup, source),
        )
        if reasons and plan.may_send and (note := reasons.note()):
            plan.notes = (*plan.notes, note)
        return plan


def _no_pace(key: str) -> PaceRecord | None:
    return None


def _nothing_known(rows: Sequence[InputRow]) -> list[State | None]:
    return [None] * len(rows)
