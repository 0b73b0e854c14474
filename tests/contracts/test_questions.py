"""What a person asks of a ledger: who named an appointment, and whether the file is sound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import Ledger, Naming
from support.given import AT, entries, invalid, put, row, staged, target, uuid


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


@pytest.mark.parametrize(("status", "sent"), [(None, 1), (429, 2)])
def test_a_cancel_of_which_no_byte_left_is_no_send(ledger: Ledger, status: int | None, sent: int) -> None:
    """Paused right before it left, it is `not_applied` without a status, and sent by the next attempt."""
    run_no = staged(ledger, row(2, 1))
    first, refused, second, done = entries(
        target(ledger, 1), Event.INTENT, Event.NOT_APPLIED, Event.INTENT, Event.CANCELLED
    )
    ledger.append(run_no, [first, replace(refused, http_status=status)])
    assert ledger.send_span(run_no) == ((AT, AT) if status else None)
    ledger.append(run_no, [replace(second, at=AT + 3)])
    ledger.append(run_no, [replace(done, at=AT + 4)])
    assert ledger.send_span(run_no) == (AT if status else AT + 3, AT + 3)
    assert sum(count for _, count in ledger.sends(run_no, AT, 1.0)) == sent
