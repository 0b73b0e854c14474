"""Recovery, and what has no trustworthy outcome."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Appointment, Entry, Work
from bulk_cancel.core.states import OPEN, Event, State
from bulk_cancel.ledger.port import Ledger, RunStart
from support.given import AT, BASE, begin, entries, put, row, staged, target, uuid


@pytest.mark.parametrize("state", State)
def test_recovery_makes_every_sending_unknown_and_touches_nothing_else(ledger: Ledger, state: State) -> None:
    work = put(ledger, staged(ledger, row(2, 1)), state, 1)
    before = ledger.history(work.target_id)
    recovered = ledger.recover(begin(ledger, "run-2"), AT + 1)
    assert recovered == (state is State.SENDING)
    assert target(ledger, 1).state is (State.UNKNOWN if state is State.SENDING else state)
    assert target(ledger, 1).attempts == work.attempts
    added = ledger.history(work.target_id)[len(before) :]
    assert [(line.event, line.at, line.run_id) for line in added] == [(Event.RECOVERED, AT + 1, "run-2")] * recovered
    assert ledger.verify() == []


def test_recovering_twice_finds_nothing_more(ledger: Ledger) -> None:
    run_no = staged(ledger, *(row(number, number) for number in range(2, 7)))
    for number in (2, 4, 6):
        put(ledger, run_no, State.SENDING, number)
    assert (ledger.recover(run_no, AT), ledger.recover(run_no, AT)) == (3, 0)


@pytest.mark.parametrize("state", State)
def test_only_open_targets_count_as_unknown(ledger: Ledger, state: State) -> None:
    put(ledger, staged(ledger, row(2, 1)), state, 1)
    assert ledger.unknown_count() == (state in OPEN)
    assert len(ledger.unknown(0, 10)) == (state is State.UNKNOWN)


def test_unknown_targets_of_all_runs_come_in_chunks(ledger: Ledger) -> None:
    for run_id, numbers in (("run-1", range(2, 6)), ("run-2", range(6, 9))):
        run_no = staged(ledger, *(row(number, number) for number in numbers), run_id=run_id)
        for number in numbers:
            put(ledger, run_no, State.UNKNOWN, number)
    seen, after = [], 0
    while chunk := ledger.unknown(after, 3):
        seen += [item.work.target.appointment_id for item in chunk]
        after = chunk[-1].work.target_id
    assert seen == [uuid(number) for number in range(2, 9)]


def test_an_unknown_target_tells_the_age_of_its_last_intent_and_of_which_run(ledger: Ledger) -> None:
    first = staged(ledger, row(2, 1))
    ledger.append(first, entries(target(ledger, 1), Event.INTENT, Event.NOT_APPLIED))
    later = TimeBase("another boot", 77.0)
    second = ledger.begin_run(RunStart("run-2", AT + 500, later))
    seen = Appointment(uuid(1), False, start="2027-01-01T10:00:00Z")
    ledger.append(second, [Entry(1, Event.INTENT, State.WAITING, 2, AT + 501)])
    ledger.append(second, [Entry(1, Event.NO_PROOF, State.SENDING, 2, AT + 530, None, "no answer", seen)])
    (unknown,) = ledger.unknown(0, 10)
    assert (unknown.intent_at, unknown.start) == (AT + 501, "2027-01-01T10:00:00Z")
    assert unknown.base in (later, None)
    assert unknown.last_at == AT + 530, "so long its cancel may have been on the way"
    assert unknown.work == target(ledger, 1)


def test_recovery_does_not_make_an_intent_younger(ledger: Ledger) -> None:
    put(ledger, staged(ledger, row(2, 1)), State.SENDING, 1)
    ledger.recover(ledger.begin_run(RunStart("run-2", AT + 500, TimeBase(None, 1.0))), AT + 501)
    (unknown,) = ledger.unknown(0, 10)
    assert (unknown.intent_at, unknown.last_at) == (AT, AT)
    assert unknown.base in (BASE, None)


def work_of(ledger: Ledger, run_no: int) -> Work:
    ((_, work),) = ledger.work(run_no, 0, series=False, limit=10)
    return work


@pytest.mark.parametrize(
    "refusal",
    [(Event.INTENT, Event.REJECTED), (Event.INTENT, Event.NOT_FOUND), (Event.SEEN_REFUSED,), (Event.SEEN_MISSING,)],
)
def test_a_target_that_was_refused_once_is_read_before_it_is_sent(ledger: Ledger, refusal: tuple[Event, ...]) -> None:
    first = staged(ledger, row(2, 1), row(3, 2))
    assert not any(work.must_be_read for _, work in ledger.work(first, 0, series=False, limit=10))
    ledger.append(first, entries(target(ledger, 1), *refusal))
    second = staged(ledger, row(2, 1, reason="another"), run_id="run-2")
    assert work_of(ledger, second).must_be_read


def test_when_a_cancel_was_refused_is_known_with_the_clock_that_tells_its_age(ledger: Ledger) -> None:
    first = staged(ledger, row(2, 1), row(3, 2))
    ledger.append(first, entries(target(ledger, 1), Event.INTENT, Event.REJECTED))
    ledger.append(first, entries(target(ledger, 2), Event.SEEN_REFUSED))
    second = staged(ledger, row(2, 1, reason="another"), row(3, 2, reason="another"), run_id="run-2")
    (_, refused), (_, seen) = ledger.work(second, 0, series=False, limit=10)
    assert refused.refused is not None
    assert (refused.refused.at, refused.refused.base) in ((AT, BASE), (pytest.approx(AT, abs=1e9), None))
    assert seen.refused is None, "no cancel of it was sent"


def test_a_target_that_a_person_calls_not_cancelled_is_read_before_it_is_sent(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1))
    ledger.append(run_no, entries(target(ledger, 1), Event.INTENT, Event.NO_PROOF, Event.RESOLVED_NOT_CANCELLED))
    assert work_of(ledger, run_no).must_be_read


def test_that_an_attendee_was_seen_in_it_is_known_afterwards(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1, attendee_id=uuid(50)))
    assert not work_of(ledger, run_no).attended
    ledger.append(run_no, entries(target(ledger, 1, 50), Event.SEEN_ACTIVE))
    assert work_of(ledger, run_no).attended
    ledger.append(run_no, entries(target(ledger, 1, 50), Event.INTENT, Event.NO_PROOF))
    (unknown,) = ledger.unknown(0, 10)
    assert unknown.work.attended
    assert ledger.verify() == []


def test_an_undecided_target_stays_undecided_until_it_is_sent_again(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1))
    ledger.append(run_no, entries(target(ledger, 1), Event.INTENT, Event.NO_PROOF))
    (before,) = ledger.unknown(0, 10)
    (told,) = entries(target(ledger, 1), Event.UNDECIDED)
    ledger.append(run_no, [replace(told, at=AT + 900)])
    (after,) = ledger.unknown(0, 10)
    assert (before.undecided, after.undecided, after.last_at) == (False, True, before.last_at)
    again = (Event.RESOLVED_NOT_CANCELLED, Event.INTENT, Event.NO_PROOF)
    ledger.append(run_no, entries(target(ledger, 1), *again))
    (once_more,) = ledger.unknown(0, 10)
    assert not once_more.undecided


def test_a_series_waits_for_an_open_one_until_a_person_has_to_settle_that(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1, entire_series=True), row(3, 2, entire_series=True))
    ledger.append(run_no, entries(target(ledger, 1, series=True), Event.INTENT, Event.NO_PROOF))
    assert ledger.work(run_no, 0, series=True, limit=10) == []
    ledger.append(run_no, entries(target(ledger, 1, series=True), Event.UNDECIDED))
    ((_, other),) = ledger.work(run_no, 0, series=True, limit=10)
    assert other.target.appointment_id == uuid(2)
    assert other.must_be_read


def test_an_unknown_target_tells_the_settle_time_of_the_run_that_sent_it(ledger: Ledger) -> None:
    first = ledger.begin_run(RunStart("run-1", AT, BASE, settle_s=7200.0))
    ledger.stage(first, [row(2, 1)], AT)
    ledger.start_run(first)
    put(ledger, first, State.UNKNOWN, 1)
    second = ledger.begin_run(RunStart("run-2", AT + 500, BASE, settle_s=60.0))
    ledger.stage(second, [row(2, 1)], AT + 500)
    (item,) = ledger.unknown(0, 10)
    assert item.settle_s == 7200.0


def test_a_row_waits_for_an_open_cancel_of_its_appointment_until_a_person_has_to_settle_that(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1, entire_series=True), row(3, 1))
    ledger.append(run_no, entries(target(ledger, 1, series=True), Event.INTENT, Event.NO_PROOF))
    assert ledger.work(run_no, 0, series=False, limit=10) == []
    assert ledger.listed_work(run_no, [uuid(1)]) == []
    ledger.append(run_no, entries(target(ledger, 1, series=True), Event.UNDECIDED))
    assert work_of(ledger, run_no).must_be_read


def test_targets_that_were_sent_and_provably_not_cancelled_are_counted(ledger: Ledger) -> None:
    run_no = staged(ledger, *(row(number, number) for number in range(2, 5)))
    assert ledger.waiting_count() == 0
    ledger.append(run_no, entries(target(ledger, 2), Event.INTENT, Event.NO_PROOF, Event.SEEN_ACTIVE))
    assert ledger.waiting_count() == 1
