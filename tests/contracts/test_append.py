"""Appending: the law holds, guards hold, and a batch is written whole or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.model import Appointment, Entry, Work
from bulk_cancel.core.states import TRANSITIONS, Event, IllegalTransitionError, State
from bulk_cancel.ledger.port import GuardError, Ledger, PaceUpdate
from support.given import AT, HISTORIES, entries, entry, invalid, put, row, staged, target

PACE = PaceUpdate("fingerprint", PaceRecord(AT, 1000.0, "this boot"))


def snapshot(ledger: Ledger, run_no: int) -> object:
    return list(ledger.all_events()), ledger.rows(run_no, 0, 100), ledger.load_pace(PACE.credential)


@pytest.mark.parametrize("state", State)
def test_an_event_does_what_the_law_says_or_nothing(ledger: Ledger, state: State) -> None:
    run_no = staged(ledger, *(row(number, number) for number in range(2, 3 + len(Event))))
    for number, event in enumerate(Event, 2):
        if becomes := TRANSITIONS.get((state, event)):
            work = put(ledger, run_no, state, number)
            ledger.append(run_no, [entry(work, event)])
            assert target(ledger, number).state is becomes
            assert [line.event for line in ledger.history(work.target_id)] == [*HISTORIES[state], event]
    refuses_all_else(ledger, run_no, put(ledger, run_no, state, 2 + len(Event)))


def refuses_all_else(ledger: Ledger, run_no: int, work: Work) -> None:
    before = snapshot(ledger, run_no)
    for event in Event:
        if (work.state, event) not in TRANSITIONS:
            with pytest.raises(IllegalTransitionError):
                ledger.append(run_no, [entry(work, event)])
            assert snapshot(ledger, run_no) == before


@pytest.mark.parametrize(
    "wrong",
    [
        Entry(1, Event.INTENT, State.WAITING, 1, AT),
        Entry(1, Event.INTENT, State.PENDING, 2, AT),
        Entry(1, Event.INTENT, State.PENDING, 0, AT),
        Entry(1, Event.CANCELLED, State.SENDING, 1, AT),
        Entry(1, Event.SKIPPED, State.PENDING, 1, AT),
        Entry(99, Event.INTENT, State.PENDING, 1, AT),
    ],
    ids=["another state", "an attempt ahead", "an attempt behind", "no intent", "outcome of no attempt", "no target"],
)
def test_an_entry_that_believes_something_else_writes_nothing(ledger: Ledger, wrong: Entry) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 2))
    before = snapshot(ledger, run_no)
    good = entry(target(ledger, 2), Event.INTENT)
    for batch in ([good, wrong], [wrong, good]):
        with pytest.raises(GuardError):
            ledger.append(run_no, batch, PACE)
        assert snapshot(ledger, run_no) == before


def test_an_unlawful_entry_takes_its_whole_batch_along(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 2))
    before = snapshot(ledger, run_no)
    with pytest.raises(IllegalTransitionError):
        ledger.append(run_no, [entry(target(ledger, 1), Event.INTENT), entry(target(ledger, 2), Event.CANCELLED)], PACE)
    assert snapshot(ledger, run_no) == before


def test_the_same_intent_cannot_be_written_twice(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1))
    intent = entry(target(ledger, 1), Event.INTENT)
    ledger.append(run_no, [intent])
    with pytest.raises(GuardError):
        ledger.append(run_no, [intent])
    with pytest.raises(GuardError):
        ledger.append(run_no, [Entry(intent.target_id, Event.INTENT, State.PENDING, 2, AT)])
    assert target(ledger, 1).attempts == 1


def test_a_batch_may_carry_several_events_of_one_target(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1))
    events = (Event.INTENT, Event.NOT_APPLIED, Event.INTENT, Event.NO_PROOF)
    ledger.append(run_no, entries(target(ledger, 1), *events))
    assert target(ledger, 1).state is State.UNKNOWN
    assert [(line.event, line.attempt_no) for line in ledger.history(1)] == list(zip(events, (1, 1, 2, 2), strict=True))


def test_after_a_refused_batch_the_ledger_goes_on(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1))
    with pytest.raises(GuardError):
        ledger.append(run_no, [Entry(99, Event.INTENT, State.PENDING, 1, AT)])
    ledger.append(run_no, [entry(target(ledger, 1), Event.INTENT)])
    assert ledger.verify() == []


def test_an_outcome_carries_what_was_learnt(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1))
    intent, outcome = entries(target(ledger, 1), Event.INTENT, Event.CANCELLED)
    seen = Appointment(row(2, 1).appointment_id or "", True, start="2027-01-01T10:00:00Z", warnings=("refund", "mail"))
    told = Entry(outcome.target_id, outcome.event, outcome.was, 1, AT + 1, 200, "done", seen)
    ledger.append(run_no, [intent])
    ledger.append(run_no, [told])
    (record,) = ledger.rows(run_no, 0, 10)
    assert (record.state, record.http_status, record.detail) == (State.CANCELLED, 200, "done")
    assert (record.attempts, record.settled_at, record.warnings) == (1, AT + 1, "refund,mail")


def test_the_reason_that_was_mailed_stays_whatever_a_later_input_asks_with(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1, reason="first"), row(3, 2, reason="first"))
    for number in (1, 2):
        intent, outcome = entries(target(ledger, number), Event.INTENT, Event.NO_PROOF)
        ledger.append(run_no, [replace(intent, detail="first"), outcome])
    later = staged(ledger, row(2, 1, reason="second"), run_id="run-2")
    ledger.append(later, [entry(target(ledger, 1), Event.SEEN_CANCELLED)])
    cancelled, unknown = ledger.rows(run_no, 0, 10)
    assert (cancelled.reason, cancelled.mailed_reason) == ("second", "first")
    assert (unknown.state, unknown.mailed_reason) == (State.UNKNOWN, "")
    asked = [row(2, 1), row(3, 2), row(4, 3), invalid(5)]
    assert ledger.mailed_of(asked) == ["first", None, None, None]


def test_unsent_targets_belong_to_the_run_that_asked_last(ledger: Ledger) -> None:
    first = staged(ledger, row(2, 1), row(3, 2), row(4, 3))
    put(ledger, first, State.CANCELLED, 1)
    second = staged(ledger, row(2, 2), run_id="run-2")
    assert ledger.left_by_run() == {first: 1, second: 1}


@pytest.mark.parametrize("state", State)
def test_only_final_states_have_a_time_of_settling(ledger: Ledger, state: State) -> None:
    run_no = staged(ledger, row(2, 1))
    put(ledger, run_no, state, 1)
    final = state not in (State.PENDING, State.SENDING, State.WAITING, State.UNKNOWN)
    assert (ledger.rows(run_no, 0, 10)[0].settled_at is not None) is final


def test_an_empty_batch_may_carry_the_pace(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1))
    ledger.append(run_no, [], PACE)
    assert ledger.load_pace(PACE.credential) == PACE.record
    assert list(ledger.all_events()) == []
