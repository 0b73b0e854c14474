"""Appends a batch to the history in three round trips: lock and read, write, commit.

Every writer locks in this order: its chunk, its chain, its targets by their ids, the pace. So writers wait for each
other but never deadlock. A target is locked before its state is read, so that the state still holds when it is moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bulk_cancel.core.model import Appointment, Entry
from bulk_cancel.core.states import Event, next_state
from bulk_cancel.ledger.port import GuardError
from bulk_cancel.ledger.postgres.integrity import link
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.sqlite.appending import Written, elsewhere, intent, outcome, waves
from bulk_cancel.ledger.sqlite.integrity import digest_of

Wave = dict[int, Entry]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a batch reads once it has locked everything."""

    keys: dict[int, Row]
    places: dict[int, Row]  #: state and attempts
    before: str  #: the newest link of the chain
    event_ids: list[int]
    now: float  #: by the database's clock, seconds since the epoch


@dataclass(frozen=True, slots=True)
class Appended:
    """The last event of a batch: its number, the link of the chain that ends with it, and its time by the database."""

    event_id: int
    digest: str
    at: float


def append(session: Session, run_no: int, chunk_no: int, entries: Sequence[Entry]) -> Appended:
    """Write events and move their targets, in the caller's transaction, which rolls back after an error.

    They are dated by the database's clock once all locks are held. Raises IllegalTransitionError or
    GuardError.
    """
    found = _locked(session, run_no, chunk_no, entries)
    entries = [replace(_storable(entry), at=found.now) for entry in entries]
    parts = waves(entries)
    moves = [_moves(run_no, wave) for wave in parts]
    if unmoved := [target_id for target_id in {entry.target_id for entry in entries} if target_id not in found.keys]:
        raise GuardError("; ".join(f"there is no target {target_id}" for target_id in unmoved))
    counts = [[session.run(name, *columns) for name, columns in wave] for wave in moves]
    digest = _write(session, run_no, chunk_no, entries, found)
    for wave, cursors in zip(parts, counts, strict=True):
        if sum(cursor.fetchall()[0][0] for cursor in cursors) != len(wave):
            raise GuardError("; ".join(elsewhere(wave, found.places)))
        found.places.update({one.target_id: (next_state(one.was, one.event), one.attempt_no) for one in wave.values()})
    return Appended(found.event_ids[-1], digest, found.now)


def _locked(session: Session, run_no: int, chunk_no: int, entries: Sequence[Entry]) -> _Found:
    session.run("lock_chain", run_no, chunk_no)
    targets = session.run("where_they_are", sorted({entry.target_id for entry in entries}))
    seals = session.run("last_seal", run_no, chunk_no)
    ids = session.run("event_ids", len(entries))
    rows, numbered = targets.fetchall(), ids.fetchall()
    return _Found(
        keys={row[0]: row[3:] for row in rows},
        places={row[0]: row[1:3] for row in rows},
        before=link(seals.fetchall()),
        event_ids=[row[0] for row in numbered],
        now=numbered[0][1],
    )


def _moves(run_no: int, wave: Wave) -> list[tuple[str, list[list[Any]]]]:
    intents = [intent(run_no, entry) for entry in wave.values() if entry.event is Event.INTENT]
    outcomes = [outcome(entry) for entry in wave.values() if entry.event is not Event.INTENT]
    return [(name, _columns(rows)) for name, rows in (("apply_intents", intents), ("apply_outcomes", outcomes)) if rows]


def _write(session: Session, run_no: int, chunk_no: int, entries: Sequence[Entry], found: _Found) -> str:
    written = [Written(run_no, entry, found.keys[entry.target_id]) for entry in entries]
    stored = [(event_id, *event.stored) for event_id, event in zip(found.event_ids, written, strict=True)]
    sealed = [(event_id, *event.sealed) for event_id, event in zip(found.event_ids, written, strict=True)]
    session.run("insert_events", *_columns(stored), chunk_no)
    digest = digest_of(found.before, sealed)
    session.run("insert_seal", run_no, chunk_no, found.event_ids[-1], digest)
    return digest


def _columns(rows: Iterable[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _storable(entry: Entry) -> Entry:
    """Replace what PostgreSQL cannot store (NUL, surrogates): no text may prevent the record of an outcome."""
    seen = entry.appointment
    if _is_storable(entry.detail) and (seen is None or all(map(_is_storable, _texts(seen)))):
        return entry
    if seen is not None:
        start, end, meeting, *warnings = (_stored(text) for text in _texts(seen))
        told = replace(seen, start=start or None, end=end or None, meeting_type_id=meeting or None)
        seen = replace(told, warnings=tuple(warnings))
    return replace(entry, detail=_stored(entry.detail), appointment=seen)


def _texts(seen: Appointment) -> tuple[str, ...]:
    return seen.start or "", seen.end or "", seen.meeting_type_id or "", *seen.warnings


def _is_storable(text: str) -> bool:
    return text.isascii() and "\0" not in text


def _stored(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
