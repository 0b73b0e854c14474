"""The plan of a job's rows: by the ledger's states and, in a live plan, by what the API shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bulk_cancel.access.credential_locks import CredentialLocks
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.plan import Plan, PlanLine, make_plan
from bulk_cancel.core.readings import Reading
from bulk_cancel.core.states import State
from bulk_cancel.planning.sources import PlannedRows
from bulk_cancel.settings.accounts import OWN

if TYPE_CHECKING:
    from bulk_cancel.planning.live import AccountReads, LiveReads

KnownPace = Callable[[str], PaceRecord | None]


StatesOf = Callable[[Sequence[InputRow]], Sequence[State | None]]


def planned(
    keys: CredentialLocks,
    rows: PlannedRows,
    states_of: StatesOf,
    reads: LiveReads | None,
    each: Callable[[PlanLine], None] | None,
) -> Plan:
    plan = make_plan(rows.chunks(), states_of, keys.setup.job.pace, rows.look(reads), each)
    plan.notes = rows.notes
    if keys.accounts.given or plan.shares.keys() - {OWN}:
        plan.paces = {name: keys.accounts.pace(name) for name in sorted(plan.shares)}
    plan.live = replace(plan.live, requests=reads.requests) if plan.live and reads else None
    return plan


def live_reads(keys: CredentialLocks, known_pace: KnownPace, wait_s: float) -> LiveReads:
    """Return the looks of a live plan. An account's limit is held from its first look on."""
    from bulk_cancel.planning.live import AccountReads, LiveReads  # brings HTTP

    if not keys.accounts.given:
        keys.lock([OWN], wait_s)

    def begin(account: str, seen: dict[str, Reading]) -> AccountReads:
        keys.lock([account], wait_s)
        settings, pace = keys.settings(account), keys.accounts.pace(account)
        return AccountReads(keys.setup, settings, pace, known_pace(settings.credential.fingerprint), seen)

    return LiveReads(begin, keys.setup.machine.run_loop)
