"""How rows get into a ledger: copied into a temporary table, then compared with the targets, all at once."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from bulk_cancel.core.model import InputRow
from bulk_cancel.ledger.postgres import integrity as chain
from bulk_cancel.ledger.postgres.create import LOCKS
from bulk_cancel.ledger.postgres.session import Session
from bulk_cancel.ledger.records import Row

#: From this number of rows on the temporary table is analysed, so that the database plans well.
_MANY = 1000


def stage(session: Session, run_no: int, rows: Sequence[InputRow], retry_refused: bool) -> None:
    """Stage a chunk in the caller's transaction. Its targets are locked before anything about them is decided."""
    session.run("lock_staging", LOCKS)
    session.run("lock_chain", run_no, 0)
    _copy(session, rows)
    newest = session.run("newest_target").fetchall()[0][0]
    session.run("find_staged")
    session.run("lock_staged")
    session.run("stage_targets", run_no)
    session.run("find_staged")
    session.run("mark_siblings", newest)
    chain.seal(session, run_no, 0, session.stream("stage_restaged", run_no, 0, retry_refused))
    session.run("stage_requests", run_no, newest, retry_refused)
    session.run("stage_rows", run_no)


def _copy(session: Session, rows: Sequence[InputRow]) -> None:
    session.run("create_staging")
    with psycopg.RawCursor(session.connection).copy(session.sql["fill_staging"].encode()) as copy:
        for row in rows:
            copy.write_row(_staged(row))
    if len(rows) >= _MANY:
        session.run("know_staging")


def _staged(row: InputRow) -> Row:
    key = (row.row, row.appointment_id, row.attendee_id or "", row.entire_series)
    return (*key, row.cancel_all, row.reason, row.user_id, row.account or "", row.first_row, row.problems, row.stands)
