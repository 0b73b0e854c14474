"""Carries a staged run out and sums it up: the asynchronous part of a run, with signals watched and progress shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.verdict import decide_exit
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Context, Foresight, Limits
from bulk_cancel.engine.deadline import watch_time
from bulk_cancel.engine.plan import Plan
from bulk_cancel.engine.reconcile import Reconciled
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.engine.tally import Tally
from bulk_cancel.errors import BulkCancelError, Exit
from bulk_cancel.job import Job
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ops.progress import Display
from bulk_cancel.ops.signals import watch_signals
from bulk_cancel.ops.stopping import Stop
from bulk_cancel.reporting import write_run
from bulk_cancel.reports.rebooking import Keep, rebooking_list
from bulk_cancel.reports.summary import Ending, Requests, Summary, next_step, to_json, write_summary
from bulk_cancel.teams import Member, Shared, about_left, contexts_of, pace_of, standing_of, work_together


@dataclass(frozen=True, slots=True)
class Parts:
    """What the surroundings provide: the environment, a log, a display, who approves a plan and who stops a run."""

    environ: Mapping[str, str]
    log: FilteringBoundLogger
    display: Display
    approve: Callable[[Plan], bool] = lambda _: True
    stop: Stop = field(default_factory=Stop)
    leave: Callable[[], bool] = lambda: True  #: whether workers go on with a run that nobody watches any more


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the summary of a run is made from, apart from the ledger."""

    run_id: str
    run_no: int
    out: Path | None
    clock: Clock
    began: float  #: monotonic
    members: Sequence[Member]
    left: Mapping[str, int] = field(default_factory=dict)  #: unknown outcomes of accounts that are not to be had
    time: TimeLimit | None = None


class DeclinedError(BulkCancelError):
    """The person, or a limit, said no. Nothing was sent or recorded."""

    exit_code = Exit.STOPPED


@dataclass(frozen=True, slots=True)
class Carrying:
    """Everything the asynchronous part needs."""

    job: Job
    parts: Parts
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
        log=carrying.parts.log,
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
    display = carrying.parts.display

    def drain(signal_name: str) -> None:
        in_flight = sum(context.tally.in_flight for context in contexts)
        at_most_s = carrying.facts.members[0].settings.timeout_s
        hint = "a second signal stops at once; nothing is lost either way"
        carrying.parts.log.warning(
            "run.draining", signal=signal_name, in_flight=in_flight, at_most_s=at_most_s, hint=hint
        )
        for context in contexts:
            context.halt(Exit.STOPPED, f"Stopped by {signal_name}.")

    async with anyio.create_task_group() as surroundings:
        surroundings.start_soon(watch_signals, drain, display.stop)
        for context in contexts:
            surroundings.start_soon(watch_time, context)
        surroundings.start_soon(carrying.parts.stop.watch, drain)
        surroundings.start_soon(_show, display, contexts)
        end = await work_together(contexts, carrying.what)
        surroundings.cancel_scope.cancel()
    return end


async def _show(display: Display, contexts: Sequence[Context]) -> None:
    """A terminal that went away must not stop the run."""
    with suppress(OSError):
        await display.follow(lambda: standing_of(contexts))


@dataclass(frozen=True, slots=True)
class Effort:
    """What a run took: the requests of its accounts, its seconds, and the limit that it kept."""

    tallies: Mapping[str, Sequence[Tally]]  #: by account
    by_account: bool  #: whether there are several, or might be
    elapsed_s: float
    pace: Pace | None


def finish(ledger: Ledger, job: Job, facts: RunFacts, end: RunEnd, log: FilteringBoundLogger) -> Summary:
    """Write the result files and the summary, from the ledger alone. Not counted as the run's time."""
    elapsed_s = facts.clock.monotonic() - facts.began
    tallies = {member.name: [member.tally] for member in facts.members}
    effort = Effort(tallies, job.accounts is not None, elapsed_s, pace_of(facts.members) or job.pace)
    summary = summarised(ledger, facts, end, effort)
    conclude(ledger, facts, summary, log, excel=job.excel)
    return summary


def conclude(ledger: Ledger, facts: RunFacts, summary: Summary, log: FilteringBoundLogger, *, excel: bool) -> None:
    """Write down the run's end, in the ledger and in its files."""
    ledger.end_run(facts.run_no, facts.clock.now(), to_json(summary))
    if facts.out is not None:
        (run,) = ledger.runs(facts.run_id)
        if missing := write_run(ledger, run, facts.out, excel=excel):
            log.warning("run.no_workbook", why=missing)
        write_summary(summary, facts.out)
    counts = {status.value: count for status, count in summary.counts.items() if count}
    log.info("run.ended", run_id=facts.run_id, exit_code=int(summary.exit_code), **counts)


def requests_of(*tallies: Tally) -> Requests:
    """Sum the requests of some who worked."""
    return Requests(
        posts=sum(tally.posts for tally in tallies),
        gets=sum(tally.gets for tally in tallies),
        throttled=sum(tally.throttled for tally in tallies),
    )


def summarised(ledger: Ledger, facts: RunFacts, end: RunEnd, effort: Effort) -> Summary:
    """Sum a run up, from the ledger and from how it ended."""
    counts: Counter[Status] = Counter()
    for state, count in ledger.counts(facts.run_no).items():
        counts[status_of(state)] += count
    # A reconcile has no rows of its own: its matter are the ledger's unknown targets.
    left = Counter({Status.UNKNOWN: sum(facts.left.values())})
    matter = counts + left if counts else Counter({Status.UNKNOWN: ledger.unknown_count()})
    found = end.reconciled
    only_a_person = 0 < found.unknown == found.undecided and not left[Status.UNKNOWN]
    exit_code = decide_exit(matter, end.halt, only_a_person=only_a_person)
    # Of a reconcile that was stopped nobody knows when the rest is due.
    known_due = found.unknown and not end.halt
    due_at = facts.clock.now() + found.due_in_s if known_due else None
    halt = " ".join(filter(None, (end.halt.message if end.halt else "", about_left(facts.left))))
    return Summary(
        run_id=facts.run_id,
        rows=sum(counts.values()),
        targets=ledger.target_count(facts.run_no),
        counts=counts,
        requests=requests_of(*(tally for tallies in effort.tallies.values() for tally in tallies)),
        accounts={name: requests_of(*tallies) for name, tallies in effort.tallies.items()} if effort.by_account else {},
        elapsed_s=effort.elapsed_s,
        exit_code=exit_code,
        out=str(facts.out) if facts.out else None,
        ledger=ledger.place,
        next=next_step(Ending(matter, exit_code, due_at, halt, found.undecided)),
        pace=effort.pace,
    )
