"""Carries a staged run out and sums it up: the asynchronous part of a run, with signals watched and progress shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Context, Foresight, Limits
from bulk_cancel.engine.deadline import watch_time
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.errors import Exit
from bulk_cancel.execution.active_accounts import ActiveAccount
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.runners import Shared, contexts_of, standing_of, work_together
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ops.progress import show_progress
from bulk_cancel.ops.signals import watch_signals
from bulk_cancel.reports.rebooking import Keep, rebooking_list
from bulk_cancel.settings.job import Job


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the summary of a run is made from, apart from the ledger."""

    run_id: str
    run_no: int
    out: Path | None
    clock: Clock
    began: float  #: monotonic
    members: Sequence[ActiveAccount]
    left: Mapping[str, int] = field(default_factory=dict)  #: account without a credential -> number of unknown outcomes
    time: TimeLimit | None = None


@dataclass(frozen=True, slots=True)
class Carrying:
    """Everything the asynchronous part needs."""

    job: Job
    caller: Caller
    ledger: Ledger
    facts: RunFacts
    what: Callable[[Runner], Awaitable[RunEnd]]
    foresight: Foresight = field(default_factory=Foresight)


async def carry_out(carrying: Carrying) -> RunEnd:
    if not carrying.facts.members:
        return RunEnd(None, Reconciled())
    out = carrying.facts.out if carrying.job.rebooking_list else None
    try:
        with rebooking_list(out) if out else nullcontext() as keep:
            return await _with_surroundings(carrying, contexts_of(_shared(carrying, keep)))
    finally:
        with anyio.CancelScope(shield=True):
            for line in (line for member in carrying.facts.members for line in member.lines):
                await line.aclose()


def _shared(carrying: Carrying, keep: Keep | None) -> Shared:
    facts = carrying.facts
    return Shared(
        run_no=facts.run_no,
        ledger=carrying.ledger,
        members=facts.members,
        clock=facts.clock,
        limits=_limits(carrying.job, facts.time),
        log=carrying.caller.log,
        foresight=carrying.foresight,
        keep=keep,
    )


def _limits(job: Job, time: TimeLimit | None) -> Limits:
    return Limits(
        max_attempts=job.max_attempts,
        settle_s=job.settle,
        max_errors=job.max_errors,
        look_first=job.look_first,
        wait=job.wait,
        skip_past=job.skip_past,
        late_within_s=job.late_within,
        window=job.send_window,
        stop_outside=job.outside_window == "stop",
        canary=job.canary,
        check_drift=job.check_drift,
        time=time,
    )


async def _with_surroundings(carrying: Carrying, contexts: Sequence[Context]) -> RunEnd:
    """Run with signals and the time watched and progress shown; all of that ends with the run."""
    display = carrying.caller.display

    def drain(signal_name: str) -> None:
        in_flight = sum(context.counters.in_flight for context in contexts)
        at_most_s = carrying.facts.members[0].settings.timeout_s
        hint = "a second signal stops at once; nothing is lost either way"
        carrying.caller.log.warning(
            "run.draining", signal=signal_name, in_flight=in_flight, at_most_s=at_most_s, hint=hint
        )
        for context in contexts:
            context.halt(Exit.STOPPED, f"Stopped by {signal_name}.")

    async with anyio.create_task_group() as surroundings:
        surroundings.start_soon(watch_signals, drain, display.stop)
        for context in contexts:
            surroundings.start_soon(watch_time, context)
        surroundings.start_soon(carrying.caller.stop.watch, drain)
        surroundings.start_soon(show_progress, display, lambda: standing_of(contexts))
        end = await work_together(contexts, carrying.what)
        surroundings.cancel_scope.cancel()
    return end
