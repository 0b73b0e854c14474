"""What a person asks of a ledger: who named an appointment, and whether the file is sound."""

from __future__ import annotations

from bulk_cancel.core.states import State
from bulk_cancel.ledger.port import Ledger, Naming
from support.given import invalid, put, row, staged, target, uuid


def test_all_rows_of_all_runs_that_name_an_appointment(ledger: Ledger) -> None:
    first = staged(ledger, row(2, 1), row(3, 7), row(4, 1, first_row=2), invalid(5))
    second = staged(ledger, row(2, 7), row(3, 1, attendee_id=uuid(9)), run_id="run-2")
    whole, one = target(ledger, 1).target_id, target(ledger, 1, 9).target_id
    named = [
        Naming(first, "run-1", 2, whole),
        Naming(first, "run-1", 4, whole),
        Naming(second, "run-2", 3, one),
    ]
    assert ledger.namings(uuid(1), 10) == named
    assert ledger.namings(uuid(1), 1) == named[:1]
    assert ledger.namings(uuid(2), 10) == []


def test_a_new_ledger_is_sound(ledger: Ledger) -> None:
    health = ledger.health(pages=True)
    assert health.schema >= 1
    assert health.fault == ""
    assert ledger.health(pages=False).journal == health.journal


def test_the_newest_event_moves_with_the_history(ledger: Ledger) -> None:
    assert ledger.newest_event() == (0, "0" * 64)
    run_no = staged(ledger, row(2, 1), row(3, 2))
    put(ledger, run_no, State.CANCELLED, 1)
    number, digest = ledger.newest_event()
    assert number == sum(1 for _ in ledger.all_events())
    assert len(digest) == 64
    put(ledger, run_no, State.CANCELLED, 2)
    assert ledger.newest_event()[0] > number
    assert ledger.newest_event()[1] != digest
