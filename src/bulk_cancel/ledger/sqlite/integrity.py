"""The chain of digests over the history, and the full check of a ledger against itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import apsw

from bulk_cancel.core.states import Event, IllegalTransitionError, fold
from bulk_cancel.ledger.sqlite.staging import has_key

Row = tuple[Any, ...]
GENESIS = "0" * 64
_NO_LIMIT = 2**62


def seal(connection: apsw.Connection, sql: Mapping[str, str]) -> None:
    """Add a link over the events since the newest one, inside the transaction that wrote them."""
    last_event_id, digest = newest(connection, sql)
    events: list[Row] = connection.execute(sql["unsealed"], (last_event_id, _NO_LIMIT)).fetchall()
    if events:
        connection.execute(sql["insert_seal"], (events[-1][0], digest_of(digest, events)))


def seal_events(connection: apsw.Connection, sql: Mapping[str, str], events: Sequence[Row]) -> None:
    """As `seal`, for the events just inserted; each is given as `unsealed` would return it, without its id."""
    _, digest = newest(connection, sql)
    last = connection.last_insert_rowid()
    numbered = ((event_id, *event) for event_id, event in enumerate(events, last - len(events) + 1))
    connection.execute(sql["insert_seal"], (last, digest_of(digest, numbered)))


def newest(connection: apsw.Connection, sql: Mapping[str, str]) -> tuple[int, str]:
    """Return the number of the newest event and the link that ends with it."""
    found: list[Row] = connection.execute(sql["last_seal"]).fetchall()
    return found[0] if found else (0, GENESIS)


def digest_of(before: str, events: Iterable[Row]) -> str:
    """Return the link over events after the link `before`; an event is a tuple as `unsealed` returns it."""
    sha256 = hashlib.sha256(before.encode())
    for event in events:
        sha256.update(repr(event).encode())
    return sha256.hexdigest()


def verify(connection: apsw.Connection, sql: Mapping[str, str]) -> list[str]:
    """Return everything that is wrong with a ledger, in sentences; an empty list when it is whole."""
    # What stands on damaged pages means nothing, and may not even be readable.
    return _wrong_pages(connection) or [
        *_wrong_links(connection, sql),
        *_wrong_states(connection, sql),
        *_wrong_siblings(connection, sql),
    ]


def _wrong_pages(connection: apsw.Connection) -> list[str]:
    lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [] if lines == ["ok"] else [f"SQLite finds the file damaged: {line}" for line in lines]


def _wrong_links(connection: apsw.Connection, sql: Mapping[str, str]) -> Iterator[str]:
    covered, link = 0, GENESIS
    for last_event_id, digest in connection.execute("SELECT last_event_id, digest FROM seals ORDER BY last_event_id"):
        events = connection.execute(sql["unsealed"], (covered, last_event_id)).fetchall()
        if digest_of(link, events) != digest:
            yield f"The history of the events {covered + 1} to {last_event_id} was changed after it was written."
        covered, link = int(str(last_event_id)), str(digest)
    if connection.execute(sql["unsealed"], (covered, _NO_LIMIT)).fetchall():
        yield f"The history has events after {covered} that no seal covers."


def _wrong_states(connection: apsw.Connection, sql: Mapping[str, str]) -> Iterator[str]:
    rows = connection.execute(sql["states_by_target"])
    for (target_id, state, attempts), events in groupby(rows, key=lambda row: row[:3]):
        history = [(event, attempt_no) for *_, event, attempt_no in events if event is not None]
        yield from wrong_state(target_id, str(state), attempts, history)


def _wrong_siblings(connection: apsw.Connection, sql: Mapping[str, str]) -> Iterator[str]:
    """A target that does not know of another one of its appointment would be sent beside it."""
    if has_key(connection, sql):
        for (target_id,) in connection.execute(sql["lost_siblings"]):
            yield f"Target {target_id} is marked as the only one of its appointment, but it has a sibling."


def wrong_state(target_id: int, state: str, attempts: int, history: list[tuple[str, int]]) -> Iterator[str]:
    """Compare what a target says of itself with its history, as (event, attempt) in order."""
    try:
        folded = fold(Event(event) for event, _ in history)
    except (IllegalTransitionError, ValueError) as error:
        yield f"The history of target {target_id} is impossible: {error}."
        return
    if folded.value != state:
        yield f"Target {target_id} is marked {state}, but its history says {folded.value}."
    intents = [attempt_no for event, attempt_no in history if event == Event.INTENT]
    if intents != list(range(1, attempts + 1)):
        yield f"Target {target_id} has {attempts} attempts, but its history shows the intents {intents}."
