"""The chain of digests over the history, and the full check of a ledger against itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import apsw

from bulk_cancel.core.states import Event, IllegalTransitionError, fold
from bulk_cancel.core.text import counted
from bulk_cancel.ledger.sqlite.staging import has_key

Row = tuple[Any, ...]
GENESIS = "0" * 64
_NO_LIMIT = 2**62


def seal(connection: apsw.Connection, sql: Mapping[str, str]) -> None:
    """Add a link over the events since the newest one, inside the transaction that wrote them."""
    last_event_id, digest = _tip(connection, sql)
    events: list[Row] = connection.execute(sql["unsealed"], (last_event_id, _NO_LIMIT)).fetchall()
    if events:
        connection.execute(sql["insert_seal"], (events[-1][0], 0, digest_of(digest, events)))


def seal_events(connection: apsw.Connection, sql: Mapping[str, str], events: Sequence[Row]) -> None:
    """As `seal`, for the events just inserted; each is given as `unsealed` would return it, without its id."""
    _, digest = _tip(connection, sql)
    last = connection.last_insert_rowid()
    numbered = ((event_id, *event) for event_id, event in enumerate(events, last - len(events) + 1))
    connection.execute(sql["insert_seal"], (last, 0, digest_of(digest, numbered)))


def seal_beginning(connection: apsw.Connection, sql: Mapping[str, str], run_no: int) -> None:
    """Add a link over the beginning of a run: who started it, and why; inside the transaction that wrote it."""
    last_event_id, digest = _tip(connection, sql)
    beginning: list[Row] = connection.execute(sql["beginnings"], (run_no,)).fetchall()
    connection.execute(sql["insert_seal"], (last_event_id, run_no, digest_of(digest, beginning)))


def _tip(connection: apsw.Connection, sql: Mapping[str, str]) -> tuple[int, str]:
    """Return the number of the newest event, and the newest link, which may cover the beginning of a run instead."""
    return _last(connection, sql["last_link"])


def newest(connection: apsw.Connection, sql: Mapping[str, str]) -> tuple[int, str]:
    """Return the number of the newest event and the link that ends with it."""
    return _last(connection, sql["last_seal"])


def _last(connection: apsw.Connection, statement: str) -> tuple[int, str]:
    found: list[Row] = connection.execute(statement).fetchall()
    return found[0] if found else (0, GENESIS)


def digest_of(before: str, events: Iterable[Row]) -> str:
    """Return the link over rows after the link `before`: events as `unsealed` returns them, or a run's beginning."""
    sha256 = hashlib.sha256(before.encode())
    for event in events:
        sha256.update(repr(event).encode())
    return sha256.hexdigest()


def verify(connection: apsw.Connection, sql: Mapping[str, str]) -> list[str]:
    """Return everything that is wrong with a ledger, in sentences; an empty list when it is whole."""
    # The content of damaged pages means nothing, and may not even be readable.
    return _wrong_pages(connection) or [
        *_wrong_links(connection, sql),
        *_wrong_states(connection, sql),
        *_wrong_siblings(connection, sql),
    ]


def _wrong_pages(connection: apsw.Connection) -> list[str]:
    lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [] if lines == ["ok"] else [f"SQLite finds the file damaged: {line}" for line in lines]


def _wrong_links(connection: apsw.Connection, sql: Mapping[str, str]) -> Iterator[str]:
    covered, link, unsealed = 0, GENESIS, {row[0]: row for row in connection.execute(sql["beginnings"], (None,))}
    for last_event_id, run_no, digest in connection.execute(sql["links"]):
        if run_no:
            beginning = unsealed.pop(run_no, ())
            if digest_of(link, [beginning]) != digest:
                yield changed_beginning(run_no)
        else:
            events = connection.execute(sql["unsealed"], (covered, last_event_id)).fetchall()
            if digest_of(link, events) != digest:
                yield f"The history of the events {covered + 1} to {last_event_id} was changed after it was written."
        covered, link = int(last_event_id), str(digest)
    yield from map(changed_beginning, unsealed)
    if connection.execute(sql["unsealed"], (covered, _NO_LIMIT)).fetchall():
        yield f"The history has events after {covered} that no seal covers."


def changed_beginning(run_no: int) -> str:
    """Return the sentence that the record of a run's beginning was changed."""
    return f"The beginning of run number {run_no} (who started it, when, and why) was changed after it was written."


def _wrong_states(connection: apsw.Connection, sql: Mapping[str, str]) -> Iterator[str]:
    rows = connection.execute(sql["states_by_target"])
    for (target_id, state, attempts), events in groupby(rows, key=lambda row: row[:3]):
        history = [(event, attempt_no) for *_, event, attempt_no in events if event is not None]
        yield from wrong_state(target_id, str(state), attempts, history)


def _wrong_siblings(connection: apsw.Connection, sql: Mapping[str, str]) -> Iterator[str]:
    """Yield targets without the mark of a sibling: they would be sent while the sibling's cancel is open."""
    if has_key(connection, sql):
        for (target_id,) in connection.execute(sql["lost_siblings"]):
            yield f"Target {target_id} is marked as the only one of its appointment, but it has a sibling."


def wrong_state(target_id: int, state: str, attempts: int, history: list[tuple[str, int]]) -> Iterator[str]:
    """Compare the stored state and attempts of a target with its history, given as (event, attempt) in order."""
    try:
        folded = fold(Event(event) for event, _ in history)
    except (IllegalTransitionError, ValueError) as error:
        yield f"The history of target {target_id} is impossible: {error}."
        return
    if folded.value != state:
        yield f"Target {target_id} is marked {state}, but its history says {folded.value}."
    intents = [attempt_no for event, attempt_no in history if event == Event.INTENT]
    if intents != list(range(1, attempts + 1)):
        yield f"Target {target_id} has {counted(attempts, 'attempt')}, but its history shows the intents {intents}."
