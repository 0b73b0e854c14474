"""The law holds for whoever writes past the program as well."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from bulk_cancel.core.states import TRANSITIONS, State
from support.ledger_files import make, raw

LAWFUL = {(was, becomes) for (was, _), becomes in TRANSITIONS.items() if was is not becomes}


@pytest.mark.parametrize("was", State)
def test_the_trigger_allows_what_the_table_of_transitions_allows(path: Path, was: State) -> None:
    make(path)
    with raw(path) as connection:
        allowed = {becomes for becomes in State if becomes is not was and _can_become(connection, was, becomes)}
    assert allowed == {becomes for state, becomes in LAWFUL if state is was}


def _can_become(connection: apsw.Connection, was: State, becomes: State) -> bool:
    connection.execute("SAVEPOINT attempt")
    try:
        connection.execute("UPDATE targets SET state = ? WHERE state = ?", (becomes.value, was.value))
        assert connection.changes() == 1
        return True
    except apsw.ConstraintError:
        return False
    finally:
        connection.execute("ROLLBACK TO attempt")


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE events SET detail = 'x'", "events are never changed"),
        ("UPDATE events SET event_id = event_id + 1000", "events are never changed"),
        ("DELETE FROM events", "events are never deleted"),
        ("DELETE FROM events WHERE event_id = 1", "events are never deleted"),
        ("DELETE FROM targets WHERE state = 'pending'", "targets are never deleted"),
        ("UPDATE targets SET state = 'nonsense' WHERE state = 'pending'", "the states do not allow this"),
        ("UPDATE targets SET state = '' WHERE state = 'pending'", "the states do not allow this"),
        ("INSERT INTO targets (appointment_id, state) VALUES ('a', 'waiting')", "a target begins as pending"),
        ("INSERT INTO targets (appointment_id, attempts) VALUES ('a', 1)", "a target begins as pending"),
    ],
)
def test_history_cannot_be_rewritten(path: Path, statement: str, refusal: str) -> None:
    make(path)
    with raw(path) as connection, pytest.raises(apsw.ConstraintError, match=refusal):
        connection.execute(statement)
