"""Staging: a target is made once; what was refused, given up or skipped is taken up again by stated rules."""

from __future__ import annotations

import pytest

from bulk_cancel.core.model import InputRow, Request
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import Ledger
from support.given import AT, begin, invalid, put, row, staged, target, uuid

SAME = row(2, 1)
#: The same target, asked for differently.
AMENDED = {
    "reason": row(2, 1, reason="moved"),
    "no reason": row(2, 1, reason=None),
    "cancel_all": row(2, 1, cancel_all=True),
    "user": row(2, 1, user_id=uuid(900)),
}
ALWAYS_REOPENED = (State.FAILED, State.SKIPPED)
REOPENED_WHEN_AMENDED = (State.REJECTED, State.NOT_FOUND)
NEVER_TOUCHED = (State.CANCELLED, State.ALREADY_CANCELLED)


def request_of(asked: InputRow) -> Request:
    return Request(asked.reason, asked.cancel_all, asked.user_id)


def restage(ledger: Ledger, state: State, asked: InputRow) -> None:
    put(ledger, staged(ledger, SAME), state, 1)
    staged(ledger, asked, run_id="run-2")


def events(ledger: Ledger) -> list[str]:
    return [line.event for line in ledger.history(target(ledger, 1).target_id)]


def test_a_new_target_is_pending_with_its_request(ledger: Ledger) -> None:
    asked = row(2, 1, attendee_id=uuid(50), cancel_all=True, reason=None, user_id=uuid(900))
    staged(ledger, asked)
    work = target(ledger, 1, 50)
    assert (work.state, work.attempts, work.request) == (State.PENDING, 0, request_of(asked))
    assert ledger.history(work.target_id) == []


def test_whole_attendee_and_series_are_different_targets(ledger: Ledger) -> None:
    rows = [row(2, 1), row(3, 1, attendee_id=uuid(50)), row(4, 1, attendee_id=uuid(51)), row(5, 1, entire_series=True)]
    run_no = staged(ledger, *rows)
    assert len(ledger.find_targets(uuid(1))) == ledger.target_count(run_no) == 4


@pytest.mark.parametrize("chunks", [[(0, 4)], [(0, 2), (2, 4)]], ids=["one chunk", "two chunks"])
def test_a_target_named_twice_is_made_once_as_its_first_row_asks(ledger: Ledger, chunks: list[tuple[int, int]]) -> None:
    rows = [invalid(2), row(3, 1), row(4, 1, first_row=3, reason="another"), row(5, 2)]
    run_no = begin(ledger)
    for start, end in chunks:
        ledger.stage(run_no, rows[start:end], AT)
    ledger.start_run(run_no)
    assert target(ledger, 1).request.reason == "closed"
    assert [(r.row, r.first_row, r.target) for r in ledger.rows(run_no, 0, 10)] == [
        (2, None, None),
        (3, 3, target(ledger, 1).target),
        (4, 3, target(ledger, 1).target),
        (5, 5, target(ledger, 2).target),
    ]
    assert ledger.target_count(run_no) == 2


def test_an_invalid_row_is_kept_with_its_problems_and_makes_no_target(ledger: Ledger) -> None:
    run_no = staged(ledger, invalid(2), row(3, 1))
    bad, good = ledger.rows(run_no, 0, 10)
    assert (bad.problems, bad.state, bad.target) == ("appointment_id: not a UUID", None, None)
    assert (good.problems, good.state) == (None, State.PENDING)


@pytest.mark.parametrize("state", ALWAYS_REOPENED)
@pytest.mark.parametrize("asked", [SAME, *AMENDED.values()], ids=["same", *AMENDED])
def test_a_failed_or_skipped_target_is_always_restaged(ledger: Ledger, state: State, asked: InputRow) -> None:
    restage(ledger, state, asked)
    assert (target(ledger, 1).state, target(ledger, 1).request) == (State.PENDING, request_of(asked))
    assert events(ledger)[-1] == Event.RESTAGED


@pytest.mark.parametrize("state", REOPENED_WHEN_AMENDED)
@pytest.mark.parametrize("asked", AMENDED.values(), ids=AMENDED)
def test_a_refusal_is_reopened_by_another_question(ledger: Ledger, state: State, asked: InputRow) -> None:
    restage(ledger, state, asked)
    assert (target(ledger, 1).state, target(ledger, 1).request) == (State.PENDING, request_of(asked))
    assert events(ledger)[-1] == Event.RESTAGED


@pytest.mark.parametrize("state", REOPENED_WHEN_AMENDED)
def test_a_refusal_stands_when_the_question_is_the_same(ledger: Ledger, state: State) -> None:
    restage(ledger, state, SAME)
    assert target(ledger, 1).state is state
    assert Event.RESTAGED not in events(ledger)


@pytest.mark.parametrize("state", NEVER_TOUCHED)
@pytest.mark.parametrize("asked", AMENDED.values(), ids=AMENDED)
def test_a_cancelled_target_keeps_its_state_and_request(ledger: Ledger, state: State, asked: InputRow) -> None:
    restage(ledger, state, asked)
    assert (target(ledger, 1).state, target(ledger, 1).request) == (state, request_of(SAME))
    assert Event.RESTAGED not in events(ledger)


@pytest.mark.parametrize("state", [State.PENDING, State.WAITING, State.SENDING, State.UNKNOWN])
@pytest.mark.parametrize("asked", AMENDED.values(), ids=AMENDED)
def test_a_target_that_may_still_be_sent_keeps_its_state_and_takes_the_new_request(
    ledger: Ledger, state: State, asked: InputRow
) -> None:
    restage(ledger, state, asked)
    assert (target(ledger, 1).state, target(ledger, 1).request) == (state, request_of(asked))
    assert Event.RESTAGED not in events(ledger)


@pytest.mark.parametrize("state", [*ALWAYS_REOPENED, *REOPENED_WHEN_AMENDED])
def test_a_reopened_target_keeps_its_attempts_and_forgets_its_outcome(ledger: Ledger, state: State) -> None:
    before = put(ledger, staged(ledger, SAME), state, 1)
    run_no = staged(ledger, AMENDED["reason"], run_id="run-2")
    (record,) = ledger.rows(run_no, 0, 10)
    assert record.attempts == before.attempts
    assert (record.settled_at, record.http_status, record.detail) == (None, None, "")
    assert ledger.verify() == []


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("asked", [SAME, *AMENDED.values()], ids=["same", *AMENDED])
def test_a_plan_foresees_what_staging_does(ledger: Ledger, state: State, asked: InputRow) -> None:
    put(ledger, staged(ledger, SAME), state, 1)
    (foreseen,) = ledger.states_of([asked])
    staged(ledger, asked, run_id="run-2")
    assert foreseen is target(ledger, 1).state


@pytest.mark.parametrize("state", State)
def test_refusals_are_taken_up_again_as_they_are_where_that_is_wished_and_nothing_else_is(
    ledger: Ledger, state: State
) -> None:
    put(ledger, staged(ledger, SAME), state, 1)
    (foreseen,) = ledger.states_of([SAME], retry_refused=True)
    run_no = begin(ledger, "run-2")
    ledger.stage(run_no, [SAME], AT, retry_refused=True)
    ledger.start_run(run_no)
    reopened = state in ALWAYS_REOPENED or state in REOPENED_WHEN_AMENDED
    assert foreseen is target(ledger, 1).state is (State.PENDING if reopened else state)
    assert ledger.verify() == []


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("asked", [SAME, AMENDED["reason"]], ids=["same", "amended"])
def test_a_refusal_stands_where_an_approved_plan_sends_nothing(ledger: Ledger, state: State, asked: InputRow) -> None:
    put(ledger, staged(ledger, SAME), state, 1)
    before = target(ledger, 1).request
    (foreseen,) = ledger.states_of([asked._replace(stands=True)], retry_refused=True)
    run_no = begin(ledger, "run-2")
    ledger.stage(run_no, [asked._replace(stands=True)], AT, retry_refused=True)
    ledger.start_run(run_no)
    assert foreseen is target(ledger, 1).state is (State.PENDING if state in ALWAYS_REOPENED else state)
    assert state not in REOPENED_WHEN_AMENDED or target(ledger, 1).request == before
    assert ledger.verify() == []


def test_a_plan_knows_nothing_of_new_targets_and_invalid_rows(ledger: Ledger) -> None:
    staged(ledger, SAME)
    asked = [row(2, 1), row(3, 2), invalid(4), row(5, 1, attendee_id=uuid(50)), row(6, 1, entire_series=True)]
    assert ledger.states_of(asked) == [State.PENDING, None, None, None, None]


def test_a_chunk_that_cannot_be_staged_leaves_nothing(ledger: Ledger) -> None:
    run_no = begin(ledger)
    ledger.stage(run_no, [row(2, 1)], AT)
    broken = row(4, 3, reason=object())
    with pytest.raises((TypeError, ValueError)):
        ledger.stage(run_no, [row(3, 2), broken], AT)
    assert ledger.find_targets(uuid(2)) == []
    ledger.stage(run_no, [row(3, 2)], AT)
    assert ledger.target_count(run_no) == 2
