"""What is still to be sent, in which order, and what has to be read before."""

from __future__ import annotations

import pytest

from bulk_cancel.core.model import InputRow
from bulk_cancel.core.states import DONE, OPEN, SENDABLE, Event, State
from bulk_cancel.ledger.port import Ledger
from support.given import HISTORIES, move, put, row, staged, target, uuid

WHOLE = {"attendee_id": None}
ANNA, BERT = {"attendee_id": uuid(50)}, {"attendee_id": uuid(51)}
SERIES = {"entire_series": True}


def rows_to_send(ledger: Ledger, run_no: int, *, series: bool = False) -> list[int]:
    return [number for number, _ in ledger.work(run_no, 0, series=series, limit=100)]


def first_rows(ledger: Ledger, run_no: int, *, series: bool = False) -> dict[int, bool]:
    return {number: work.must_be_read for number, work in ledger.work(run_no, 0, series=series, limit=100)}


@pytest.mark.parametrize("state", State)
def test_only_sendable_targets_are_work(ledger: Ledger, state: State) -> None:
    run_no = staged(ledger, row(2, 1))
    put(ledger, run_no, state, 1)
    expected = [2] if state in SENDABLE else []
    assert rows_to_send(ledger, run_no) == expected
    assert ledger.sendable_count(run_no) == len(expected)


def test_work_comes_in_row_order_whatever_the_targets_age(ledger: Ledger) -> None:
    staged(ledger, row(2, 3), row(3, 2))
    run_no = staged(ledger, row(2, 1), row(3, 2), row(4, 3), run_id="run-2")
    work = ledger.work(run_no, 0, series=False, limit=100)
    assert [(number, item.target.appointment_id) for number, item in work] == [(2, uuid(1)), (3, uuid(2)), (4, uuid(3))]


def test_chunks_join_without_gap_or_overlap(ledger: Ledger) -> None:
    run_no = staged(ledger, *(row(number, number) for number in range(2, 12)))
    put(ledger, run_no, State.CANCELLED, 5)
    seen, after = [], 0
    while chunk := ledger.work(run_no, after, series=False, limit=2):
        assert len(chunk) <= 2
        seen += [number for number, _ in chunk]
        after = seen[-1]
    assert seen == [2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_a_target_is_work_once_however_many_rows_name_it(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 1, first_row=2), row(4, 1, first_row=2))
    assert rows_to_send(ledger, run_no) == [2]
    assert ledger.sendable_count(run_no) == 1


def test_only_this_runs_targets_are_work(ledger: Ledger) -> None:
    staged(ledger, row(2, 1))
    run_no = staged(ledger, row(2, 2), run_id="run-2")
    assert [work.target.appointment_id for _, work in ledger.work(run_no, 0, series=False, limit=9)] == [uuid(2)]


def test_work_has_what_a_worker_needs(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1, **ANNA, cancel_all=True, user_id=uuid(900)))
    move(ledger, run_no, target(ledger, 1, 50), Event.INTENT, Event.NOT_APPLIED)
    ((number, work),) = ledger.work(run_no, 0, series=False, limit=9)
    assert number == 2
    assert work == target(ledger, 1, 50)
    assert (work.state, work.attempts) == (State.WAITING, 1)


def test_series_come_in_a_pass_of_their_own(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 2, **SERIES), row(4, 3))
    assert rows_to_send(ledger, run_no) == [2, 4]
    assert rows_to_send(ledger, run_no, series=True) == [3]
    assert ledger.sendable_count(run_no) == 3


def test_after_a_series_was_sent_everything_else_is_read_first(ledger: Ledger) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 2, **SERIES), row(4, 3, **SERIES))
    assert first_rows(ledger, run_no) == {2: False}
    move(ledger, run_no, target(ledger, 2, series=True), Event.INTENT, Event.NOT_APPLIED)
    assert first_rows(ledger, run_no) == {2: True}
    assert first_rows(ledger, run_no, series=True) == {3: False, 4: True}, "a series is no news to itself"


def test_a_series_of_an_earlier_run_counts_as_well(ledger: Ledger) -> None:
    earlier = staged(ledger, row(2, 2, **SERIES))
    move(ledger, earlier, target(ledger, 2, series=True), Event.INTENT, Event.CANCELLED)
    run_no = staged(ledger, row(2, 1), run_id="run-2")
    assert first_rows(ledger, run_no) == {2: True}


def sent(ledger: Ledger, one: InputRow, other: InputRow, *events: Event) -> int:
    """Stage two targets and send the first of them."""
    run_no = staged(ledger, one, other)
    ((_, work), *_) = ledger.work(run_no, 0, series=one.entire_series, limit=9)
    move(ledger, run_no, work, *events)
    return run_no


#: One was sent: does it bear on the other?
PAIRS = [
    pytest.param(row(2, 1), row(3, 1, **ANNA), True, id="whole, then an attendee"),
    pytest.param(row(2, 1, **ANNA), row(3, 1), True, id="an attendee, then the whole"),
    pytest.param(row(2, 1, **ANNA), row(3, 1, **BERT), False, id="two attendees"),
    pytest.param(row(2, 1), row(3, 2), False, id="two appointments"),
    pytest.param(row(2, 1), row(3, 2, **ANNA), False, id="an attendee elsewhere"),
    pytest.param(row(2, 1, **SERIES), row(3, 1), True, id="the series, then one of it"),
]


@pytest.mark.parametrize(("one", "other", "related"), PAIRS)
def test_a_target_is_read_first_when_a_related_one_was_sent(
    ledger: Ledger, one: InputRow, other: InputRow, related: bool
) -> None:
    run_no = sent(ledger, one, other, Event.INTENT, Event.NOT_APPLIED)
    assert first_rows(ledger, run_no)[3] is related


@pytest.mark.parametrize("events", [(Event.INTENT,), (Event.INTENT, Event.NO_PROOF)], ids=["sending", "unknown"])
@pytest.mark.parametrize(("one", "other", "related"), PAIRS)
def test_a_target_waits_while_a_related_one_is_open(
    ledger: Ledger, one: InputRow, other: InputRow, related: bool, events: tuple[Event, ...]
) -> None:
    run_no = sent(ledger, one, other, *events)
    assert rows_to_send(ledger, run_no) == ([] if related else [3])
    assert ledger.sendable_count(run_no) == 1, "it waits, but it is still to be sent"


@pytest.mark.parametrize("open_one", [SERIES, {}, ANNA], ids=["a series", "a whole appointment", "an attendee"])
@pytest.mark.parametrize("events", [(Event.INTENT,), (Event.INTENT, Event.NO_PROOF)], ids=["sending", "unknown"])
def test_a_series_waits_while_any_other_target_is_open(
    ledger: Ledger, events: tuple[Event, ...], open_one: dict[str, object]
) -> None:
    """It may be one of the series, and a cancel of it that comes late would then cancel it once more."""
    is_series, attendee = open_one is SERIES, 50 if open_one is ANNA else None
    run_no = sent(ledger, row(2, 1, **open_one), row(3, 2, **SERIES), *events)
    assert rows_to_send(ledger, run_no, series=True) == []
    work = target(ledger, 1, attendee, series=is_series)
    outcome = Event.CANCELLED if work.state is State.SENDING else Event.SEEN_CANCELLED
    move(ledger, run_no, work, outcome)
    assert first_rows(ledger, run_no, series=True) == {3: is_series}


def test_a_target_that_waited_is_work_again_when_the_other_has_settled(ledger: Ledger) -> None:
    run_no = sent(ledger, row(2, 1, **ANNA), row(3, 1), Event.INTENT, Event.NO_PROOF, Event.SEEN_CANCELLED)
    assert first_rows(ledger, run_no) == {3: True}


UNKNOWN_AGAIN = {
    "no answer": (Event.INTENT, Event.NO_PROOF),
    "killed": (Event.INTENT, Event.RECOVERED),
}


@pytest.mark.parametrize("outcome", UNKNOWN_AGAIN)
def test_a_run_sends_a_target_once_more_after_an_unknown_outcome_and_the_next_run_does(
    ledger: Ledger, outcome: str
) -> None:
    unknown = UNKNOWN_AGAIN[outcome]

    def sendable(run_no: int) -> bool:
        found = bool(ledger.work(run_no, 0, series=False, limit=10))
        assert ledger.may_send_more(run_no) is found, "it waits for nothing"
        return found

    run_no = staged(ledger, row(2, 1))
    move(ledger, run_no, target(ledger, 1), *unknown, Event.SEEN_ACTIVE)
    assert sendable(run_no)
    move(ledger, run_no, target(ledger, 1), Event.INTENT, Event.NOT_APPLIED)
    assert sendable(run_no), "that one was not processed"
    move(ledger, run_no, target(ledger, 1), *unknown, Event.SEEN_ACTIVE)
    assert not sendable(run_no)
    for run_id in ("run-2", "run-3"):
        run_no = staged(ledger, row(2, 1), run_id=run_id)
        assert sendable(run_no)
        move(ledger, run_no, target(ledger, 1), *unknown, Event.SEEN_ACTIVE)
        assert not sendable(run_no)
    assert ledger.verify() == []


def test_of_a_page_of_the_list_the_sendable_targets_of_the_run_are_told_and_no_series(ledger: Ledger) -> None:
    staged(ledger, row(2, 9))
    run_no = staged(
        ledger, row(2, 1), row(3, 2, **ANNA), row(4, 2, **BERT), row(5, 3), row(6, 4, **SERIES), run_id="run-2"
    )
    move(ledger, run_no, target(ledger, 4, series=True), Event.INTENT, Event.CANCELLED)
    found = ledger.listed_work(run_no, {uuid(number) for number in (1, 2, 4, 9, 77)})
    assert [(work.target.appointment_id, work.target.attendee_id) for work in found] == [
        (uuid(1), None),
        (uuid(2), uuid(50)),
        (uuid(2), uuid(51)),
    ]
    assert ledger.listed_work(run_no, ()) == []


def test_acting_users_are_counted_the_most_first(ledger: Ledger) -> None:
    users = {2: uuid(70), 3: uuid(71), 4: uuid(71), 5: None}
    run_no = staged(ledger, *(row(number, number, user_id=user) for number, user in users.items()))
    assert next(iter(ledger.acting_users(run_no).items())) == (uuid(71), 2)
    assert ledger.acting_users(run_no) == {uuid(71): 2, uuid(70): 1, None: 1}


def test_nothing_is_sent_while_a_series_is_open_and_then_it_is_told_until_when_it_may_take_effect(
    ledger: Ledger,
) -> None:
    run_no = staged(ledger, row(2, 1), row(3, 2, **SERIES))
    assert [work.series for _, work in ledger.work(run_no, 0, series=False, limit=9)] == [None]
    move(ledger, run_no, target(ledger, 2, series=True), Event.INTENT)
    assert ledger.work(run_no, 0, series=False, limit=9) == []
    assert ledger.listed_work(run_no, [uuid(1)]) == []
    move(ledger, run_no, target(ledger, 2, series=True), Event.CANCELLED)
    ((_, work),) = ledger.work(run_no, 0, series=False, limit=9)
    assert work.series is not None


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("done", [WHOLE, SERIES, BERT], ids=["whole", "series", "another attendee"])
def test_work_tells_whether_the_whole_appointment_is_known_as_cancelled(
    ledger: Ledger, done: dict[str, object], state: State
) -> None:
    first = staged(ledger, row(2, 1, **done))
    attendee = 51 if done is BERT else None
    if HISTORIES[state]:
        move(ledger, first, target(ledger, 1, attendee, series=done is SERIES), *HISTORIES[state])
    run_no = staged(ledger, row(2, 1, **ANNA), row(3, 2), run_id="run-2")
    told = {work.target.attendee_id: work.is_cancelled for _, work in ledger.work(run_no, 0, series=False, limit=9)}
    told |= {work.target.attendee_id: work.is_cancelled for work in ledger.listed_work(run_no, [uuid(1)])}
    if done is SERIES and state in OPEN:
        assert told == {}, "any row may be one of the series"
        return
    is_held_back = done is not BERT and state in OPEN
    anna = {} if is_held_back else {uuid(50): done is not BERT and state in DONE}
    assert told == {None: False} | anna
