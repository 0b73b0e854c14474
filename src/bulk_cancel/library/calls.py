"""The calls for programs: plan, run and reconcile, from any thread."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.access.machine import Machine
from bulk_cancel.commands.plan import plan_job
from bulk_cancel.commands.reconcile import reconcile_ledger
from bulk_cancel.commands.run import run_and_tell
from bulk_cancel.core.plan import Plan
from bulk_cancel.errors import UsageError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.library.results import Approve, PlanResult, freeze_plan, freeze_summary
from bulk_cancel.ops.logs import logging_to
from bulk_cancel.ops.progress import Display
from bulk_cancel.ops.stop_request import Stop
from bulk_cancel.reports.summary import Summary
from bulk_cancel.settings.job import Job


def plan(job: Job, *, environ: Mapping[str, str] | None = None, log: FilteringBoundLogger | None = None) -> PlanResult:
    """Return what a run of the job would do. Sends nothing and writes no ledger; writes the files that the job names.

    `environ` (default: os.environ) has the credential and the API's address. `log` gets the events; the default
    writes warnings to stderr and everything to the job's `log_file`. Raises BulkCancelError, and UsageError in a
    thread with a running event loop.
    """
    with _caller(job, environ, log) as caller:
        return freeze_plan(plan_job(job, caller))


def run(
    job: Job,
    *,
    approve: Approve | None = None,
    environ: Mapping[str, str] | None = None,
    log: FilteringBoundLogger | None = None,
    stop: Stop | None = None,
) -> Summary:
    """Validate, plan, ask for approval, cancel, report. The same job again resumes and never repeats.

    `approve` receives the plan and says whether to go on; without it the job has to have `yes`. `stop.request()`, from
    any thread, lets the run drain. The rest is as in `plan`. Returns the summary of a run that began, however it ended:
    check its exit code. Raises BulkCancelError when none began (nothing was sent), or when the disk or the ledger
    refuses the record of the run's end or its results (exit codes 74 and 78).
    """
    _refuse_unasked(job, approve)
    stop = stop or Stop()
    with _caller(job, environ, log) as caller:

        def agreed(plan: Plan) -> bool:
            return not stop.wanted and (approve is None or approve(freeze_plan(plan))) and not stop.wanted

        return freeze_summary(run_and_tell(job, replace(caller, approve=agreed, stop=stop)))


def reconcile(
    job: Job,
    *,
    environ: Mapping[str, str] | None = None,
    log: FilteringBoundLogger | None = None,
    stop: Stop | None = None,
) -> Summary:
    """Settle the unknown targets of the job's ledger by reads alone, whatever the job's input is. Else as `run`."""
    with _caller(job, environ, log) as caller:
        return freeze_summary(reconcile_ledger(job, replace(caller, stop=stop or Stop())))


@contextmanager
def _caller(job: Job, environ: Mapping[str, str] | None, log: FilteringBoundLogger | None) -> Iterator[Caller]:
    _refuse_running_loop()
    with nullcontext(log) if log else logging_to(job.log_format, job.log_file) as bound:
        yield Caller(Machine(os.environ if environ is None else environ), bound, Display())


def _refuse_running_loop() -> None:
    """Raise UsageError in a thread with a running event loop, since a run needs a loop of its own."""
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
        raise UsageError("Nothing approves the plan.", advice="Give approve=…, or a job with yes. Nothing was sent.")
