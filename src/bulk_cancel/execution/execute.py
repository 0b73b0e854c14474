"""Carries out a staged run: the asynchronous part, alone or with signals and progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bulk_cancel.access.ledgers import shared_of
from bulk_cancel.access.rate_limits import limiter_of, remember
from bulk_cancel.access.setup import Setup
from bulk_cancel.core.clock import send_within
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import Scope
from bulk_cancel.core.moments import Zone
from bulk_cancel.core.plan import Approval
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.commits import GroupCommit
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.deadline import watch_time
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.engine.series_order import Order
from bulk_cancel.engine.shared_limiter import SharedLimiter, Slots
from bulk_cancel.errors import Exit
from bulk_cancel.execution.active_accounts import ActiveAccount
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.runners import standing_of, work_together
from bulk_cancel.ledger.port import Ledger, PaceUpdate
from bulk_cancel.ops.progress import show_progress
from bulk_cancel.reports.rebooking import Keep
from bulk_cancel.settings.environment import canonical_api
from bulk_cancel.settings.job import Job


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts of a staged run: its record, its accounts and its limits."""

    run_id: str
    run_no: int
    ledger: Ledger
    out: Path | None
    clock: Clock  #: by which the ledger's times are written
    began: float  #: monotonic
    active: Sequence[ActiveAccount] = ()
    left: Mapping[str, int] = field(default_factory=dict)  #: unknown outcomes of accounts whose credential is missing
    time: TimeLimit | None = None
    approval: Approval | None = None  #: of the plan that is carried out
    closure: str = ""  #: the command that checks the days of a closure; empty: this run is of no closure
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def zone(self) -> Zone:
        """The zone of its times for people."""
        return self.provenance.zone


def limits_of(job: Job, time: TimeLimit | None, zone: Zone) -> Limits:
    """Return the limits of a run of the job."""
    return Limits(
        max_attempts=job.max_attempts,
        settle_s=job.settle,
        max_errors=job.max_errors,
        look=job.look,
        wait=job.wait,
        skip_past=job.skip_past,
        late_within_s=job.late_within,
        window=job.send_window,
        stop_outside=job.outside_window == "stop",
        canary=job.canary,
        time=time,
        send_within_s=send_within(job.settle),
        zone=zone,
    )


def contexts_of(setup: Setup, facts: RunFacts, keep: Keep | None = None) -> list[Context]:
    """Return a context per account. Each has a limiter and an intake of its own; their commits are shared."""
    order, log = Order(one.name for one in facts.active), setup.log
    limits = limits_of(setup.job, facts.time, facts.zone)
    shared, contexts = GroupCommit(facts.ledger, facts.run_no, lambda: None, setup.machine.off_loop), list[Context]()
    for account in facts.active:
        commits, limiter = _paced(setup, facts, account, shared)
        contexts.append(
            Context(
                run_no=facts.run_no,
                commits=commits,
                limiter=limiter,
                clock=facts.clock,
                intake=Intake(),
                counters=account.counters,
                limits=limits,
                log=log.bind(account=account.name) if account.name else log,
                lines=account.lines,
                scope=Scope(account.name),
                order=order,
                approved=facts.approval.by_target if facts.approval else None,
                keep=keep,
                api=canonical_api(account.settings.base_url),
            )
        )
    return contexts


def _paced(setup: Setup, facts: RunFacts, account: ActiveAccount, commits: GroupCommit) -> tuple[GroupCommit, Limiter]:
    """Return an account's commits and limiter: a shared ledger gives its slots, any other keeps its state."""
    if shared_of(facts.ledger) is not None:
        slots = Slots(commits, account.key, account.pace)
        return commits, SharedLimiter(facts.clock, setup.machine.jitter, slots)
    limiter = limiter_of(account.pace, account.key, setup.machine, facts.ledger.load_pace(account.key))
    return commits.beside(lambda: PaceUpdate(account.key, limiter.record())), limiter


async def execute(contexts: Sequence[Context], what: Callable[[Runner], Awaitable[RunEnd]]) -> RunEnd:
    """Carry out a run until it ends or its time is over, and close its lines; without signals and progress."""
    if not contexts:
        return RunEnd(None, Reconciled())
    try:
        async with anyio.create_task_group() as watching:
            for context in contexts:
                watching.start_soon(watch_time, context)
            end = await work_together(contexts, what)
            watching.cancel_scope.cancel()
        return end
    finally:
        with anyio.CancelScope(shield=True):
            for line in (line for context in contexts for line in context.lines):
                await line.aclose()


def carry_out(
    setup: Setup,
    facts: RunFacts,
    what: Callable[[Runner], Awaitable[RunEnd]],
    caller: Caller,
    keep: Keep | None = None,
) -> RunEnd:
    """Execute a run in this process, with signals and progress; keep the state of each limit on this machine.

    The next command with that credential may use another ledger.
    """
    contexts = contexts_of(setup, facts, keep)
    at_most_s = max((account.settings.timeout_s for account in facts.active), default=0.0)
    end: RunEnd = setup.machine.run_loop(execute_attended, contexts, what, caller, at_most_s)
    for account, context in zip(facts.active, contexts, strict=True):
        remember(setup.machine, account.key, context.limiter.record())
    return end


async def execute_attended(
    contexts: Sequence[Context], what: Callable[[Runner], Awaitable[RunEnd]], caller: Caller, at_most_s: float
) -> RunEnd:
    """Execute with signals, the caller's stop and progress. A drain takes at most `at_most_s` seconds."""
    display = caller.display

    def drain(signal_name: str) -> None:
        in_flight = sum(context.counters.in_flight for context in contexts)
        hint = "a second signal stops at once; nothing is lost either way"
        caller.log.warning("run.draining", signal=signal_name, in_flight=in_flight, at_most_s=at_most_s, hint=hint)
        for context in contexts:
            context.halt(Exit.STOPPED, f"Stopped by {signal_name}.")

    def before_death(signal_name: str) -> None:
        display.stop()
        in_flight = sum(context.counters.in_flight for context in contexts)
        caller.log.warning("run.stopped_at_once", signal=signal_name, in_flight=in_flight)

    async with anyio.create_task_group() as attending:
        attending.start_soon(caller.machine.watch_signals, drain, before_death)
        attending.start_soon(caller.stop.watch, drain)
        if contexts:
            attending.start_soon(show_progress, display, lambda: standing_of(contexts))
        end = await execute(contexts, what)
        attending.cancel_scope.cancel()
    return end
