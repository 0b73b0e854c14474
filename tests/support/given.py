"""Puts a ledger where a test wants it, through the contract alone."""

from __future__ import annotations

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.deadline import SETTLE_S
from bulk_cancel.core.model import Entry, InputRow, Work
from bulk_cancel.core.states import Event, State, next_state
from bulk_cancel.ledger.port import Ledger, RunStart

AT = 1_800_000_000.0
BASE = TimeBase("this boot", AT - 1000.0)

#: The shortest history that leads to each state.
HISTORIES: dict[State, tuple[Event, ...]] = {
    State.PENDING: (),
    State.SENDING: (Event.INTENT,),
    State.WAITING: (Event.INTENT, Event.NOT_APPLIED),
    State.UNKNOWN: (Event.INTENT, Event.NO_PROOF),
    State.CANCELLED: (Event.INTENT, Event.CANCELLED),
    State.ALREADY_CANCELLED: (Event.SEEN_CANCELLED,),
    State.NOT_FOUND: (Event.INTENT, Event.NOT_FOUND),
    State.REJECTED: (Event.INTENT, Event.REJECTED),
    State.FAILED: (Event.INTENT, Event.NOT_APPLIED, Event.GIVEN_UP),
    State.SKIPPED: (Event.SKIPPED,),
}


def uuid(number: int) -> str:
    """Return the id of the appointment or attendee with this number."""
    return f"00000000-0000-4000-8000-{number:012d}"


def row(number: int, appointment: int, **changes: object) -> InputRow:
    """Return a valid row that asks to cancel a whole appointment, apart from `changes`."""
    plain = InputRow(number, uuid(appointment), None, False, False, "closed", None, number, None)
    return plain._replace(**changes)


def invalid(number: int) -> InputRow:
    """Return a row that names no target."""
    return InputRow(number, None, None, False, False, None, None, None, "appointment_id: not a UUID")


def begin(ledger: Ledger, run_id: str = "run-1", settle_s: float = SETTLE_S) -> int:
    """Begin a run with a settle time."""
    return ledger.begin_run(RunStart(run_id, AT, BASE, settle_s=settle_s))


def staged(ledger: Ledger, *rows: InputRow, run_id: str = "run-1", settle_s: float = SETTLE_S) -> int:
    """Begin a run with these rows, ready to send."""
    run_no = begin(ledger, run_id, settle_s)
    ledger.stage(run_no, rows, AT)
    ledger.start_run(run_no)
    return run_no


def target(ledger: Ledger, appointment: int, attendee: int | None = None, *, series: bool = False) -> Work:
    """Return the ledger's record of a target."""
    wanted = (uuid(attendee) if attendee else None, series)
    found = ledger.find_targets(uuid(appointment))
    return next(work for work in found if (work.target.attendee_id, work.target.entire_series) == wanted)


def entry(work: Work, event: Event, at: float = AT) -> Entry:
    """Return the entry that records `event` of a target as the ledger knows it."""
    return Entry(work.target_id, event, work.state, work.attempts + (event is Event.INTENT), at)


def entries(work: Work, *events: Event) -> list[Entry]:
    """Return the entries of several events in a row."""
    state, attempts, made = work.state, work.attempts, []
    for event in events:
        attempts += event is Event.INTENT
        made.append(Entry(work.target_id, event, state, attempts, AT))
        state = next_state(state, event)
    return made


def move(ledger: Ledger, run_no: int, work: Work, *events: Event) -> None:
    """Record events of a target."""
    ledger.append(run_no, entries(work, *events))


def put(ledger: Ledger, run_no: int, state: State, appointment: int) -> Work:
    """Bring a pending target into a state; return the ledger's record of it."""
    if HISTORIES[state]:
        move(ledger, run_no, target(ledger, appointment), *HISTORIES[state])
    return target(ledger, appointment)
