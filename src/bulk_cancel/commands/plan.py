"""`plan`: plan without sending anything or writing the ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bulk_cancel.access.credential_locks import keyring
from bulk_cancel.access.ledgers import ledger_place
from bulk_cancel.commands.run_setup import time_limit_of
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.plan import Plan
from bulk_cancel.core.states import State
from bulk_cancel.execution.caller import Parts
from bulk_cancel.planning.outputs import plan_outputs
from bulk_cancel.planning.planner import KnownPace, StatesOf, live_reads, planned
from bulk_cancel.planning.sources import open_if_any
from bulk_cancel.settings.accounts import OWN
from bulk_cancel.settings.environment import api_url
from bulk_cancel.settings.job import Job


def plan_job(job: Job, parts: Parts) -> Plan:
    """Plan without sending anything or writing the ledger; write the plan file and the audit files that the job names.

    Raises as staging, opening, writing and (live) reading do.
    """
    temporary = tempfile.TemporaryDirectory(prefix="bulk-cancel-")
    with keyring(job, parts.environ) as keys, temporary as folder, ExitStack() as stack:
        source = open_if_any(job, parts.environ, parts.log, Path(folder))
        if isinstance(source, str):
            return Plan(job.pace, nothing=source)
        place = ledger_place(job.ledger, api_url(parts.environ))
        states_of: StatesOf = _nothing_known
        known_pace: KnownPace = _no_pace
        if job.live and not keys.accounts.given:
            keys.settings(OWN)
        if place.exists():
            ledger = stack.enter_context(place.reading())
            states_of = ledger.states_of
            known_pace = ledger.load_pace
        looking = live_reads(keys, parts.log, known_pace, job.lock_wait) if job.live else None
        with plan_outputs(job, source, parts.environ) as outputs:
            plan = planned(keys, source.rows(looking), states_of, looking, outputs.add)
        plan.digest, plan.time = outputs.digest, time_limit_of(job)
        return plan


def _no_pace(key: str) -> PaceRecord | None:
    return None


def _nothing_known(rows: Sequence[InputRow]) -> list[State | None]:
    return [None] * len(rows)
