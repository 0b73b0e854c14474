"""What is done with a ledger apart from running: report again, decide, verify, copy, export."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from bulk_cancel.core.model import Entry, Work
from bulk_cancel.core.states import Event, State
from bulk_cancel.core.target_name import parse_target_name
from bulk_cancel.core.text import clean
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.clock import Clock
from bulk_cancel.errors import UsageError
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.ledgers import LedgerPlace, clock_of
from bulk_cancel.places import new_run_id, refuse_short_settle
from bulk_cancel.reporting import write_run
from bulk_cancel.reports.workbook import require_excel


@dataclass(frozen=True, slots=True)
class Reported:
    """What was written again."""

    run_id: str
    out: Path
    missing: str  #: why there is no workbook although one was wanted, a sentence; or empty


def report_run(place: LedgerPlace, run_id: str, out: Path | None, *, excel: bool = False) -> Reported:
    """Write the files of a run again (the newest one without a `run_id`), as the ledger knows its rows today."""
    if excel:
        require_excel()
    with place.reading() as ledger:
        runs = [run for run in ledger.runs(run_id) if run.input_digest]
        if not runs:
            which = f"no run {run_id}" if run_id else "no run yet"
            raise UsageError(f"The ledger {place} knows {which}.")
        folder = out or Path(runs[0].out)
        return Reported(runs[0].run_id, folder, write_run(ledger, runs[0], folder, excel=excel))


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's word about an unknown target."""

    cancelled: bool
    by: str
    because: str

    @property
    def event(self) -> Event:
        """The event it is recorded as."""
        return Event.RESOLVED_CANCELLED if self.cancelled else Event.RESOLVED_NOT_CANCELLED


def resolve(place: LedgerPlace, name: str, decision: Decision, settle_s: float = 600.0) -> Work:
    """Record a person's decision about the unknown target `name`: an appointment's id, or `appointment/attendee`.

    Raises UsageError when there is no such unknown target, or when one is told not to be cancelled within `settle_s`
    seconds of its cancel, ConfigError when that is too short, LockedError while a run holds the ledger.
    """
    with place.reading():
        pass  # an existing ledger, or a clear error: deciding must not create one
    with place.alone() as ledger:
        clock = clock_of(ledger)
        run_no = ledger.begin_run(RunStart(new_run_id(), clock.now(), clock.base, source="resolve"))
        ledger.recover(run_no, clock.now())
        work = _unknown_target(ledger, name)
        if not decision.cancelled:
            refuse_short_settle(settle_s, ledger.meta("api_url") or "")
            _refuse_too_early(ledger, work, clock, settle_s)
        detail = clean(f"{decision.by}: {decision.because}", 400)
        ledger.append(
            run_no, [Entry(work.target_id, decision.event, work.state, work.attempts, clock.now(), detail=detail)]
        )
        ledger.end_run(run_no, clock.now(), "")
    return work


def _refuse_too_early(ledger: Ledger, work: Work, clock: Clock, settle_s: float) -> None:
    """Nobody can know within the settle time that a cancel will not take effect: it may still be on its way."""
    (item,) = ledger.unknown(work.target_id - 1, 1)
    left_s = settle_s - clock.base.age_s(item.last_at, item.base, clock.monotonic())
    if left_s > 0:
        raise UsageError(
            f"The cancel of {work.target.appointment_id} may still take effect: it is too early to say no.",
            advice=f"Nothing was recorded. Look at the appointment again in {show_duration(math.ceil(left_s))}.",
        )


def _unknown_target(ledger: Ledger, name: str) -> Work:
    appointment_id, attendee_id = parse_target_name(name)
    found = [
        work
        for work in ledger.find_targets(appointment_id)
        if not attendee_id or work.target.attendee_id == attendee_id
    ]
    unknown = [work for work in found if work.state is State.UNKNOWN]
    if len(unknown) == 1:
        return unknown[0]
    if unknown:
        names = ", ".join(f"{appointment_id}/{work.target.attendee_id}" for work in unknown)
        raise UsageError(f"Several targets of this appointment are unknown: {names}.", advice="Name one of them.")
    state = found[0].state.value if found else "not in the ledger"
    raise UsageError(f"{name} is {state}: only an unknown target can be resolved.")


def export(place: LedgerPlace, to: TextIO) -> int:
    """Write the whole history as JSON lines; return how many."""
    names = (
        "appointment_id",
        "attendee_id",
        "entire_series",
        "run_id",
        "event",
        "attempt",
        "at",
        "http_status",
        "detail",
    )
    count = 0
    with place.reading() as ledger:
        for values in ledger.all_events():
            event = dict(zip(names, values, strict=True))
            event["entire_series"] = bool(event["entire_series"])
            event["at"] = datetime.fromtimestamp(float(str(event["at"])), UTC).isoformat(timespec="milliseconds")
            to.write(json.dumps(event, ensure_ascii=False) + "\n")
            count += 1
    return count
