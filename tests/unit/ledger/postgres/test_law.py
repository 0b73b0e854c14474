"""The law holds for whoever writes past the program as well."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from bulk_cancel.core.states import TRANSITIONS, State
from bulk_cancel.ledger.postgres import PostgresLedger
from support.given import HISTORIES, put, row, staged

LAWFUL = {(was, becomes) for (was, _), becomes in TRANSITIONS.items() if was is not becomes}
Raw = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def raw(emptied_url: str) -> Iterator[Raw]:
    """A superuser in a ledger with a target in every state."""
    ledger = PostgresLedger.open(emptied_url)
    run_no = staged(ledger, *(row(number, number) for number in range(2, 2 + len(HISTORIES))))
    for number, state in enumerate(State, 2):
        put(ledger, run_no, state, number)
    ledger.close()
    with psycopg.connect(emptied_url, autocommit=True, options="-c search_path=bulk_cancel") as connection:
        yield connection


def test_the_trigger_allows_what_the_table_of_transitions_allows(raw: Raw) -> None:
    allowed = {(was, becomes) for was in State for becomes in State if was is not becomes and _can(raw, was, becomes)}
    assert allowed == LAWFUL


def _can(raw: Raw, was: State, becomes: State) -> bool:
    try:
        with raw.transaction(force_rollback=True):
            changed = raw.execute("UPDATE targets SET state = %s WHERE state = %s", (becomes.value, was.value))
            assert changed.rowcount == 1
    except psycopg.IntegrityError:
        return False
    return True


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE events SET detail = 'x'", "events are never changed"),
        ("UPDATE events SET event_id = event_id + 1000", "events are never changed"),
        ("DELETE FROM events", "events are never deleted"),
        ("DELETE FROM events WHERE event_id = (SELECT min(event_id) FROM events)", "events are never deleted"),
        ("TRUNCATE events", "events are never deleted"),
        ("DELETE FROM targets WHERE state = 'pending'", "targets are never deleted"),
        ("TRUNCATE targets", "targets are never deleted"),
        ("UPDATE targets SET state = 'nonsense' WHERE state = 'pending'", "the states do not allow this"),
        ("UPDATE targets SET state = '' WHERE state = 'pending'", "the states do not allow this"),
        ("INSERT INTO targets (appointment_id, state) VALUES ('a', 'waiting')", "a target begins as pending"),
        ("INSERT INTO targets (appointment_id, attempts) VALUES ('a', 1)", "a target begins as pending"),
    ],
)
def test_history_cannot_be_rewritten(raw: Raw, statement: str, refusal: str) -> None:
    with pytest.raises(psycopg.IntegrityError, match=refusal):
        raw.execute(statement.encode())


@pytest.mark.parametrize(
    ("meddle", "found"),
    [
        ("UPDATE events SET detail = 'x' WHERE event = 'skipped'", "was changed after it was written"),
        ("DELETE FROM events WHERE event = 'skipped'", "was changed after it was written"),
        ("INSERT INTO events (target_id, run_no, event, attempt_no, at) VALUES (1, 1, 'x', 0, 0)", "no seal covers"),
        ("UPDATE targets SET state = 'pending' WHERE state = 'cancelled'", "its history says cancelled"),
        ("UPDATE runs SET provenance = 'x' WHERE run_no = 1", "The beginning of run number 1"),
        ("DELETE FROM seals WHERE last_event_id = 0", "The beginning of run number 1"),
        ("UPDATE targets SET attempts = 7 WHERE state = 'cancelled'", "has 7 attempts"),
        ("UPDATE targets SET appointment_id = 'a', has_sibling = target_id > 2, attendee_id = target_id "
         "WHERE state IN ('pending', 'skipped')", "it has a sibling"),
    ],
)  # fmt: skip
def test_verify_finds_what_was_changed_past_the_triggers(raw: Raw, emptied_url: str, meddle: str, found: str) -> None:
    ledger = PostgresLedger.open_to_read(emptied_url)
    assert ledger.verify() == []
    raw.execute("SET session_replication_role = replica")
    raw.execute(meddle.encode())
    assert any(found in sentence for sentence in ledger.verify()), ledger.verify()
    ledger.close()
