"""Wires the concrete parts together: the only module that knows them all. Commands and the Python API come here."""

from __future__ import annotations

import platform
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.api.client import ApiSettings, line_factory
from bulk_cancel.api.credentials import check_pairing
from bulk_cancel.api.port import Line
from bulk_cancel.core.model import Appointment, InputRow, Status, status_of
from bulk_cancel.core.states import State
from bulk_cancel.core.verdict import decide_exit
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.engine.commits import GroupCommit
from bulk_cancel.engine.context import Context, Limits
from bulk_cancel.engine.intake import Intake
from bulk_cancel.engine.plan import Plan, PlanLine, make_plan
from bulk_cancel.engine.runner import RunEnd, Runner
from bulk_cancel.engine.tally import Tally
from bulk_cancel.errors import BulkCancelError, ConfigError, Exit
from bulk_cancel.filling import Rows, template_of
from bulk_cancel.finding import SELECTED, select_input
from bulk_cancel.inputs import InputOptions, StagedInput, stage_input
from bulk_cancel.job import Job
from bulk_cancel.ledger.port import PaceUpdate, RunStart
from bulk_cancel.ledger.sqlite import SqliteLedger
from bulk_cancel.looking import Looking, limiter_of, settings_of
from bulk_cancel.ops.locks import held
from bulk_cancel.ops.progress import Display, Standing
from bulk_cancel.ops.signals import watch_signals
from bulk_cancel.places import SNAPSHOT, api_url, credential_lock, ledger_lock, ledger_path, new_run_id
from bulk_cancel.reports.rebooking import Keep, rebooking_list
from bulk_cancel.reports.records import write_records
from bulk_cancel.reports.summary import Ending, Requests, Summary, next_step, to_json, write_summary
from bulk_cancel.version import version

StatesOf = Callable[[Sequence[InputRow]], Sequence[State | None]]
#: Not yet an end: these targets are still on their way.
_UNDERWAY = (State.PENDING, State.SENDING, State.WAITING)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the surroundings provide: the environment, a log, a display, and who approves a plan."""

    environ: Mapping[str, str]
    log: FilteringBoundLogger
    display: Display
    approve: Callable[[Plan], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the summary of a run is made from, apart from the ledger."""

    run_id: str
    run_no: int
    out: Path | None
    clock: Clock
    began: float  #: monotonic
    tally: Tally


class DeclinedError(BulkCancelError):
    """The person said no. Nothing was sent or recorded."""

    exit_code = Exit.STOPPED


# -- plan ------------------------------------------------------------------------------------------


def plan_job(job: Job, parts: Parts, each: Callable[[PlanLine], None] | None = None) -> Plan:
    """Plan without sending or writing anything. Raises as staging, opening and (live) reading do."""
    with tempfile.TemporaryDirectory(prefix="bulk-cancel-") as folder, ExitStack() as stack:
        staged = _staged(job, parts, Path(folder))
        path = ledger_path(job.ledger, api_url(parts.environ))
        states_of, known_pace = _nothing_known, None
        settings = settings_of(job, parts.environ) if job.live else None
        if path.exists() and path.stat().st_size:
            ledger = SqliteLedger.open_to_read(path)
            stack.callback(ledger.close)
            states_of = ledger.states_of
            known_pace = ledger.load_pace(settings.credential.fingerprint) if settings else None
        looking = None
        if settings is not None:
            key = credential_lock(settings.credential.fingerprint)
            stack.enter_context(held(key, "this credential", job.lock_wait))
            looking = Looking(job, settings, parts.log, known_pace)
        return _planned(job, _rows(job, staged, looking), states_of, looking, each)


def _staged(job: Job, parts: Parts, folder: Path) -> StagedInput:
    """Pin the input in a folder: the file that the job names, or what its [select] table finds."""
    source = str(select_input(job, parts.environ, parts.log, folder)) if job.select else job.input
    return stage_input(source, _input_options(job), folder / SNAPSHOT)


def _rows(job: Job, staged: StagedInput, looking: Looking | None) -> Rows:
    return Rows(staged, template_of(job), looking.seen if looking else {})


def _planned(
    job: Job, rows: Rows, states_of: StatesOf, looking: Looking | None, each: Callable[[PlanLine], None] | None
) -> Plan:
    plan = make_plan(rows.chunks(), states_of, job.pace, rows.look(looking), each)
    plan.live = replace(plan.live, requests=looking.requests) if plan.live and looking else None
    return plan


def _nothing_known(rows: Sequence[InputRow]) -> list[State | None]:
    return [None] * len(rows)


def _input_options(job: Job) -> InputOptions:
    reason = None if template_of(job) else job.reason  # with blanks it is filled in later, row by row
    return InputOptions({str(field): column for field, column in job.map.items()}, reason, job.cancel_all)


# -- run -------------------------------------------------------------------------------------------


def run_job(job: Job, parts: Parts) -> Summary:
    """Validate, plan, have it approved, carry it out, report.

    Returns the summary of a run that began, however it ended. Raises a BulkCancelError when none did: then nothing was
    sent and the ledger knows nothing of it.
    """
    settings = settings_of(job, parts.environ)
    run_id = new_run_id()
    out = job.out or Path("runs") / run_id
    with _snapshot(job, parts, out) as staged, _open_ledger(job, parts.environ, settings) as ledger:
        known_pace = ledger.load_pace(settings.credential.fingerprint)
        looking = Looking(job, settings, parts.log, known_pace) if job.live else None
        rows = _rows(job, staged, looking)
        plan = _planned(job, rows, ledger.states_of, looking, None)
        check_pairing(
            settings.credential,
            settings.user_id,
            rows_with_user=plan.rows_with_user,
            rows_without=plan.rows_without_user,
        )
        _refuse_too_many(job, plan)
        if not parts.approve(plan):
            raise DeclinedError("Nothing was sent.")
        clock = system_clock()
        start = RunStart(run_id, clock.now(), clock.base, job.label, staged.digest, str(out.resolve()), _program())
        foreseen = looking.seen if looking else {}
        run_no = _stage(ledger, start, rows.filled_chunks(), clock)
        lines = _lines(job, settings)
        facts = RunFacts(run_id, run_no, out, clock, clock.monotonic(), Tally())
        parts.log.info("run.started", run_id=run_id, rows=plan.rows, cancels=plan.cancels, out=str(out))
        end = anyio.run(_carry_out, _Carrying(job, parts, ledger, settings, lines, facts, Runner.run, foreseen))
        return _finish(ledger, facts, end, parts.log)


def _refuse_too_many(job: Job, plan: Plan) -> None:
    if job.max_cancel is not None and plan.cancels > job.max_cancel:
        raise DeclinedError(
            f"{plan.cancels} cancels are more than --max-cancel {job.max_cancel} allows.",
            advice="Nothing was sent. Check the input, or raise the limit if this is meant.",
        )


def reconcile_ledger(job: Job, parts: Parts) -> Summary:
    """Settle the ledger's unknown targets by reads alone."""
    settings = settings_of(job, parts.environ)
    with _open_ledger(job, parts.environ, settings) as ledger:
        clock = system_clock()
        run_id = new_run_id()
        run_no = _stage(ledger, RunStart(run_id, clock.now(), clock.base, program=_program()), (), clock)
        lines = _lines(job, settings)
        facts = RunFacts(run_id, run_no, None, clock, clock.monotonic(), Tally())
        end = anyio.run(_carry_out, _Carrying(job, parts, ledger, settings, lines, facts, Runner.reconcile_only))
        return _finish(ledger, facts, end, parts.log)


@contextmanager
def _snapshot(job: Job, parts: Parts, out: Path) -> Iterator[StagedInput]:
    """Pin the input in the run's folder; leave no trace of a run that never began."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        yield _staged(job, parts, out)
    except BulkCancelError:
        for name in (SNAPSHOT, SELECTED):
            (out / name).unlink(missing_ok=True)
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


@contextmanager
def _open_ledger(job: Job, environ: Mapping[str, str], settings: ApiSettings) -> Iterator[SqliteLedger]:
    """Hold the ledger and the credential's limit for the life of a run."""
    path = ledger_path(job.ledger, settings.base_url)
    key = credential_lock(settings.credential.fingerprint)
    with held(ledger_lock(path), f"the ledger {path}", job.lock_wait), held(key, "this credential", job.lock_wait):
        ledger = SqliteLedger.open(path)
        try:
            _refuse_other_api(ledger, settings.base_url)
            yield ledger
        finally:
            ledger.close()


def _refuse_other_api(ledger: SqliteLedger, url: str) -> None:
    bound = ledger.bind("api_url", url)
    if bound != url:
        raise ConfigError(
            f"The ledger {ledger.path} belongs to the API at {bound}, not to {url}.",
            advice="Name another --ledger, or correct MEETERGO_API_URL. Nothing was sent.",
        )


def _program() -> str:
    return f"bulk-cancel {version()}, Python {platform.python_version()}"


def _stage(ledger: SqliteLedger, start: RunStart, chunks: Iterable[Sequence[InputRow]], clock: Clock) -> int:
    run_no = ledger.begin_run(start)
    for rows in chunks:
        ledger.stage(run_no, rows, clock.now())
    ledger.start_run(run_no)
    return run_no


# -- carrying out ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Carrying:
    """Everything the asynchronous part needs."""

    job: Job
    parts: Parts
    ledger: SqliteLedger
    settings: ApiSettings
    lines: Sequence[Line]
    facts: RunFacts
    what: Callable[[Runner], Awaitable[RunEnd]]
    foreseen: Mapping[str, Appointment | None] = field(default_factory=dict)


def _lines(job: Job, settings: ApiSettings) -> list[Line]:
    make_line = line_factory(settings)
    return [make_line() for _ in range(job.concurrency)]


async def _carry_out(carrying: _Carrying) -> RunEnd:
    out = carrying.facts.out if carrying.job.rebooking_list else None
    try:
        with rebooking_list(out) if out else nullcontext() as keep:
            return await _with_surroundings(carrying, _context(carrying, keep))
    finally:
        with anyio.CancelScope(shield=True):
            for line in carrying.lines:
                await line.aclose()


def _context(carrying: _Carrying, keep: Keep | None) -> Context:
    job, facts, key = carrying.job, carrying.facts, carrying.settings.credential.fingerprint
    limiter = limiter_of(job, key, facts.clock, carrying.ledger.load_pace(key))
    return Context(
        run_no=facts.run_no,
        commits=GroupCommit(carrying.ledger, facts.run_no, lambda: PaceUpdate(key, limiter.record())),
        limiter=limiter,
        clock=facts.clock,
        intake=Intake(),
        tally=facts.tally,
        limits=_limits(job),
        log=carrying.parts.log,
        lines=carrying.lines,
        foreseen=carrying.foreseen,
        keep=keep,
    )


def _limits(job: Job) -> Limits:
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
    )


async def _with_surroundings(carrying: _Carrying, context: Context) -> RunEnd:
    """Run with signals watched and progress shown; both end with the run."""
    display = carrying.parts.display

    def drain(signal_name: str) -> None:
        in_flight, at_most_s = context.tally.in_flight, carrying.settings.timeout_s
        hint = "a second signal stops at once; nothing is lost either way"
        context.log.warning("run.draining", signal=signal_name, in_flight=in_flight, at_most_s=at_most_s, hint=hint)
        context.halt(Exit.STOPPED, f"Stopped by {signal_name}.")

    async with anyio.create_task_group() as surroundings:
        surroundings.start_soon(watch_signals, drain, display.stop)
        surroundings.start_soon(_show, display, context)
        end = await carrying.what(Runner(context))
        surroundings.cancel_scope.cancel()
    return end


async def _show(display: Display, context: Context) -> None:
    """A terminal that went away must not stop the run."""
    with suppress(OSError):
        await display.follow(lambda: _standing(context))


def _standing(context: Context) -> Standing:
    tally = context.tally
    counts = {state: count for state, count in tally.states.items() if count > 0}
    shown = ", ".join(f"{count} {status_of(state)}" for state, count in counts.items() if state not in _UNDERWAY)
    done = sum(count for state, count in counts.items() if state not in _UNDERWAY)
    left = max(0, tally.targets - done)
    return Standing(done, tally.targets, tally.posts + tally.gets, shown, context.limiter.duration_s(left), tally.note)


def _finish(ledger: SqliteLedger, facts: RunFacts, end: RunEnd, log: FilteringBoundLogger) -> Summary:
    """Write the result files and the summary, from the ledger alone."""
    counts: Counter[Status] = Counter()
    for state, count in ledger.counts(facts.run_no).items():
        counts[status_of(state)] += count
    exit_code = decide_exit(counts, end.halt)
    due_at = facts.clock.now() + end.reconciled.due_in_s if end.reconciled.unknown else None
    tally = facts.tally
    summary = Summary(
        run_id=facts.run_id,
        rows=sum(counts.values()),
        targets=ledger.target_count(facts.run_no),
        counts=counts,
        requests=Requests(tally.posts, tally.gets, tally.throttled),
        elapsed_s=facts.clock.monotonic() - facts.began,
        exit_code=exit_code,
        out=str(facts.out) if facts.out else None,
        ledger=str(ledger.path),
        next=next_step(Ending(counts, exit_code, due_at, end.halt.message if end.halt else "", end.reconciled.missing)),
    )
    ledger.end_run(facts.run_no, facts.clock.now(), to_json(summary))
    if facts.out is not None:
        snapshot = facts.out / SNAPSHOT
        write_records(snapshot if snapshot.exists() else None, partial(ledger.rows, facts.run_no), facts.out)
        write_summary(summary, facts.out)
    log.info("run.ended", run_id=facts.run_id, exit_code=int(exit_code), **{k.value: v for k, v in counts.items() if v})
    return summary
