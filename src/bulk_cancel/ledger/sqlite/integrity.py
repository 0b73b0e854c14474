"""The chain of digests over the history, and the full check of a ledger against itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from bulk_cancel.core.states import Event, IllegalTransitionError, fold
from bulk_cancel.core.text import counted
from bulk_cancel.ledger.high_water import GENESIS
from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.sqlite.connection import Connection
from bulk_cancel.ledger.sqlite.staging import has_key

_NO_LIMIT = 2**62


def seal(connection: Connection) -> None:
    """Add a link over the events since the newest one, inside the transaction that wrote them."""
    last_event_id, digest = _tip(connection)
    if events := connection.rows("unsealed", last_event_id, _NO_LIMIT):
        connection.rows("insert_seal", events[-1][0], 0, digest_of(digest, events))


def seal_events(connection: Connection, events: Sequence[Row]) -> None:
    """As `seal`, for the events just inserted; each is given as `unsealed` would return it, without its id."""
    _, digest = _tip(connection)
    last = connection.last_insert_rowid()
    numbered = ((event_id, *event) for event_id, event in enumerate(events, last - len(events) + 1))
    connection.rows("insert_seal", last, 0, digest_of(digest, numbered))


def seal_beginning(connection: Connection, run_no: int) -> None:
    """Add a link over the beginning of a run: who started it, and why; inside the transaction that wrote it."""
    last_event_id, digest = _tip(connection)
    connection.rows("insert_seal", last_event_id, run_no, digest_of(digest, connection.rows("beginnings", run_no)))


def _tip(connection: Connection) -> tuple[int, str]:
    """Return the number of the newest event, and the newest link, which may cover the beginning of a run instead."""
    found = connection.rows("last_seal")
    return (found[0][0], found[0][1]) if found else (0, GENESIS)


def digest_of(before: str, events: Iterable[Row]) -> str:
    """Return the link over rows after the link `before`: events as `unsealed` returns them, or a run's beginning."""
    sha256 = hashlib.sha256(before.encode())
    for event in events:
        sha256.update(repr(event).encode())
    return sha256.hexdigest()


def verify(connection: Connection) -> list[str]:
    """Return everything that is wrong with a ledger, in sentences; an empty list when it is whole."""
    # The content of damaged pages means nothing, and may not even be readable.
    return _wrong_pages(connection) or [
        *_wrong_links(connection),
        *wrong_states(connection.named("states_by_target")),
        *(wrong_siblings(connection.named("lost_siblings")) if has_key(connection) else ()),
    ]


def _wrong_pages(connection: Connection) -> list[str]:
    lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [] if lines == ["ok"] else [f"SQLite finds the file damaged: {line}" for line in lines]


def _wrong_links(connection: Connection) -> Iterator[str]:
    covered, link, unsealed = 0, GENESIS, {row[0]: row for row in connection.rows("beginnings", None)}
    for last_event_id, run_no, digest in connection.named("links"):
        if run_no:
            beginning = unsealed.pop(run_no, ())
            if digest_of(link, [beginning]) != digest:
                yield changed_beginning(run_no)
        elif digest_of(link, connection.rows("unsealed", covered, last_event_id)) != digest:
            yield f"The history of the events {covered + 1} to {last_event_id} was changed after it was written."
        covered, link = int(last_event_id), str(digest)
    yield from map(changed_beginning, unsealed)
    if connection.rows("unsealed", covered, _NO_LIMIT):
        yield f"The history has events after {covered} that no seal covers."


def changed_beginning(run_no: int) -> str:
    """Return the sentence that the record of a run's beginning was changed."""
    return f"The beginning of run number {run_no} (who started it, when, and why) was changed after it was written."


def wrong_states(rows: Iterable[Row]) -> Iterator[str]:
    """Yield targets whose state or attempts are not what their history says, by rows of `states_by_target`."""
    for (target_id, state, attempts), events in groupby(rows, key=lambda row: row[:3]):
        history = [(event, attempt_no) for *_, event, attempt_no in events if event is not None]
        yield from _wrong_state(target_id, str(state), attempts, history)


def wrong_siblings(rows: Iterable[Row]) -> Iterator[str]:
    """Yield targets without the mark of a sibling: they would be sent while the sibling's cancel is open."""
    for (target_id,) in rows:
        yield f"Target {target_id} is marked as the only one of its appointment, but it has a sibling."


def _wrong_state(target_id: int, state: str, attempts: int, history: list[tuple[str, int]]) -> Iterator[str]:
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
