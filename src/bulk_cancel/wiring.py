"""Wires the concrete parts together: the only module that knows them all. Commands and the Python API come here."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import anyio
from structlog.typing import FilteringBoundLogger

from bulk_cancel.accounts import OWN
from bulk_cancel.again import Again, find_again
from bulk_cancel.carrying import Carrying, DeclinedError, Parts, RunFacts, carry_out, finish
from bulk_cancel.cluster.rules import Rules, refuse_others
from bulk_cancel.cluster.turns import take_turn
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import Appointment, InputRow
from bulk_cancel.core.states import State
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.engine.context import Foresight
from bulk_cancel.engine.deadline import time_limit
from bulk_cancel.engine.plan import Plan, PlanLine, make_plan
from bulk_cancel.engine.runner import Runner
from bulk_cancel.errors import ConfigError, Exit
from bulk_cancel.finding import SELECTED
from bulk_cancel.job import Job
from bulk_cancel.keyring import Keyring, keyring
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.ledger.shared import SharedLedger
from bulk_cancel.ledgers import LedgerDatabase, LedgerPlace, clock_of, ledger_place, refuse_other_api
from bulk_cancel.looking import Looking, Looks
from bulk_cancel.places import SNAPSHOT, api_url, new_run_id
from bulk_cancel.reports.summary import Requests, Summary
from bulk_cancel.reports.workbook import require_excel
from bulk_cancel.sources import PlannedRows, Source, open_if_any, open_source, plan_outputs, program
from bulk_cancel.teams import Member, gather_members, leave_others

__all__ = ["DeclinedError", "Parts", "plan_job", "reconcile_ledger", "run_job"]

#: No run has this number: asked for its accounts, a ledger returns those of whatever is open.
_NO_RUN = 0
KnownPace = Callable[[str], PaceRecord | None]
StatesOf = Callable[[Sequence[InputRow]], Sequence[State | None]]


# -- plan ------------------------------------------------------------------------------------------


def plan_job(job: Job, parts: Parts) -> Plan:
    """Plan without sending anything or writing the ledger; write the plan file and the audit files that the job names.

    Raises as staging, opening, writing and (live) reading do.
    """
    temporary = tempfile.TemporaryDirectory(prefix="bulk-cancel-")
    with keyring(job, parts.environ) as keys, temporary as folder, ExitStack() as stack:
        source = open_if_any(job, parts.environ, parts.log, Path(folder))
        if isinstance(source, str):
            return Plan(job.pace, nothing=source)
        place = ledger_place(job.ledger, api_url(parts.environ))
        place.refuse_lost()
        states_of: StatesOf = _nothing_known
        known_pace: KnownPace = _no_pace
        if job.live and not keys.accounts.given:
            keys.settings(OWN)
        if place.exists():
            ledger = stack.enter_context(place.reading())
            states_of = ledger.states_of
            known_pace = ledger.load_pace
        looking = _looks(keys, parts, known_pace, job.lock_wait) if job.live else None
        with plan_outputs(job, source, parts.environ) as outputs:
            plan = _planned(keys, source.rows(looking), states_of, looking, outputs.add)
        plan.digest, plan.time = outputs.digest, _time_limit(job)
        return plan


def _planned(
    keys: Keyring,
    rows: PlannedRows,
    states_of: StatesOf,
    looking: Looks | None,
    each: Callable[[PlanLine], None] | None,
) -> Plan:
    plan = make_plan(rows.chunks(), states_of, keys.job.pace, rows.look(looking), each)
    if keys.accounts.given or plan.shares.keys() - {OWN}:
        plan.paces = {name: keys.accounts.pace(name) for name in sorted(plan.shares)}
    plan.live = replace(plan.live, requests=looking.requests) if plan.live and looking else None
    return plan


def _looks(keys: Keyring, parts: Parts, known_pace: KnownPace, wait_s: float) -> Looks:
    """Return the looks of a live plan. An account's limit is held from its first look on."""
    if not keys.accounts.given:
        keys.hold([OWN], wait_s)

    def begin(account: str, seen: dict[str, Appointment | None]) -> Looking:
        keys.hold([account], wait_s)
        settings, pace = keys.settings(account), keys.accounts.pace(account)
        return Looking(keys.job, settings, pace, parts.log, known_pace(settings.credential.fingerprint), seen=seen)

    return Looks(begin)


def _no_pace(key: str) -> PaceRecord | None:
    return None


def _nothing_known(rows: Sequence[InputRow]) -> list[State | None]:
    return [None] * len(rows)


# -- run -------------------------------------------------------------------------------------------


def run_job(job: Job, parts: Parts) -> Summary:
    """Validate, plan, have it approved, carry it out, report.

    Returns the summary of a run that began, however it ended. Raises a BulkCancelError when none did: then nothing was
    sent and the ledger knows nothing of it.
    """
    if job.excel:
        require_excel()
    with keyring(job, parts.environ) as keys:
        return _run_with(keys, job, parts)


def _run_with(keys: Keyring, job: Job, parts: Parts) -> Summary:
    url, limit = _api_of(keys), _time_limit(job)
    _refuse_when_over(limit)
    run_id = new_run_id()
    out = job.out or Path("runs") / run_id
    with _private(out, run_id) as folder:
        again = find_again(job, parts.environ, folder)
        source = again.source if again else open_if_any(job, parts.environ, parts.log, folder)
        if isinstance(source, str):
            return _nothing_done(run_id, str(ledger_place(job.ledger, url)), source)
        return _run_over(source, again, _Beginning(job, parts, keys, limit, run_id, out, folder))


def _api_of(keys: Keyring) -> str:
    """Return the API's address. Without an accounts file the run's own credential has to be there as well."""
    here = keys.accounts.given or keys.job.engine == "dbos"
    return api_url(keys.environ) if here else keys.settings(OWN).base_url


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a run begins with, whatever its rows are."""

    job: Job
    parts: Parts
    keys: Keyring
    limit: TimeLimit | None
    run_id: str
    out: Path
    folder: Path  #: the run's own, in `out`


def _run_over(source: Source, again: Again | None, beginning: _Beginning) -> Summary:
    with _open_ledger(beginning.keys, beginning.limit, beginning.parts.log) as ledger:
        run_no, clock, foresight = _begun(ledger, source, again, beginning)
        if beginning.job.engine == "dbos":
            return _dispatched(ledger, beginning, clock)
        return _carried(ledger, beginning, run_no, (clock, foresight))


def _begun(ledger: Ledger, source: Source, again: Again | None, beginning: _Beginning) -> tuple[int, Clock, Foresight]:
    """Plan, have it approved and stage it. Return the run's number, its clock and what is known beforehand."""
    job, parts, keys = beginning.job, beginning.parts, beginning.keys
    plan = again.plan(ledger) if again else None
    if again and plan is None:  # another run came first
        again, source = None, open_source(job, parts.environ, parts.log, beginning.folder)
    looking = _looks(keys, parts, ledger.load_pace, _lock_wait_s(job, beginning.limit)) if job.live else None
    rows = source.rows(looking)
    plan = plan or _planned(keys, rows, ledger.states_of, looking, None)
    plan.time = beginning.limit
    if job.engine == "local":
        keys.hold_all(plan, ledger.accounts(_NO_RUN), _lock_wait_s(job, beginning.limit))
    _approved(plan, beginning)
    clock = clock_of(ledger)
    about = (job.label, source.digest, str(beginning.out.resolve()), program(), source.options_digest)
    start = RunStart(beginning.run_id, clock.now(), clock.base, *about)
    foresight = source.foresight(looking)
    run_no = again.share(ledger, start) if again else _stage(ledger, start, rows.filled_chunks(), clock)
    _adopt(beginning.folder, beginning.out)
    parts.log.info("run.started", run_id=beginning.run_id, rows=plan.rows, cancels=plan.cancels, out=str(beginning.out))
    return run_no, clock, foresight


def _carried(ledger: Ledger, beginning: _Beginning, run_no: int, found: tuple[Clock, Foresight]) -> Summary:
    """Carry the run out in this process."""
    job, parts, (clock, foresight) = beginning.job, beginning.parts, found
    began = clock.monotonic()
    members, left = _members(beginning.keys, ledger, run_no, parts, clock)
    facts = RunFacts(beginning.run_id, run_no, beginning.out, clock, began, members, left, beginning.limit)
    end = anyio.run(carry_out, Carrying(job, parts, ledger, facts, Runner.run, foresight))
    return finish(ledger, job, facts, end, parts.log)


def _dispatched(ledger: Ledger, beginning: _Beginning, clock: Clock) -> Summary:
    """Have workers carry the run out: they bring the credentials. What runs a queue is imported only here."""
    from bulk_cancel.cluster.dispatch import Dispatch, dispatch

    job, rules = beginning.job, Rules.of(beginning.job, beginning.limit, clock)
    what = Dispatch(str(job.ledger), job, beginning.parts, rules, beginning.run_id, beginning.out)
    return dispatch(cast(SharedLedger, ledger), what)


def _approved(plan: Plan, beginning: _Beginning) -> None:
    """Return when everything and everybody says yes. Raises DeclinedError or ConfigError."""
    job, parts = beginning.job, beginning.parts
    if job.engine == "local":
        beginning.keys.refuse_wrong_pairings(plan)
    _refuse_too_many(job, plan)
    _warn_of_short_time(plan, parts)
    if not parts.approve(plan):
        raise DeclinedError("Nothing was sent.")
    _refuse_when_over(beginning.limit)


def _refuse_too_many(job: Job, plan: Plan) -> None:
    if job.max_cancel is not None and plan.may_send > job.max_cancel:
        raise DeclinedError(
            f"{plan.may_send} cancels are more than --max-cancel {job.max_cancel} allows.",
            advice="Nothing was sent. Check the input, or raise the limit if this is meant.",
        )


def _time_limit(job: Job) -> TimeLimit | None:
    return time_limit(job.max_duration, job.deadline, job.zone, system_clock())


def _refuse_when_over(limit: TimeLimit | None) -> None:
    if limit is not None and not limit.left_s(system_clock().monotonic()):
        raise DeclinedError(f"{limit.sentence} Nothing was sent.", advice="Run it earlier, or give it more time.")


def _warn_of_short_time(plan: Plan, parts: Parts) -> None:
    left_s = plan.time.left_s(system_clock().monotonic()) if plan.time else None
    if left_s is not None and plan.cancels and plan.duration_s > left_s:
        parts.log.warning("run.time_short", needs=show_duration(plan.duration_s), left=show_duration(left_s))


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


def reconcile_ledger(job: Job, parts: Parts) -> Summary:
    """Settle the ledger's unknown targets by reads alone."""
    limit = _time_limit(job)
    with keyring(job, parts.environ) as keys:
        _api_of(keys)
        _refuse_when_over(limit)
        return _reconciled(keys, parts, limit)


def _reconciled(keys: Keyring, parts: Parts, limit: TimeLimit | None) -> Summary:
    job = keys.job
    with _open_ledger(keys, limit, parts.log) as ledger:
        keys.hold_all(Plan(job.pace), ledger.accounts(_NO_RUN), _lock_wait_s(job, limit))
        clock = clock_of(ledger)
        run_id = new_run_id()
        run_no = _stage(ledger, RunStart(run_id, clock.now(), clock.base, program=program()), (), clock)
        began = clock.monotonic()
        members, left = _members(keys, ledger, run_no, parts, clock)
        facts = RunFacts(run_id, run_no, None, clock, began, members, left, limit)
        end = anyio.run(carry_out, Carrying(job, parts, ledger, facts, Runner.reconcile_only))
        return finish(ledger, job, facts, end, parts.log)


def _members(
    keys: Keyring, ledger: Ledger, run_no: int, parts: Parts, clock: Clock
) -> tuple[list[Member], dict[str, int]]:
    """Return who works on the run, and how many outcomes are unknown of accounts that are not to be had."""
    members = gather_members(keys, ledger, run_no)
    # Without an accounts file no row of the run has one, and to ask for them would mean to look at every row.
    others = ledger.accounts(run_no if keys.accounts.given else _NO_RUN)
    left = leave_others({*others} - {member.name for member in members}, ledger, run_no, clock)
    for name, count in left.items():
        parts.log.warning("account.left", account=name, unknown=count, why=keys.missing.get(name, ""))
    return members, left


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


@contextmanager
def _open_ledger(keys: Keyring, limit: TimeLimit | None, log: FilteringBoundLogger) -> Iterator[Ledger]:
    """Hold the ledger for the life of a run, and the limit of a credential that is needed in any case."""
    job, url, wait_s = keys.job, api_url(keys.environ), _lock_wait_s(keys.job, limit)
    place = ledger_place(job.ledger, url)
    own = [] if keys.accounts.given else [OWN]
    alone = partial(place.alone, wait_s, lambda: keys.hold(own, wait_s))
    with _beside_workers(place, job, wait_s) if job.engine == "dbos" else alone() as ledger:
        refuse_other_api(ledger, url)
        if ledger.notice:
            log.warning("ledger.notice", told=ledger.notice)
        yield ledger


@contextmanager
def _beside_workers(place: LedgerPlace, job: Job, wait_s: float) -> Iterator[Ledger]:
    """Open a ledger that workers use, too, when no run of theirs is at work. Refuses what they cannot do."""
    if not isinstance(place, LedgerDatabase):
        raise ConfigError(
            "--engine dbos needs a ledger that workers can share.",
            advice="Nothing was sent. Name it: --ledger postgresql://user@host/database",
        )
    refuse_others(job)
    from bulk_cancel.cluster.queue import migrate

    migrate(place.url)  # before anything is staged: what cannot be handed out is not begun
    with place.together(wait_s) as ledger:
        take_turn(ledger, wait_s)
        yield ledger


def _lock_wait_s(job: Job, limit: TimeLimit | None) -> float:
    """Wait for a lock no longer than there is time."""
    return min(job.lock_wait, limit.left_s(system_clock().monotonic())) if limit else job.lock_wait


def _stage(ledger: Ledger, start: RunStart, chunks: Iterable[Sequence[InputRow]], clock: Clock) -> int:
    run_no = ledger.begin_run(start)
    for rows in chunks:
        ledger.stage(run_no, rows, clock.now())
    ledger.start_run(run_no)
    return run_no
