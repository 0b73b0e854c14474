"""The chains of digests over the history, one for each run and chunk, and the full check of a ledger against itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from bulk_cancel.core.text import counted
from bulk_cancel.ledger.high_water import GENESIS
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.sqlite.integrity import changed_beginning, digest_of, wrong_siblings, wrong_states


def seal(session: Session, run_no: int, chunk_no: int, events: Iterable[Row]) -> int:
    """Add a link over events just written, each beginning with its id; return their number.

    The caller has held the chain's lock since before the ids were chosen.
    """
    before, last = link(session.run("last_seal", run_no, chunk_no).fetchall()), Last(events)
    digest = digest_of(before, last)
    if last.count:
        session.run("insert_seal", run_no, chunk_no, last.event_id, digest)
    return last.count


def seal_beginning(session: Session, run_no: int) -> None:
    """Begin the chain of a run with a link over the record of its beginning, in the transaction that wrote it."""
    session.run("insert_seal", run_no, 0, 0, digest_of(GENESIS, session.rows("beginnings", run_no)))


def link(found: list[Row]) -> str:
    """Return the newest link of a chain, given what `last_seal` found."""
    return str(found[0][1]) if found else GENESIS


class Last:
    """Passes events on, and keeps their number and the last one's id."""

    def __init__(self, events: Iterable[Row]) -> None:
        self._events = events
        self.count, self.event_id = 0, 0

    def __iter__(self) -> Iterator[Row]:
        for event in self._events:
            self.count, self.event_id = self.count + 1, event[0]
            yield event


def verify(session: Session) -> list[str]:
    """Return everything that is wrong with a ledger, in sentences; an empty list when it is whole."""
    with session.transaction():
        session.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        states, siblings = session.pages("states_by_target"), session.pages("lost_siblings")
        return [*_wrong_links(session), *wrong_states(states), *wrong_siblings(siblings)]


def _wrong_links(session: Session) -> Iterator[str]:
    before, chain, unsealed = GENESIS, None, {row[0]: row for row in session.rows("beginnings", None)}
    for seal_of, rows in groupby(session.pages("sealed_events"), key=lambda row: row[:4]):
        events = [row[4:] for row in rows if row[4] is not None]
        *of_chain, last_event_id, digest = seal_of
        if digest is None:
            yield f"The history has {counted(len(events), 'event')} from {events[0][0]} on that no seal covers."
            continue
        before = before if of_chain == chain else GENESIS
        if not last_event_id:
            if digest_of(before, [unsealed.pop(of_chain[0], ())]) != digest:
                yield changed_beginning(of_chain[0])
        elif digest_of(before, events) != digest:
            yield f"The history up to the event {last_event_id} of run {of_chain[0]} was changed after it was written."
        before, chain = digest, of_chain
    yield from map(changed_beginning, unsealed)
