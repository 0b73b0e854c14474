"""How rows get into a ledger: a first input without look-ups, every later one compared with the known targets.

Most of the cost of staging ten million targets is their index by a random key: each chunk changes most of its pages. A
ledger without targets needs no look-ups, and an input's targets are distinct. So the first input is staged without the
index, which is made once, at the end, by a sort. Until then nothing was ever sent. A ledger whose first run died in
between gets its index when it is opened for writing.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from bulk_cancel.core.model import InputRow
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.records import Row
from bulk_cancel.ledger.sqlite.connection import Connection


def has_key(connection: Connection) -> bool:
    """Return whether the targets have their key index; without it, none of them was ever sent."""
    return bool(connection.value("has_key"))


def complete(connection: Connection) -> None:
    """Make the key index if there are targets; without targets, the next input is the first."""
    if connection.value("newest_target"):
        make_key(connection)


def make_key(connection: Connection) -> None:
    """Make the key index if it is missing, in the caller's transaction."""
    if has_key(connection):
        return
    try:
        connection.rows("make_key")
    except apsw.ConstraintError as error:
        raise LedgerError(
            "The first input of the ledger names a target twice as if it were new.",
            advice="This is a bug of bulk-cancel; please report it. Nothing was ever sent from this ledger: delete it.",
        ) from error
    connection.rows("mark_all_siblings")


def is_first(connection: Connection, run_no: int, rows: Sequence[InputRow]) -> bool:
    """Return whether all targets were staged by this run, and its rows begin below a header."""
    below = not rows or rows[0].row > 1
    return below and not has_key(connection) and connection.value("first_asked_by") in (None, run_no)


def stage_first(connection: Connection, run_no: int, rows: Sequence[InputRow]) -> None:
    """Stage a chunk of the first input. A target's id is the number of its first row minus 1, so ids begin with 1."""
    connection.many("first_targets", [_first_target(row, run_no) for row in rows if row.first_row == row.row])
    connection.many("first_rows", [(run_no, row.row, row.first_row, row.problems) for row in rows])


def stage_more(connection: Connection, how: tuple[int, float, bool], rows: Sequence[InputRow]) -> None:
    """Stage a chunk among known targets; `how`: the run's number, the time, and whether to retry refusals."""
    run_no, at, retry_refused = how
    connection.rows("create_staging")
    connection.many("fill_staging", (_staged(row) for row in rows))
    newest = connection.value("newest_target")
    connection.rows("find_staged")
    connection.rows("stage_targets", run_no)
    connection.rows("find_staged")
    connection.rows("mark_siblings", newest)
    connection.rows("stage_restaged", run_no, at, retry_refused)
    connection.rows("stage_requests", run_no, newest, retry_refused)
    connection.rows("stage_rows", run_no)
    connection.rows("drop_staging")


def _first_target(row: InputRow, run_no: int) -> Row:
    key = (row.row, row.appointment_id, row.attendee_id, row.entire_series)
    return (*key, row.reason, row.cancel_all, row.user_id, run_no, row.account)


def _staged(row: InputRow) -> Row:
    key = (row.row, row.appointment_id, row.attendee_id, row.entire_series)
    return (*key, row.cancel_all, row.reason, row.user_id, row.account, row.first_row, row.problems, row.stands)
