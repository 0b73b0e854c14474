"""What programs call: plan, run and reconcile with frozen results, from any thread, and awaited."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.commands.plan import plan_job
from bulk_cancel.commands.reconcile import reconcile_ledger
from bulk_cancel.commands.run import Parts, run_and_tell
from bulk_cancel.core.actions import Action
from bulk_cancel.core.model import Status
from bulk_cancel.core.plan import Plan, PlanLine
from bulk_cancel.core.states import State
from bulk_cancel.errors import Exit, UsageError
from bulk_cancel.job import Job
from bulk_cancel.ops.logs import logging_to
from bulk_cancel.ops.progress import Silence
from bulk_cancel.ops.stopping import Stop
from bulk_cancel.reports.summary import Summary

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """A row of the input, and what a run would do with it."""

    row: int  #: as a spreadsheet shows it: the header is row 1
    action: Action
    why: str  #: a sentence
    appointment_id: str | None  #: None when the row is invalid
    attendee_id: str | None  #: None: the whole appointment
    entire_series: bool
    reason: str | None  #: as the mails print it
    account: str | None = None  #: with whose credential; None: the run's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a live plan saw of the people concerned: numbers, no names."""

    requests: int  #: that the looks took
    mailed: int  #: people who get a mail, at least
    mailed_again: int  #: people who get more than one
    paid: int  #: appointments that were paid for
    hosts: int
    first_start: str | None  #: ISO 8601
    last_start: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """What a run would do: counts over all rows, and the first rows of the kinds that people look at."""

    rows: int
    targets: int  #: distinct ones that the valid rows name
    cancels: int  #: what a run would send, if every cancel is answered
    may_send: int  #: what it may send at most: also those whose earlier cancel may prove not applied
    duration_s: float  #: that the cancels take at least, at the job's rate and with a full burst
    actions: Mapping[Action, int]  #: action -> rows; every action is in it
    settled: Mapping[State, int]  #: state -> rows that need nothing, by what the ledger knows
    first: tuple[PlannedRow, ...]  #: the first rows to be sent, at most 10
    invalid: tuple[PlannedRow, ...]  #: the first invalid rows, at most 10
    left_out: tuple[PlannedRow, ...]  #: the first rows that a look or a rule leaves out, at most 10
    seen: Seen | None  #: of a live plan
    digest: str | None  #: of the plan file, when the job names one
    exit_code: Exit  #: that the command `plan` would end with


R = TypeVar("R", PlannedRow, Seen, PlanResult)
Approve = Callable[[PlanResult], bool]


def plan(job: Job, *, environ: Mapping[str, str] | None = None, log: FilteringBoundLogger | None = None) -> PlanResult:
    """Return what a run of the job would do. Sends nothing and writes no ledger; writes the files that the job names.

    `environ` (default: os.environ) has the credential and the API's address. `log` takes the events; the default
    writes warnings to stderr and everything to the job's `log_file`. Raises BulkCancelError, and UsageError in a
    thread with a running event loop.
    """
    with _parts(job, environ, log) as parts:
        return _planned(plan_job(job, parts))


def run(
    job: Job,
    *,
    approve: Approve | None = None,
    environ: Mapping[str, str] | None = None,
    log: FilteringBoundLogger | None = None,
    stop: Stop | None = None,
) -> Summary:
    """Validate, plan, have it approved, cancel, report. The same job again resumes and never repeats.

    `approve` receives the plan and says whether to go on; without it the job has to have `yes`. `stop.request()`, from
    any thread, lets the run drain. The rest is as in `plan`. Returns the summary of a run that began, however it ended:
    look at its exit code. Raises BulkCancelError when none began: then nothing was sent; or when the disk or the ledger
    does not take a run's end or its results (exit codes 74 and 78).
    """
    _refuse_unasked(job, approve)
    stop = stop or Stop()
    with _parts(job, environ, log) as parts:
        agreed = partial(_agreed, approve or (lambda _: True), stop)
        return _frozen(run_and_tell(job, replace(parts, approve=agreed, stop=stop)))


def reconcile(
    job: Job,
    *,
    environ: Mapping[str, str] | None = None,
    log: FilteringBoundLogger | None = None,
    stop: Stop | None = None,
) -> Summary:
    """Settle the unknown targets of the job's ledger by reads alone, whatever the job's input is. Else as `run`."""
    with _parts(job, environ, log) as parts:
        return _frozen(reconcile_ledger(job, replace(parts, stop=stop or Stop())))


async def run_async(
    job: Job,
    *,
    approve: Approve | None = None,
    environ: Mapping[str, str] | None = None,
    log: FilteringBoundLogger | None = None,
) -> Summary:
    """As `run`, in a thread of its own, under asyncio or trio. `approve` is called in that thread.

    A cancelled wait lets the run drain and ends after it: no cancel is left in flight, and the ledger is closed.
    """
    stop = Stop()
    return await _in_thread(partial(run, job, approve=approve, environ=environ, log=log, stop=stop), stop)


async def plan_async(
    job: Job, *, environ: Mapping[str, str] | None = None, log: FilteringBoundLogger | None = None
) -> PlanResult:
    """As `plan`, in a thread of its own. A cancelled wait ends when the plan has: it sends nothing."""
    return await _in_thread(partial(plan, job, environ=environ, log=log), Stop())


async def reconcile_async(
    job: Job, *, environ: Mapping[str, str] | None = None, log: FilteringBoundLogger | None = None
) -> Summary:
    """As `reconcile`, awaited as in `run_async`."""
    stop = Stop()
    return await _in_thread(partial(reconcile, job, environ=environ, log=log, stop=stop), stop)


async def _in_thread(call: Callable[[], T], stop: Stop) -> T:
    """Wait for the call to end, also when cancelled, however often: asyncio's own cancel knows no shield."""
    outcome: Future[T] = Future()
    ended = anyio.Event()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    async def host() -> None:
        await anyio.to_thread.run_sync(work)
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(host)
        try:
            await ended.wait()
        finally:
            stop.request()
    return outcome.result()


@contextmanager
def _parts(job: Job, environ: Mapping[str, str] | None, log: FilteringBoundLogger | None) -> Iterator[Parts]:
    _refuse_running_loop()
    with nullcontext(log) if log else logging_to(job.log_format, job.log_file) as bound:
        yield Parts(os.environ if environ is None else environ, bound, Silence())


def _refuse_running_loop() -> None:
    """Before anything is staged: the run needs an event loop of its own, and a thread has one at most."""
    try:
        anyio.get_current_task()
    except RuntimeError:
        return
    raise UsageError(
        "This thread runs an event loop already.",
        advice="Await run_async, plan_async or reconcile_async instead. Nothing was sent.",
    )


def _refuse_unasked(job: Job, approve: Approve | None) -> None:
    if job.dry_run:
        raise UsageError("The job has dry_run: it is to be planned only.", advice="Call plan. Nothing was sent.")
    if approve is None and not job.yes:
        raise UsageError("Nobody approves the plan.", advice="Give approve=…, or a job with yes. Nothing was sent.")


def _agreed(approve: Approve, stop: Stop, plan: Plan) -> bool:
    return not stop.wanted and approve(_planned(plan)) and not stop.wanted


def _planned(plan: Plan) -> PlanResult:
    return _copied(
        PlanResult,
        plan,
        actions=MappingProxyType({action: plan.actions[action] for action in Action}),
        settled=MappingProxyType(dict(plan.settled)),
        first=tuple(map(_row, plan.first)),
        invalid=tuple(map(_row, plan.invalid)),
        left_out=tuple(map(_row, plan.left_out)),
        seen=_copied(Seen, plan.live, hosts=len(plan.live.hosts)) if plan.live else None,
        exit_code=Exit.REFUSED_ROWS if plan.invalid else Exit.OK,
    )


def _row(line: PlanLine) -> PlannedRow:
    return _copied(PlannedRow, line.row, action=line.action, why=line.why)


def _copied(kind: type[R], source: object, **given: Any) -> R:
    """Return a result of this kind with the values given, and every other field as the source has it."""
    rest = {field.name: getattr(source, field.name) for field in fields(kind) if field.name not in given}
    return kind(**rest, **given)


def _frozen(summary: Summary) -> Summary:
    counts = MappingProxyType({status: summary.counts.get(status, 0) for status in Status})
    return replace(summary, counts=counts)
