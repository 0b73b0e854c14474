"""What a ledger's last runs came to, what is open in it, and what to do now. Only reads, while a run works, too."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from bulk_cancel.access.ledgers import LedgerPlace, clock_of, shared_of
from bulk_cancel.access.machine import Machine
from bulk_cancel.core.exit_codes import Remains, decide_exit
from bulk_cancel.core.model import Status, status_of
from bulk_cancel.core.states import State
from bulk_cancel.engine.unknowns import OpenTarget, open_one
from bulk_cancel.errors import Exit
from bulk_cancel.ledger.port import Ledger, RunRecord, Unknown
from bulk_cancel.ledger.shared import NOBODY, START_ONE, is_untaken
from bulk_cancel.ops.locks import Holder
from bulk_cancel.reports.next_step import Ending, next_step
from bulk_cancel.reports.remains import has_expired, remains_of_ledger, remains_of_run

#: Number of unknown targets that are told one by one.
MOST_UNKNOWN = 20
_FAR_ENOUGH = 20
#: A run notes itself in the ledger after it has the lock; the two times are of one clock.
_TOLERANCE_S = 1.0


class RunPhase(StrEnum):
    """Where a run is."""

    AT_WORK = "at_work"
    KILLED = "killed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, as it is seen from now."""

    record: RunRecord
    phase: RunPhase
    exit_code: Exit | None  #: None: it did not come to its end, or recorded a decision only
    said: str  #: how it ended, a sentence
    counts: Mapping[Status, int]  #: status -> rows, as they were at its end; of an open run: as they are now
    expired_in: str = ""  #: the folder of its results, where its plan has expired


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a ledger."""

    ledger: str
    holder: Holder | None
    runs: tuple[RunView, ...]  #: the newest first
    unknown: tuple[OpenTarget, ...]  #: the first of them
    unknown_count: int  #: in flight included while a run is at work
    left: Mapping[State, int]  #: targets of the last run's rows that are still to be sent: state -> rows
    next: str  #: a sentence: what to do now


def look_over(place: LedgerPlace, machine: Machine, settle_s: float, limit: int) -> Overview:
    """Read the last `limit` runs and what is open. Raises LedgerError when there is no ledger, or none that is ours."""
    with place.reading() as ledger:
        clock = clock_of(ledger, machine.clock)
        return _overview(place, ledger, partial(open_one, clock=clock, settle_s=settle_s), limit, clock.now())


def _overview(
    place: LedgerPlace, ledger: Ledger, opened: Callable[[Unknown], OpenTarget], limit: int, now: float
) -> Overview:
    holder = place.holder()
    records = ledger.runs(limit=max(limit, _FAR_ENOUGH))
    if holder is None and any(record.status != "ended" for record in records):
        holder = place.holder()  # it may have begun between the two looks
    runs = [_ran(ledger, record, holder) for record in records]
    last = next((run for run in runs if run.record.input_digest), None)
    if last is not None and has_expired(ledger, last.record.run_no, now):
        last = replace(last, expired_in=last.record.out)
    now_counts = ledger.counts(last.record.run_no) if last else {}
    unknown = tuple(opened(item) for item in ledger.unknown(0, MOST_UNKNOWN))
    return Overview(
        ledger=ledger.place,
        holder=holder,
        runs=tuple(runs[:limit]),
        unknown=unknown,
        unknown_count=ledger.unknown_count(),
        left={state: now_counts[state] for state in (State.PENDING, State.WAITING) if now_counts.get(state)},
        next=_next(ledger, last, holder, unknown),
    )


def _ran(ledger: Ledger, record: RunRecord, holder: Holder | None) -> RunView:
    if record.status == "ended":
        return _ended(record)
    counts = _by_status(ledger.counts(record.run_no))
    shared = shared_of(ledger)
    if shared is not None and (chunks := shared.chunks(record.run_no)):
        left = sum(not chunk.ended for chunk in chunks)
        said = f"Workers carry it out: {left} of {len(chunks)} chunks are left. Who: bulk-cancel cluster status"
        if is_untaken(chunks):
            said = f"{NOBODY} {left} of {len(chunks)} chunks are left. {START_ONE}"
        return RunView(record, RunPhase.AT_WORK, None, said, counts)
    if holder is not None and (holder.since is None or record.started_at >= holder.since - _TOLERANCE_S):
        return RunView(record, RunPhase.AT_WORK, None, f"At work: {holder}.", counts)
    sent = "before it sent anything" if record.status == "staging" else "before its end"
    return RunView(record, RunPhase.KILLED, None, f"Killed {sent}.", counts)


def _ended(record: RunRecord) -> RunView:
    if not record.summary:
        return RunView(record, RunPhase.ENDED, None, "A person's decision was recorded.", {})
    summary: dict[str, Any] = json.loads(record.summary)
    counts = {Status(status): count for status, count in summary["counts"].items() if count}
    return RunView(record, RunPhase.ENDED, Exit(summary["exit_code"]), str(summary["next"]), counts)


def _by_status(counts: Mapping[State | None, int]) -> dict[Status, int]:
    found: dict[Status, int] = {}
    for state, count in counts.items():
        found[status_of(state)] = found.get(status_of(state), 0) + count
    return found


def _next(ledger: Ledger, last: RunView | None, holder: Holder | None, unknown: Sequence[OpenTarget]) -> str:
    if holder is not None:
        return f"A run is at work ({holder}). Let it come to its end, then type: bulk-cancel status"
    remains = remains_of_run(ledger, last.record.run_no) if last else Remains({})
    elsewhere = " ".join(_elsewhere(remains, remains_of_ledger(ledger)))
    if last is None:
        return elsewhere or "Nothing is left to do: this ledger knows of no run with an input."
    if last.phase is RunPhase.AT_WORK:
        return f"The run {last.record.run_id}: {last.said}"
    stopped = last.exit_code if remains.count(Status.PENDING) else None
    exit_code = stopped or decide_exit(remains)
    due_at = max((item.due_at for item in unknown if item.due_at is not None), default=None)
    said = next_step(Ending(remains, exit_code, due_at, expired_in=last.expired_in))
    if last.phase is RunPhase.KILLED:
        return _after_a_kill(last, said)
    if (remains.for_a_run or remains.for_reads) and not last.expired_in:
        return f"{said} {_again(last.record)}."
    return elsewhere if elsewhere and exit_code is Exit.OK else f"{said} {elsewhere}".strip()


def _after_a_kill(run: RunView, said: str) -> str:
    killed = f"The run {run.record.run_id} was killed"
    if run.expired_in:
        return f"{killed}. To write its files, type: bulk-cancel report {run.record.run_id}. {said}"
    return f"{killed}; run again, it goes on where it stopped. {_again(run.record)}."


def _elsewhere(here: Remains, everywhere: Remains) -> Iterator[str]:
    """Say what earlier inputs left open."""
    if everywhere.for_reads > here.for_reads:
        yield "Cancels of earlier inputs have no known outcome. To look them up, type: bulk-cancel reconcile"
    if everywhere.undecided > here.undecided:
        yield "Cancels of earlier inputs can be settled by no read: a person decides, with `bulk-cancel resolve`."
    if everywhere.sendable and not here.count(Status.PENDING):
        yield "Cancels of earlier inputs were not applied and may be sent again: run the input that names them."


def _again(record: RunRecord) -> str:
    if record.source in ("", "-", "[select]"):
        return "Type the same command again"
    command = f"bulk-cancel run {shlex.quote(record.source)}"
    return f"Type: {command} (or the job file that names this input, with the same options)"
