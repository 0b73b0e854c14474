"""A ledger of schema 1, with all that was ever in it, is brought up to date and goes on."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from bulk_cancel.core.states import SENDABLE, State
from bulk_cancel.ledger import integrity, making
from bulk_cancel.ledger.sqlite import SqliteLedger
from bulk_cancel.ledger.statements import schema, statements
from support.given import AT, HISTORIES, begin, row, staged, target, uuid

STATES = tuple(State)
_EVENT = "INSERT INTO events (target_id, run_no, event, attempt_no, at) VALUES (?, 1, ?, ?, ?)"


@pytest.fixture
def old(path: Path) -> Path:
    """A ledger of schema 1 with a target in every state, and one that has a sibling."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "WAL")
    connection.execute(schema(1))
    connection.pragma("application_id", making.APPLICATION_ID)
    connection.pragma("user_version", 1)
    connection.execute(
        "INSERT INTO runs (run_id, status, started_at, mono_offset, input_digest) VALUES ('run-1', 'ended', ?, 0, 'd')",
        (AT,),
    )
    for number, state in enumerate(STATES, 1):
        _add(connection, number, uuid(number), "", state)
    _add(connection, len(STATES) + 1, uuid(1), uuid(50), State.PENDING)
    integrity.seal(connection, statements())
    connection.close()
    return path


def _add(connection: apsw.Connection, number: int, appointment: str, attendee: str, state: State) -> None:
    connection.execute(
        "INSERT INTO targets (target_id, appointment_id, attendee_id, reason) VALUES (?, ?, ?, 'closed')",
        (number, appointment, attendee),
    )
    connection.execute("INSERT INTO input_rows VALUES (1, ?, ?, ?, NULL)", (number + 1, number + 1, number))
    attempts = sum(event == "intent" for event in HISTORIES[state])
    for event in HISTORIES[state]:
        connection.execute(_EVENT, (number, event.value, min(1, attempts), AT))
    for step in _steps(state):
        connection.execute(
            "UPDATE targets SET state = ?, attempts = ?, intent_at = ?, intent_run_no = 1 WHERE target_id = ?",
            (step.value, attempts, AT, number),
        )


def _steps(state: State) -> list[State]:
    if state in (State.PENDING, State.SENDING, State.SKIPPED, State.ALREADY_CANCELLED):
        return [] if state is State.PENDING else [state]
    return [State.SENDING, *([State.WAITING] if state is State.FAILED else []), state]


def test_nothing_of_it_is_lost(old: Path) -> None:
    before = _everything(old)
    SqliteLedger.open(old).close()
    assert _everything(old) == before
    assert old.with_name(f"{old.name}.schema-1.bak").exists()


def _everything(path: Path) -> list[object]:
    connection = apsw.Connection(str(path))
    columns = [str(row[1]) for row in connection.execute("PRAGMA table_info(targets)")]
    kept = ", ".join(sorted({*columns} - {"asked_by", "asked_row", "has_sibling", "account"}))
    queries = (f"SELECT {kept} FROM targets ORDER BY target_id", "SELECT * FROM events", "SELECT * FROM input_rows")
    found = [connection.execute(query).fetchall() for query in queries]
    connection.close()
    return found


def test_it_is_whole_and_has_its_key(old: Path) -> None:
    ledger = SqliteLedger.open(old)
    assert ledger.verify() == []
    rows = [row(number + 1, number) for number in range(1, len(STATES) + 1)]
    expected = [State.PENDING if state in (State.FAILED, State.SKIPPED) else state for state in STATES]
    assert ledger.states_of(rows) == expected
    assert [record.state for record in ledger.rows(1, 0, 100)] == [*STATES, State.PENDING]
    ledger.close()


def test_its_rows_are_never_shared(old: Path) -> None:
    """Nobody knows which options made them."""
    ledger = SqliteLedger.open(old)
    known = ledger.last_staged()
    assert known is not None
    assert known.options_digest == ""
    ledger.close()


def test_a_new_run_over_it_sends_what_is_left(old: Path) -> None:
    ledger = SqliteLedger.open(old)
    run_no = staged(ledger, *(row(number + 1, number) for number in range(1, len(STATES) + 1)), run_id="run-2")
    expected = [n for n, state in enumerate(STATES, 2) if state in {*SENDABLE, State.FAILED, State.SKIPPED}]
    assert [number for number, _ in ledger.work(run_no, 0, series=False, limit=100)] == expected
    ledger.close()


def test_siblings_are_known_of_each_other(old: Path) -> None:
    ledger = SqliteLedger.open(old)
    run_no = staged(ledger, row(2, 1, attendee_id=uuid(50)), run_id="run-2")
    work = [work for _, work in ledger.work(run_no, 0, series=False, limit=9)]
    assert [item.look_first for item in work] == [False]
    ledger.append(run_no, [])
    assert begin(ledger, "run-3") == 3
    assert target(ledger, 1, 50).target.attendee_id == uuid(50)
    ledger.close()


def test_the_key_is_made_in_the_same_transaction(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(making, "complete", _dies)
        with pytest.raises(KeyboardInterrupt):
            SqliteLedger.open(old)
    connection = apsw.Connection(str(old))
    assert connection.pragma("user_version") == 1
    connection.close()


def _dies(*_: object) -> None:
    raise KeyboardInterrupt
