"""`run`: prepare a run, carry it out, conclude it, and notify."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from bulk_cancel.access.credential_locks import CredentialLocks, credential_locks
from bulk_cancel.access.ledgers import clock_of, free_run_id
from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.commands.no_rows import end_without_rows, open_rows_or_ledger
from bulk_cancel.commands.refusals import Refusal, note_refusal
from bulk_cancel.commands.run_setup import (
    NO_RUN,
    gather_accounts,
    lock_wait_of,
    open_ledger,
    refuse_unfit,
    refuse_when_over,
    stage_rows,
    time_limit_of,
)
from bulk_cancel.core.actions import Look
from bulk_cancel.core.columns import SNAPSHOT
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.exit_codes import Halt
from bulk_cancel.core.plan import Plan
from bulk_cancel.core.text import counted
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.deadline import until_expiry
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.errors import BulkCancelError, ConfigError, DeclinedError, Exit, NotApprovedError, UsageError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.execute import RunFacts, carry_out
from bulk_cancel.execution.finish import conclude
from bulk_cancel.execution.notifications import notice_of_end, notice_of_failure, send_notice
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.ledger.shared import SharedLedger
from bulk_cancel.ops.disk import is_among, writing
from bulk_cancel.ops.metrics import require_metrics
from bulk_cancel.ops.notify import Notifier
from bulk_cancel.ops.private_files import make_folder
from bulk_cancel.planning.other_reasons import OtherReasons
from bulk_cancel.planning.plan_reads import PlanReads
from bulk_cancel.planning.planner import hours_of, plan_reads, planned
from bulk_cancel.planning.reason_templates import template_of
from bulk_cancel.planning.search import SELECTED
from bulk_cancel.planning.sources import ApprovedPlan, Source, provenance_of_source, retries_refused
from bulk_cancel.reports.rebooking import rebooking_list
from bulk_cancel.reports.records import RESULTS_PARQUET
from bulk_cancel.reports.remains import keep_expiry
from bulk_cancel.reports.result_folders import keep_snapshot, kept_snapshots, put_aside, remove_abandoned
from bulk_cancel.reports.shown_columns import ShownColumns, shown_columns
from bulk_cancel.reports.summary import FOR_PEOPLE, SUMMARY_JSON, Summary
from bulk_cancel.reports.workbook import require_excel
from bulk_cancel.settings.job import Job

_NAME_COLUMNS = "Nothing was sent. Let its blanks name columns of the input."
_LIST_LOST = (
    "The list of people to call is lost: "
    "`bulk-cancel find` with the days, --include-cancelled, --include-contacts and -o FILE writes one."
)
#: Files that a run writes or removes in its folder of results.
_WRITTEN = (*FOR_PEOPLE, RESULTS_PARQUET, SUMMARY_JSON, SELECTED)


def run_job(job: Job, caller: Caller) -> Summary:
    """Validate, plan, ask for approval, carry out, report.

    Returns the summary of a run that began, however it ended. Raises a BulkCancelError when none began: nothing was
    sent and the ledger knows nothing of it.
    """
    return run_in(set_up(job, caller.log, caller.machine, caller.display), caller)


def run_in(setup: Setup, caller: Caller) -> Summary:
    """Prepare a run, carry it out and conclude it. Raises as `run_job` does."""
    with prepare(setup, caller.approve) as facts:
        if not isinstance(facts, str):
            if setup.job.engine == "dbos":
                return _dispatched(setup, caller, facts)
            return conclude(setup, facts, carry(setup, facts, caller))
    return end_without_rows(setup, caller, facts)


@contextmanager
def prepare(
    setup: Setup,
    approve: Callable[[Plan], bool],
    open_rows: Callable[[Setup, Path], Source | str] = open_rows_or_ledger,
) -> Iterator[RunFacts | str]:
    """Plan a run, ask for approval, lock what it needs and stage it; yield its facts until it has ended.

    `open_rows` opens the job's source. When it has no rows, the sentence that says why is yielded. Raises as `run_job`
    does.
    """
    if setup.job.excel:
        require_excel()
    run_id, out = _own_place(setup)
    _refuse_own_input(setup.job.input, out)
    with credential_locks(setup) as keys:
        refuse_unfit(keys)
        beginning = _Beginning(keys, time_limit_of(setup), run_id, out, approve)
        refuse_when_over(setup, beginning.limit)
        with _private(out, run_id) as folder:
            source = open_rows(setup, folder)
            if isinstance(source, str):
                yield source
                return
            shown = shown_columns(source.snapshot, setup.job.show)
            if source.approval is not None:
                _refuse_own_input(source.approval.input, out)
                limit = until_expiry(beginning.limit, source.approval.expires_at, setup.machine.clock)
                beginning = replace(beginning, limit=limit)
            with open_ledger(keys, beginning.limit) as ledger:
                beginning = replace(beginning, run_id=free_run_id(ledger, setup.machine, run_id))
                yield beginning.begun(ledger, source, folder, shown)


def carry(setup: Setup, facts: RunFacts, caller: Caller) -> RunEnd:
    """Carry out a prepared run in this process, with signals and progress."""
    wanted = facts.out if facts.active and setup.job.rebooking_list else None
    listing = rebooking_list(wanted, setup.zone) if wanted else nullcontext()
    end: RunEnd | None = None
    try:
        with listing as keep:
            end = carry_out(setup, facts, Runner.run, caller, keep)
    except (BulkCancelError, OSError) as error:  # the list was removed, and cannot be made again
        if end is None:
            raise
        setup.log.warning("run.rebooking_list_lost", why=str(error))
        end = replace(end, halt=Halt(Exit.DISK, f"{error} {_LIST_LOST}"))
    return end


@dataclass(frozen=True, slots=True)
class _Beginning:
    """A run that is about to begin."""

    keys: CredentialLocks
    limit: TimeLimit | None
    run_id: str
    out: Path
    approve: Callable[[Plan], bool]

    def begun(self, ledger: Ledger, source: Source, folder: Path, shown: ShownColumns) -> RunFacts:
        """Plan, ask for approval and stage; return the facts of the run."""
        keys, setup, wait_s = self.keys, self.keys.setup, lock_wait_of(self.keys.setup, self.limit)
        rows = source.rows(reads := self._reads(ledger, source, wait_s))
        clock = clock_of(ledger, setup.machine.clock)
        retry = retries_refused(setup, source)
        reasons = OtherReasons(ledger.mailed_of, template_of(setup) is not None)
        plan = planned(keys, rows, partial(ledger.states_of, retry_refused=retry), reads, reasons.add)
        plan.hours = hours_of(keys, plan, ledger.load_pace)
        if plan.may_send and (note := reasons.note()):
            plan.notes = (*plan.notes, note)
            setup.log.warning("run.other_reasons", rows=reasons.count)
        plan.time, plan.closure = self.limit, source.closure
        if isinstance(source, ApprovedPlan):
            plan.look = source.look_of(plan)
            plan.notes = (*plan.notes, *setup.provenance.notes(source.approval.provenance))
        plan.provenance = provenance = replace(provenance_of_source(setup, source), how_read=" ".join(rows.notes))
        plan.shown = shown.beside(plan.named_rows)
        if setup.job.engine == "local":
            keys.lock_all(plan, ledger.accounts(NO_RUN), wait_s)
        self._approved(plan)
        if setup.job.out is not None:  # no other run has the usual one
            keys.lock_results(self.out, wait_s)
        with writing(self.out):
            remove_abandoned(ledger)
            aside = put_aside(ledger, self.out, source.digest, _WRITTEN)
        if aside is not None:
            setup.log.info("run.put_aside", out=str(self.out), earlier=str(aside))
        named = (setup.job.label, source.digest, str(self.out.resolve()))
        start = RunStart(self.run_id, clock.now(), clock.base, *named, provenance, setup.job.settle)
        with setup.display.busy("Writing the rows into the ledger"):
            run_no = stage_rows(ledger, start, rows.filled_chunks(), clock, retry_refused=retry)
        if source.approval is not None:
            keep_expiry(ledger, run_no, source.approval.expires_at)
        _adopt(folder, self.out, self.run_id)
        setup.log.info("run.started", run_id=self.run_id, rows=plan.rows, cancels=plan.cancels, out=str(self.out))
        began = clock.monotonic()
        active, left = gather_accounts(keys, ledger, run_no, clock) if setup.job.engine == "local" else ([], {})
        about = (self.limit, source.approval, plan.closure, provenance)
        return RunFacts(self.run_id, run_no, ledger, self.out, clock, began, active, left, *about)

    def _reads(self, ledger: Ledger, source: Source, wait_s: float) -> PlanReads | None:
        """Return the reads that fill in reasons, or None. (Before a cancel the runner reads again.)"""
        job = self.keys.setup.job
        if not source.needs_looks or job.look is Look.NEVER:
            return None
        if job.engine == "dbos":
            raise ConfigError("A reason that needs readings cannot be used with --engine dbos.", advice=_NAME_COLUMNS)
        return plan_reads(self.keys, Look.EACH, ledger.load_pace, wait_s)

    def _approved(self, plan: Plan) -> None:
        """Check the limits and ask for approval. Raises DeclinedError or ConfigError."""
        setup = self.keys.setup
        if setup.job.engine == "local":
            self.keys.refuse_wrong_pairings(plan)
        _refuse_too_many(setup.job, plan)
        _warn_of_short_time(plan, setup)
        if not self.approve(plan):
            raise NotApprovedError
        refuse_when_over(setup, self.limit)


def _dispatched(setup: Setup, caller: Caller, facts: RunFacts) -> Summary:
    """Have workers carry out the run, with their credentials. The queue is imported only here."""
    from bulk_cancel.cluster.dispatch import Dispatch, dispatch

    return dispatch(cast(SharedLedger, facts.ledger), Dispatch(setup, caller, facts))


def _refuse_too_many(job: Job, plan: Plan) -> None:
    if job.max_cancel is not None and plan.may_send > job.max_cancel:
        raise DeclinedError(
            f"{counted(plan.may_send, 'cancel is', 'cancels are')} more than --max-cancel {job.max_cancel} allows.",
            advice="Nothing was sent. Check the input, or raise the limit if this is meant.",
        )


def _warn_of_short_time(plan: Plan, setup: Setup) -> None:
    left_s = plan.time.left_s(setup.machine.clock.monotonic()) if plan.time else None
    if left_s is not None and plan.cancels and plan.needs_s > left_s:
        setup.log.warning("run.time_short", needs=show_duration(plan.needs_s), left=show_duration(left_s))


def _refuse_own_input(source: str, out: Path) -> None:
    """Raise UsageError when the results would replace or remove the input, under whatever name."""
    given = Path(source)
    if is_among(given, (*(out / name for name in _WRITTEN), *kept_snapshots(out).values())):
        raise UsageError(
            f"The input {given} is a file that the results in {out} would replace.",
            advice="Nothing was sent. Name another folder with --out.",
        )


def _own_place(setup: Setup) -> tuple[str, Path]:
    """Return an id and a folder of results such that no other run has a folder named by the id."""
    while True:
        run_id = setup.machine.new_run_id()
        usual = Path("runs") / run_id
        out = setup.job.out or usual
        if not usual.exists() and not (out / f".{run_id}").exists():
            return run_id, out


@contextmanager
def _private(out: Path, run_id: str) -> Iterator[Path]:
    """Yield a private folder in `out` for a run that may not begin: another run may be using `out`."""
    folder = out / f".{run_id}"
    made = make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # raised for folders that are not empty, which stay
            for empty in made[1:]:
                empty.rmdir()


def _adopt(folder: Path, out: Path, run_id: str) -> None:
    """Move the snapshot of a run that has begun to `out`, in place of an earlier run's of its input."""
    keep_snapshot(folder / SNAPSHOT, out, run_id)
    (out / SELECTED).unlink(missing_ok=True)
    if (folder / SELECTED).exists():
        (folder / SELECTED).replace(out / SELECTED)


def run_and_tell(job: Job, caller: Caller) -> Summary:
    """Run a job as `run_job` does, then notify. Raises as it does, and ConfigError for a wrong address of notify."""
    notifier = Notifier([address.get_secret_value() for address in job.notify]) if job.notify else None
    if job.metrics_file is not None:
        require_metrics()
    setup, clock = None, caller.machine.clock
    began, began_at = clock.monotonic(), clock.now()
    try:
        setup = set_up(job, caller.log, caller.machine, caller.display)
        summary = run_in(setup, caller)
    except Exception as error:
        ending = notice_of_failure(job, setup, error, clock.monotonic() - began)
        send_notice(job, caller.log, notifier, ending)
        if setup is not None and isinstance(error, BulkCancelError):
            command = setup.provenance.command
            declined = isinstance(error, NotApprovedError)
            refusal = Refusal(began_at, clock.now(), ending.exit_code, ending.sentence, command, declined)
            note_refusal(setup.place, setup.machine, refusal)
        raise
    send_notice(job, caller.log, notifier, notice_of_end(setup, summary))
    return summary
