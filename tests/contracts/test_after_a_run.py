"""What a page about a run asks of the ledger: who is concerned, and when was sent how much."""

from __future__ import annotations

from collections import Counter

from bulk_cancel.core.model import Appointment, Entry
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import Concern, Ledger, RunStart
from support.given import AT, BASE, begin, entry, invalid, move, put, row, staged, target, uuid

#: The states that concern a person, by the concern.
OF_STATES = {
    Concern.UNKNOWN: {State.UNKNOWN, State.SENDING},
    Concern.FAILED: {State.FAILED},
    Concern.REJECTED: {State.REJECTED},
    Concern.NOT_FOUND: {State.NOT_FOUND},
    Concern.INVALID: {None},
}


def one_of_each(ledger: Ledger) -> int:
    firsts = [row(number, number) for number in range(2, 2 + len(State))]
    repeats = [first._replace(row=first.row + 100) for first in firsts]
    run_no = staged(ledger, *firsts, *repeats, invalid(300))
    for number, state in enumerate(State, 2):
        put(ledger, run_no, state, number)
    return run_no


def cancelled_with(ledger: Ledger, run_no: int, number: int, **seen: object) -> None:
    move(ledger, run_no, target(ledger, number), Event.INTENT)
    work = target(ledger, number)
    appointment = Appointment(uuid(number), is_cancelled=True, **seen)  # type: ignore[arg-type]
    done = Entry(work.target_id, Event.CANCELLED, work.state, work.attempts, AT, appointment=appointment)
    ledger.append(run_no, [done])


def test_concerns_count_the_rows_that_are_found(ledger: Ledger) -> None:
    run_no = one_of_each(ledger)
    states = Counter(record.state for record in ledger.rows(run_no, 0, 1000))
    counts = ledger.concerns(run_no)
    assert set(counts) == set(Concern)
    for concern in Concern:
        found = ledger.concerning_rows(run_no, concern, 1000)
        wanted = OF_STATES.get(concern, set())
        assert counts[concern] == len(found) == sum(states[state] for state in wanted), concern
        assert {record.state for record in found} <= wanted
        assert found == [record for record in ledger.rows(run_no, 0, 1000) if record in found]
        assert ledger.concerning_rows(run_no, concern, 1) == found[:1]


def test_payments_and_warnings_are_told_once_per_target(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 2), row(4, 3), row(5, 1, first_row=2))
    cancelled_with(ledger, run_no, 1, paid=True)
    cancelled_with(ledger, run_no, 2, warnings=("REFUND_FAILED",))
    cancelled_with(ledger, run_no, 3)
    counts = ledger.concerns(run_no)
    assert (counts[Concern.PAID], counts[Concern.WARNED]) == (1, 1)
    assert [one.row for one in ledger.concerning_rows(run_no, Concern.PAID, 9)] == [2]
    assert [one.row for one in ledger.concerning_rows(run_no, Concern.WARNED, 9)] == [3]


def test_outcomes_that_no_read_can_settle_are_counted_apart(ledger: Ledger) -> None:
    run_no = staged(ledger, *(row(number, number) for number in range(2, 6)))
    for number in range(2, 5):
        put(ledger, run_no, State.UNKNOWN, number)
    move(ledger, run_no, target(ledger, 3), Event.UNDECIDED)
    move(ledger, run_no, target(ledger, 4), Event.UNVERIFIED)
    assert (ledger.concerns(run_no)[Concern.UNKNOWN], ledger.concerns(run_no)[Concern.UNDECIDED]) == (1, 2)
    assert [one.row for one in ledger.concerning_rows(run_no, Concern.UNDECIDED, 9)] == [3, 4]
    assert [item.unverified for item in ledger.unknown(0, 9)] == [False, False, True]
    move(ledger, run_no, target(ledger, 3), Event.RESOLVED_NOT_CANCELLED, Event.INTENT, Event.NO_PROOF)
    assert ledger.concerns(run_no)[Concern.UNDECIDED] == 1, "what was sent again may be settled by reads again"


def test_a_row_that_changed_since_its_approval_concerns_a_person_until_it_is_staged_again(ledger: Ledger) -> None:
    first = staged(ledger, row(2, 1), row(3, 2))
    move(ledger, first, target(ledger, 1), Event.CHANGED)
    put(ledger, first, State.SKIPPED, 2)
    assert [one.row for one in ledger.concerning_rows(first, Concern.CHANGED, 9)] == [2]
    second = staged(ledger, row(2, 1), run_id="run-2")
    assert ledger.concerns(second)[Concern.CHANGED] == 0
    move(ledger, second, target(ledger, 1), Event.SKIPPED)
    assert ledger.concerns(second)[Concern.CHANGED] == 0


def test_a_warning_is_told_by_the_run_it_came_in_unless_that_died_or_has_no_rows(ledger: Ledger) -> None:
    first = ledger.begin_run(RunStart("run-1", AT, BASE, "a.csv", "digest"))
    ledger.stage(first, [row(2, 1), row(3, 2)], AT)
    ledger.start_run(first)
    cancelled_with(ledger, first, 1, warnings=("CALENDAR",))
    second = staged(ledger, row(2, 1), row(3, 2), run_id="run-2")
    assert ledger.concerns(second)[Concern.WARNED] == 1, "the first one has not come to its end"
    ledger.end_run(first, AT, "{}")
    assert (ledger.concerns(first)[Concern.WARNED], ledger.concerns(second)[Concern.WARNED]) == (1, 0)
    without_rows = begin(ledger, "reconcile")
    cancelled_with(ledger, without_rows, 2, warnings=("CALENDAR",))
    ledger.end_run(without_rows, AT, "{}")
    assert ledger.concerns(second)[Concern.WARNED] == 1


def test_a_run_without_rows_concerns_nobody(ledger: Ledger) -> None:
    run_no = staged(ledger)
    assert set(ledger.concerns(run_no).values()) == {0}
    assert (ledger.send_span(run_no), ledger.sends(run_no, AT, 1.0)) == (None, [])


def test_sends_are_counted_per_interval_and_run(ledger: Ledger) -> None:
    run_no = staged(ledger, *(row(number, number) for number in range(2, 7)))
    for number, after_s in ((2, 0.0), (3, 9.9), (4, 10.0), (5, 34.0)):
        ledger.append(run_no, [entry(target(ledger, number), Event.INTENT, AT + after_s)])
    assert ledger.send_span(run_no) == (AT, AT + 34.0)
    assert ledger.sends(run_no, AT, 10.0) == [(0, 2), (1, 1), (3, 1)]
    other = staged(ledger, *(row(number, number) for number in range(2, 7)), run_id="run-2")
    assert ledger.send_span(other) is None
    ledger.append(other, [entry(target(ledger, 6), Event.INTENT, AT + 99)])
    assert ledger.sends(other, AT, 10.0) == [(9, 1)]
    assert ledger.sends(run_no, AT, 100.0) == [(0, 4)]
