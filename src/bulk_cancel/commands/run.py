"""Wires the concrete parts together: the only module that knows them all. Commands and the Python API come here."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import anyio

from bulk_cancel.access.credential_locks import CredentialLocks, credential_locks
from bulk_cancel.access.ledgers import clock_of, ledger_place
from bulk_cancel.access.places import new_run_id
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.commands.run_setup import (
    NO_RUN,
    api_of,
    gather_accounts,
    lock_wait_of,
    open_ledger,
    refuse_when_over,
    retry_before_of,
    stage_rows,
    time_limit_of,
)
from bulk_cancel.core.columns import SNAPSHOT
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.plan import Plan
from bulk_cancel.core.states import State
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.engine.context import Foresight
from bulk_cancel.engine.runner import Runner
from bulk_cancel.errors import DeclinedError, Exit
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.execute import Carrying, RunFacts, carry_out
from bulk_cancel.execution.finish import finish
from bulk_cancel.execution.notifications import notice_of_end, notice_of_failure, send_notice
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.ledger.shared import SharedLedger
from bulk_cancel.ops.metrics import require_metrics
from bulk_cancel.ops.notify import Notifier
from bulk_cancel.planning.planner import live_reads, planned
from bulk_cancel.planning.search import SELECTED
from bulk_cancel.planning.sources import Source, open_if_any, program
from bulk_cancel.reports.summary import Requests, Summary
from bulk_cancel.reports.workbook import require_excel
from bulk_cancel.settings.job import Job

__all__ = ["Caller", "DeclinedError", "run_job"]

# -- plan ------------------------------------------------------------------------------------------


# -- run -------------------------------------------------------------------------------------------


def run_job(job: Job, caller: Caller) -> Summary:
    """Validate, plan, have it approved, carry it out, report.

    Returns the summary of a run that began, however it ended. Raises a BulkCancelError when none did: then nothing was
    sent and the ledger knows nothing of it.
    """
    if job.excel:
        require_excel()
    with credential_locks(job, caller.environ) as keys:
        return _run_with(keys, job, caller)


def _run_with(keys: CredentialLocks, job: Job, caller: Caller) -> Summary:
    url, limit = api_of(keys), time_limit_of(job)
    refuse_when_over(limit)
    run_id = new_run_id()
    out = job.out or Path("runs") / run_id
    with _private(out, run_id) as folder:
        source = open_if_any(job, caller.environ, caller.log, folder)
        if isinstance(source, str):
            return _nothing_done(run_id, str(ledger_place(job.ledger, url)), source)
        return _run_over(source, _Beginning(job, caller, keys, limit, run_id, out, folder))


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a run begins with, whatever its rows are."""

    job: Job
    caller: Caller
    keys: CredentialLocks
    limit: TimeLimit | None
    run_id: str
    out: Path
    folder: Path  #: the run's own, in `out`


def _run_over(source: Source, beginning: _Beginning) -> Summary:
    with open_ledger(beginning.keys, beginning.limit, beginning.caller.log) as ledger:
        run_no, clock, foresight = _begun(ledger, source, beginning)
        if beginning.job.engine == "dbos":
            return _dispatched(ledger, beginning, clock)
        return _carried(ledger, beginning, run_no, (clock, foresight))


def _begun(ledger: Ledger, source: Source, beginning: _Beginning) -> tuple[int, Clock, Foresight]:
    """Plan, have it approved and stage it. Return the run's number, its clock and what is known beforehand."""
    job, caller, keys = beginning.job, beginning.caller, beginning.keys
    reads = live_reads(keys, caller.log, ledger.load_pace, lock_wait_of(job, beginning.limit)) if job.live else None
    rows = source.rows(reads)
    clock = clock_of(ledger)
    retry_before = retry_before_of(job, clock)
    plan = planned(keys, rows, partial(ledger.states_of, retry_before=retry_before), reads, None)
    plan.time = beginning.limit
    if job.engine == "local":
        keys.lock_all(plan, ledger.accounts(NO_RUN), lock_wait_of(job, beginning.limit))
    _warn_of_late_refusals(plan, job, caller)
    _approved(plan, beginning)
    about = (job.label, source.digest, str(beginning.out.resolve()), program())
    start = RunStart(beginning.run_id, clock.now(), clock.base, *about)
    foresight = source.foresight(reads)
    run_no = stage_rows(ledger, start, rows.filled_chunks(), clock, retry_before)
    _adopt(beginning.folder, beginning.out)
    caller.log.info(
        "run.started", run_id=beginning.run_id, rows=plan.rows, cancels=plan.cancels, out=str(beginning.out)
    )
    return run_no, clock, foresight


def _carried(ledger: Ledger, beginning: _Beginning, run_no: int, found: tuple[Clock, Foresight]) -> Summary:
    """Carry the run out in this process."""
    job, caller, (clock, foresight) = beginning.job, beginning.caller, found
    began = clock.monotonic()
    members, left = gather_accounts(beginning.keys, ledger, run_no, caller, clock)
    facts = RunFacts(beginning.run_id, run_no, beginning.out, clock, began, members, left, beginning.limit)
    end = anyio.run(carry_out, Carrying(job, caller, ledger, facts, Runner.run, foresight))
    return finish(ledger, job, facts, end, caller.log)


def _dispatched(ledger: Ledger, beginning: _Beginning, clock: Clock) -> Summary:
    """Have workers carry the run out: they bring the credentials. What runs a queue is imported only here."""
    from bulk_cancel.cluster.dispatch import Dispatch, dispatch

    job, run_settings = beginning.job, RunSettings.of(beginning.job, beginning.limit, clock)
    what = Dispatch(str(job.ledger), job, beginning.caller, run_settings, beginning.run_id, beginning.out)
    return dispatch(cast(SharedLedger, ledger), what)


def _approved(plan: Plan, beginning: _Beginning) -> None:
    """Return when everything and everybody says yes. Raises DeclinedError or ConfigError."""
    job, caller = beginning.job, beginning.caller
    if job.engine == "local":
        beginning.keys.refuse_wrong_pairings(plan)
    _refuse_too_many(job, plan)
    _warn_of_short_time(plan, caller)
    if not caller.approve(plan):
        raise DeclinedError("Nothing was sent.")
    refuse_when_over(beginning.limit)


def _refuse_too_many(job: Job, plan: Plan) -> None:
    if job.max_cancel is not None and plan.may_send > job.max_cancel:
        raise DeclinedError(
            f"{plan.may_send} cancels are more than --max-cancel {job.max_cancel} allows.",
            advice="Nothing was sent. Check the input, or raise the limit if this is meant.",
        )


def _warn_of_late_refusals(plan: Plan, job: Job, caller: Caller) -> None:
    """A refusal is not asked again within the settle time: what refused it may still show an old state."""
    rows = plan.settled[State.REJECTED] + plan.settled[State.NOT_FOUND]
    if job.retry_refused and rows:
        caller.log.warning("run.refused_too_recently", rows=rows, try_again_in=f"at most {show_duration(job.settle)}")


def _warn_of_short_time(plan: Plan, caller: Caller) -> None:
    left_s = plan.time.left_s(system_clock().monotonic()) if plan.time else None
    if left_s is not None and plan.cancels and plan.duration_s > left_s:
        caller.log.warning("run.time_short", needs=show_duration(plan.duration_s), left=show_duration(left_s))


def _nothing_done(run_id: str, ledger: str, why: str) -> Summary:
    return Summary(
        run_id=run_id,
        rows=0,
        targets=0,
        counts={},
        requests=Requests(),
        elapsed_s=0.0,
        exit_code=Exit.OK,
        out=None,
        ledger=ledger,
        next=why,
    )


@contextmanager
def _private(out: Path, run_id: str) -> Iterator[Path]:
    """Yield a folder in `out` for a run that may never begin: another run may be at work in `out` at this moment."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    folder = out / f".{run_id}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # those that hold results stay
            for empty in made:
                empty.rmdir()


def _adopt(folder: Path, out: Path) -> None:
    """The run has begun: what it pinned takes the place of what an earlier run had pinned in `out`."""
    for name in (SNAPSHOT, SELECTED):
        (out / name).unlink(missing_ok=True)
        if (folder / name).exists():
            (folder / name).replace(out / name)


def run_and_tell(job: Job, caller: Caller) -> Summary:
    """Run a job as `run_job` does, then tell. Raises as it does, and ConfigError for what nobody could be told by."""
    notifier = Notifier([address.get_secret_value() for address in job.notify]) if job.notify else None
    if job.metrics_file is not None:
        require_metrics()
    began = time.monotonic()
    try:
        summary = run_job(job, caller)
    except Exception as error:
        send_notice(job, caller, notifier, notice_of_failure(job, error, time.monotonic() - began))
        raise
    send_notice(job, caller, notifier, notice_of_end(job, summary))
    return summary
