"""Makes the plan of a job's rows, by the ledger's states and, with reads, by the API's appointments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bulk_cancel.access.credential_locks import CredentialLocks
from bulk_cancel.access.rate_limits import limiter_of
from bulk_cancel.core.actions import Action, Look
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.estimate import Hours
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.plan import Place, Plan, PlanLine, make_plan
from bulk_cancel.core.retry import is_long_pause
from bulk_cancel.core.states import State
from bulk_cancel.core.text import are_most, clean, counted
from bulk_cancel.errors import ConfigError
from bulk_cancel.planning.plan_reads import PlanReads
from bulk_cancel.planning.sources import PlannedRows
from bulk_cancel.settings.accounts import OWN, label_of

if TYPE_CHECKING:
    from bulk_cancel.planning.account_reads import AccountReads

KnownPace = Callable[[str], PaceRecord | None]
StatesOf = Callable[[Sequence[InputRow]], Sequence[State | None]]


def planned(
    keys: CredentialLocks,
    rows: PlannedRows,
    states_of: StatesOf,
    reads: PlanReads | None,
    each: Callable[[PlanLine], None] | None,
) -> Plan:
    with nullcontext() if reads else keys.setup.display.busy("Planning"):
        plan = make_plan(rows.chunks(), states_of, keys.setup.job.pace, rows.look(reads), each)
    plan.notes = (*rows.notes, *_doubts(plan, str(keys.setup.job.map.get("appointment_id", ""))))
    plan.place = Place(urlsplit(keys.setup.api_url).netloc, _credentials(keys, plan), str(keys.setup.place))
    if keys.accounts.given or plan.shares.keys() - {OWN}:
        plan.paces = {name: keys.accounts.pace(name) for name in sorted(plan.shares)}
    told = " ".join(dict.fromkeys(reads.offline.values())) if reads else ""
    plan.look = replace(plan.look, requests=reads.requests, offline=told) if plan.look and reads else None
    return plan


def _doubts(plan: Plan, id_column: str) -> Iterator[str]:
    """Yield what may not be meant. `id_column`: the one that --map names for the appointment ids; or empty."""
    if count := plan.blank_reasons:
        hold = counted(count, "reason of the input holds", "reasons of the input hold")
        stand = "it is mailed as it stands" if count == 1 else "they are mailed as they stand"
        yield f"{hold} {{…}}: {stand}. Blanks are filled in the reason of the job, or of --reason, only."
    if plan.unmailed.count:
        yield plan.unmailed.told
    column = f"the column {clean(id_column)}" if id_column else "the column of the appointment ids"
    rows, actions = plan.rows, plan.actions
    for count, total, what in (
        (actions[Action.INVALID], rows, "are invalid"),
        (actions[Action.SAME], rows, "name a target that an earlier row names"),
        (actions[Action.NOT_FOUND], plan.targets, "are not found"),
    ):
        if are_most(count, total):
            of = "targets" if total != rows else "rows"
            yield f"{count:,} of {total:,} {of} {what}: is {column} the right one? (--map appointment_id=COLUMN)"
            return


def hours_of(keys: CredentialLocks, plan: Plan, known_pace: KnownPace) -> Hours:
    """Return when the cancels of a plan may be sent, with the longest pause that is remembered of their limits.

    Workers bring their own credentials: of their limits nothing is known here.
    """
    setup, hours = keys.setup, keys.setup.hours
    for name in (name for name, share in plan.shares.items() if share.open and setup.job.engine == "local"):
        with suppress(ConfigError):  # a plan needs no credential
            key = keys.accounts.find(name).credential.fingerprint
            limiter = limiter_of(keys.accounts.pace(name), key, setup.machine, known_pace(key))
            if (wait_s := limiter.wait_s()) > hours.paused_s:
                stops = is_long_pause(wait_s, limiter.pace.span_s)
                hours = replace(hours, paused_s=wait_s, stops=stops)
    return hours


#: At most this number of credentials is named.
_MOST_NAMED = 3


def _credentials(keys: CredentialLocks, plan: Plan) -> str:
    """Return which credentials would be used: their kinds, and where they were found."""
    if keys.setup.job.engine == "dbos":
        return "those of the workers"
    names = sorted(name for name, share in plan.shares.items() if share.open) or [OWN]
    more = [f"and {len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return ", ".join([*(_credential(keys, name) for name in names[:_MOST_NAMED]), *more])


def _credential(keys: CredentialLocks, name: str) -> str:
    whose = f"{label_of(name)}: " if name else ""
    try:
        account = keys.accounts.find(name)
    except ConfigError as error:
        return f"{error} {error.advice}".strip().removesuffix(".")
    credential = account.credential
    acting = f", acting as {account.user_id}" if account.user_id else ""
    return f"{whose}{credential.kind.value} in {credential.origin}{acting}"


def plan_reads(keys: CredentialLocks, look: Look, known_pace: KnownPace, wait_s: float) -> PlanReads:
    """Return the reads of a plan. An account's limit is locked from its first read on."""

    def begin(account: str) -> AccountReads:
        settings, pace = keys.settings(account), keys.accounts.pace(account)
        from bulk_cancel.planning.account_reads import AccountReads  # brings the engine

        keys.lock([account], wait_s)
        return AccountReads(keys.setup, settings, pace, look, known_pace(settings.credential.fingerprint))

    return PlanReads(look, begin, keys.setup.machine.run_loop, keys.setup.display)
