"""Appends a batch to the history: moves the targets, writes their events, seals them, in the caller's transaction.

Statements run once per batch over many rows: a step of SQLite releases the interpreter's lock, and each release costs
as much as the step itself while the event loop is busy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bulk_cancel.core.model import Entry
from bulk_cancel.core.states import SETTLED, Event, State, next_state
from bulk_cancel.ledger.port import GuardError
from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.sqlite import integrity
from bulk_cancel.ledger.sqlite.connection import Connection

_FINAL = SETTLED | {State.FAILED, State.SKIPPED}


def append(connection: Connection, run_no: int, entries: Sequence[Entry]) -> None:
    """Write events and move their targets. Raises IllegalTransitionError or GuardError; then the caller rolls back."""
    events = [event for wave in waves(entries) for event in _moved(connection, run_no, wave)]
    if events:
        connection.many("insert_event", (event.stored for event in events))
        integrity.seal_events(connection, [event.sealed for event in events])


class Written:
    """One event as it is stored, and as the seal covers it: with the key of its target."""

    __slots__ = ("sealed", "stored")

    def __init__(self, run_no: int, entry: Entry, key: Sequence[object]) -> None:
        about = (run_no, str(entry.event), entry.attempt_no, float(entry.at), entry.http_status, entry.detail)
        self.stored: Row = (entry.target_id, *about)
        self.sealed: Row = (*key, *about)


def waves(entries: Iterable[Entry]) -> list[dict[int, Entry]]:
    """Split a batch so that each target occurs once in each part; nearly always there is one part."""
    waves: list[dict[int, Entry]] = [{}]
    for entry in entries:
        if entry.target_id in waves[-1]:
            waves.append({})
        waves[-1][entry.target_id] = entry
    return waves


def _moved(connection: Connection, run_no: int, wave: Mapping[int, Entry]) -> list[Written]:
    """Move the targets of a wave. Raises GuardError when one is not in the state that its entry expects."""
    keys, places = {}, {}
    for target_id, state, attempts, *key in connection.rows("where_they_are", json.dumps(list(wave))):
        keys[target_id], places[target_id] = key, (state, attempts)
    intents = [intent(run_no, entry) for entry in wave.values() if entry.event is Event.INTENT]
    outcomes = [outcome(entry) for entry in wave.values() if entry.event is not Event.INTENT]
    before = connection.total_changes()
    for name, values in (("apply_intent", intents), ("apply_outcome", outcomes)):
        if values:
            connection.many(name, values)
    if connection.total_changes() - before != len(wave):
        raise GuardError("; ".join(elsewhere(wave, places)))
    return [Written(run_no, entry, keys[target_id]) for target_id, entry in wave.items()]


def elsewhere(wave: Mapping[int, Entry], places: Mapping[int, Row]) -> Iterator[str]:
    """Yield a clause for each target that is not as its entry expects; `places` has state and attempts."""
    for target_id, entry in wave.items():
        expected = (entry.was, entry.attempt_no - (entry.event is Event.INTENT))
        if places.get(target_id) != expected:
            yield f"target {target_id} is not {entry.was} at attempt {entry.attempt_no}"


def intent(run_no: int, entry: Entry) -> Row:
    """Return the parameters of `apply_intent`. Raises IllegalTransitionError."""
    becomes = next_state(entry.was, entry.event)
    return str(becomes), entry.attempt_no, entry.at, run_no, entry.target_id, entry.was.value


def outcome(entry: Entry) -> Row:
    """Return the parameters of `apply_outcome`. Raises IllegalTransitionError."""
    becomes, seen = next_state(entry.was, entry.event), entry.appointment
    settled_at = entry.at if becomes in _FINAL else None
    change = (str(becomes), settled_at, entry.http_status, entry.detail)
    guard = (entry.target_id, str(entry.was), entry.attempt_no)
    if seen is None:
        return (*change, *guard, None, None, None, None, None)
    return (*change, *guard, seen.start, seen.end, seen.meeting_type_id, seen.paid, ",".join(seen.warnings) or None)
