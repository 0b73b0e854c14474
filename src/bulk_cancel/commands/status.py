"""The last runs of a ledger, what is open in it, and what to do next. Only reads, even while a run is active."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from bulk_cancel.access.ledgers import LedgerPlace, clock_of, shared_of
from bulk_cancel.access.machine import Machine
from bulk_cancel.commands.explain import settle_s_of, zone_of, zone_of_run
from bulk_cancel.commands.refusals import Refusal, newest_refusal
from bulk_cancel.commands.resolve import RECOVER
from bulk_cancel.core.exit_codes import Remains, decide_exit
from bulk_cancel.core.model import Status
from bulk_cancel.core.moments import Zone, told_in
from bulk_cancel.core.states import State
from bulk_cancel.core.text import clean, counted
from bulk_cancel.engine.unknowns import OpenTarget, open_one
from bulk_cancel.errors import Exit
from bulk_cancel.ledger.port import ALL_RUNS, Ledger, RunRecord, Unknown, every_unknown
from bulk_cancel.ledger.shared import NOBODY, START_ONE, is_untaken
from bulk_cancel.ops.locks import Holder
from bulk_cancel.reports.next_step import (
    Ending,
    beside_status,
    closing_steps,
    command,
    next_step,
    told_elsewhere,
    told_of,
    typed,
    unnamed,
)
from bulk_cancel.reports.remains import (
    MOST_RUNS,
    counts_by_status,
    has_expired,
    left_to_a_person,
    remains_elsewhere,
    remains_of_run,
)
from bulk_cancel.reports.result_folders import folder_of
from bulk_cancel.reports.summary import read_told

#: Most unknown targets that are listed.
MOST_UNKNOWN = 20
#: A run notes itself in the ledger after it has the lock; the two times are of one clock.
_TOLERANCE_S = 1.0


class RunPhase(StrEnum):
    """The phase of a run."""

    AT_WORK = "at_work"
    KILLED = "killed"
    ENDED = "ended"
    SUPERSEDED = "superseded"  #: it was killed, or ended early, and later runs took over all its open rows


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, with its present state."""

    record: RunRecord
    phase: RunPhase
    exit_code: Exit | None  #: None: it has not ended, or only recorded a decision
    said: str  #: how it ended, a sentence
    counts: Mapping[Status, int]  #: status -> rows, as they were at its end; of an open run: as they are now
    expired_in: str = ""  #: the folder of its results, where its plan has expired
    left: int = 0  #: targets that are still to be sent and that no later run has asked for
    zone: Zone = None  #: in which its times are shown


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a ledger."""

    ledger: str
    holder: Holder | None
    runs: tuple[RunView, ...]  #: the newest first
    older: int  #: runs before these
    unknown: tuple[OpenTarget, ...]  #: the first of them
    unknown_count: int  #: including those in flight while a run is active
    left: int  #: targets of all runs that are still to be sent
    refusal: Refusal | None  #: of this machine's newest command, if it was refused and no run began since
    next: str  #: sentences, and commands to type on lines of their own
    zone: Zone  #: in which its times are shown


def look_over(place: LedgerPlace, machine: Machine, limit: int, zone: Zone = None) -> Overview:
    """Read the last `limit` runs and what is open. Raises LedgerError when there is no ledger, or none that is ours.

    Times are to be shown in `zone`; None: each run's in its own, others in that of the newest run that has one.
    """
    with place.reading() as ledger:
        clock = clock_of(ledger, machine.clock)
        opened = partial(open_one, clock=clock, settle_s=settle_s_of(ledger))
        refusal, shown = newest_refusal(place, machine), zone or zone_of(ledger)
        if refusal and any(run.started_at > refusal.at for run in ledger.runs(limit=1)):
            refusal = None
        to_correct = left_to_a_person(ledger, max(limit, MOST_RUNS))
        return _Sources(place, ledger, opened, refusal, clock.now(), shown, zone, to_correct).overview(limit)


@dataclass(frozen=True, slots=True)
class _Sources:
    """The sources of an overview."""

    place: LedgerPlace
    ledger: Ledger
    opened: Callable[[Unknown], OpenTarget]
    refusal: Refusal | None  #: where no run began since
    now: float  #: seconds since the epoch, by the ledger's clock
    zone: Zone
    given: Zone  #: the one that was asked for
    to_correct: Mapping[int, Remains]  #: what runs left to a person, by their numbers

    def overview(self, limit: int) -> Overview:
        ledger, holder = self.ledger, self.place.holder()
        records = ledger.runs(limit=ALL_RUNS)
        if holder is None and any(record.status != "ended" for record in records):
            holder = self.place.holder()  # a run may have begun since
        last = next((record for record in records if record.input_digest), None)
        left = ledger.left_by_run()
        shown = [self._view(record, holder, left.get(record.run_no, 0), last) for record in records[:limit]]
        unknown = tuple(self.opened(item) for item in ledger.unknown(0, MOST_UNKNOWN))
        refusal = None if any(map(self._has_told, records[:1])) else self.refusal
        seen = self._view(last, holder, left.get(last.run_no, 0), last) if last else None
        others = [record for record in records if record is not last]
        lines = [*_refused(refusal, holder), *self._next(seen, holder, is_refused=refusal is not None)]
        if holder is None:
            if seen and seen.left and seen.phase is not RunPhase.AT_WORK and not seen.expired_in:
                lines += _unnamed(seen.record, ledger.place)
            lines += _left_behind(others, left, self.to_correct, ledger.place)
            lines += closing_steps(str(read_told(seen.record).get("closure", "")))[1:] if seen else ()
        return Overview(
            ledger=ledger.place,
            holder=holder,
            runs=tuple(shown),
            older=len(records) - len(shown),
            unknown=unknown,
            unknown_count=ledger.unknown_count(),
            left=sum(left.values()),
            refusal=refusal,
            next="\n".join(lines),
            zone=self.zone,
        )

    def _view(self, record: RunRecord, holder: Holder | None, left: int, last: RunRecord | None) -> RunView:
        """Return a run with the number of its targets still to be sent."""
        zone = zone_of_run(record, self.given, self.zone)
        view = replace(_ran(self.ledger, record, holder, zone), left=left, zone=zone)
        if view.phase is RunPhase.KILLED and self.refusal and self._has_told(record):
            code, why = self.refusal.exit_code, self.refusal.why
            view = replace(view, phase=RunPhase.ENDED, exit_code=code, said=f"Broke off before its end: {why}")
        if record is last:
            expired = has_expired(self.ledger, record.run_no, self.now)
            return replace(view, expired_in=str(folder_of(record))) if expired else view
        is_early = view.phase is RunPhase.KILLED or view.exit_code not in (None, Exit.OK)
        if not is_early or left or view.phase is RunPhase.AT_WORK:
            return view
        if record.run_no in self.to_correct or not record.input_digest:
            return view
        counts = self.ledger.counts(record.run_no)
        if any(counts.get(state) for state in (State.FAILED, State.UNKNOWN, State.SENDING)):
            return view
        how = "Interrupted before its end" if view.phase is RunPhase.KILLED else "It ended early"
        said = f"{how}; what was still to be sent was taken over by later runs."
        if view.exit_code is Exit.REFUSED_ROWS:
            said = "A person had to look at its rows."
        return replace(view, phase=RunPhase.SUPERSEDED, said=said)

    def _has_told(self, record: RunRecord) -> bool:
        """Return whether the refusal is the end of this run, which the ledger may lack."""
        refusal = self.refusal
        if refusal is None or not refusal.began <= record.started_at <= refusal.at:
            return False
        if record.status == "ended":
            return _ended(record).exit_code == refusal.exit_code
        return refusal.exit_code != Exit.LOCKED  # that one waited for this run

    def _next(self, last: RunView | None, holder: Holder | None, *, is_refused: bool) -> Iterator[str]:
        if holder is not None:
            then = command("status", self.ledger.place)
            yield f"A run is active ({told_in(self.zone, holder)}). Wait until it has ended, then type: {then}"
            return
        remains = remains_of_run(self.ledger, last.record.run_no) if last else Remains({})
        others = remains_elsewhere(self.ledger, last.record.run_no if last else 0, remains)
        elsewhere = [*told_elsewhere(others, self.ledger.place)]
        if last is None:
            yield from elsewhere or ["Nothing is left to do: this ledger knows of no run with an input."]
            return
        if last.phase is RunPhase.AT_WORK:
            yield f"The run {last.record.run_id}: {last.said}"
            return
        exit_code = _exit_today(last, remains)
        is_more_to_do = is_refused or not others.is_done  # so that "nothing is left to do" is not shown beside it
        if not (is_more_to_do and exit_code is Exit.OK and last.phase is RunPhase.ENDED):
            times = (self.opened(item).due_at for item in every_unknown(self.ledger))
            due_at = max((time for time in times if time is not None), default=None)
            ending = Ending(
                remains=remains,
                exit_code=exit_code,
                due_at=due_at,
                halt=_without_an_end(last, self.ledger.place),
                expired_in=last.expired_in,
                ledger=self.ledger.place,
                run=last.record,
                out=str(folder_of(last.record)),
                zone=self.zone,
            )
            yield next_step(ending)
        yield from elsewhere


def _exit_today(run: RunView, remains: Remains) -> Exit:
    """Return the exit code by the present states of a run's rows; STOPPED if its rows were not all staged."""
    if run.record.status == "staging":
        return Exit.STOPPED
    stopped = run.exit_code if remains.count(Status.PENDING) and run.exit_code is not Exit.UNKNOWN else None
    return stopped or decide_exit(remains)


def _without_an_end(run: RunView, ledger: str) -> str:
    if run.record.status == "ended":
        return ""
    how = "was interrupted." if run.phase is RunPhase.KILLED else f"b{run.said[1:]}"
    report = command(f"report {run.record.run_id}", ledger)
    return f"The run {run.record.run_id} {how} To write its files, type: {report}."


def _refused(refusal: Refusal | None, holder: Holder | None) -> Iterator[str]:
    """Yield why the newest command was refused, and it as it was typed: to be corrected, or to be typed again."""
    if refusal is None:
        return
    how, why = f"was refused, exit {int(refusal.exit_code)}", refusal.why
    if refusal.declined:
        how = "was declined by the person who was asked"
    elif refusal.exit_code is Exit.LOCKED and holder is None:
        why = "another run was at work. None is at work on this ledger any more."
    first = f" Correct {refusal.correct_first} before you type it again." if refusal.correct_first else ""
    yield f"The newest command {how}: {why}{first}"
    if refusal.command:
        yield f"It was: {refusal.command}" if first else typed(refusal.command)


def _left_behind(
    records: Sequence[RunRecord], left: Mapping[int, int], to_correct: Mapping[int, Remains], ledger: str
) -> Iterator[str]:
    """Yield what runs before the last one left open, and how to continue each."""
    for record in records:
        if record.run_no in to_correct:
            yield told_of(record, to_correct[record.run_no], str(folder_of(record)))
        if not left.get(record.run_no):
            continue
        targets = counted(left[record.run_no], "target is", "targets are")
        yield f"Of the run {record.run_id} ({clean(record.source)}) {targets} still to be sent, too: run it again."
        if record.provenance.command:
            yield typed(record.provenance.command)
        yield from _unnamed(record, ledger)


def _unnamed(record: RunRecord, ledger: str) -> Iterator[str]:
    """Yield how the rest of a run is sent whose command, a search or a job file, may name other rows by now."""
    typed_then = record.provenance.command
    if record.source.startswith("[") or (typed_then and Path(record.source).name not in typed_then):
        yield unnamed(record.run_id, ledger)


def _ran(ledger: Ledger, record: RunRecord, holder: Holder | None, zone: Zone) -> RunView:
    if record.status == "ended":
        return _ended(record)
    counts = counts_by_status(ledger, record.run_no)
    shared = shared_of(ledger)
    if shared is not None and (chunks := shared.chunks(record.run_no)):
        left = sum(not chunk.ended for chunk in chunks)
        of_all = f"{left} of {counted(len(chunks), 'chunk')}"
        said = f"Workers carry it out: {of_all} left. Who: bulk-cancel cluster status"
        if is_untaken(chunks):
            said = f"{NOBODY} {of_all} left. {START_ONE}"
        return RunView(record, RunPhase.AT_WORK, None, said, counts)
    if holder is not None and (holder.since is None or record.started_at >= holder.since - _TOLERANCE_S):
        return RunView(record, RunPhase.AT_WORK, None, f"At work: {told_in(zone, holder)}.", counts)
    sent = "before it sent anything" if record.status == "staging" else "before its end"
    return RunView(record, RunPhase.KILLED, None, f"Interrupted {sent}.", counts)


def _ended(record: RunRecord) -> RunView:
    if not record.summary:
        noted = "What a killed run left on its way was noted as unknown."
        said = noted if record.source == RECOVER else "A person's decision was recorded."
        return RunView(record, RunPhase.ENDED, None, said, {})
    summary = read_told(record)
    counts = {Status(status): count for status, count in summary["counts"].items() if count}
    return RunView(record, RunPhase.ENDED, Exit(summary["exit_code"]), beside_status(str(summary["next"])), counts)
