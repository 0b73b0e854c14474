"""The law of the states, written out by hand once more: every pair of state and event has its line or is illegal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.states import (
    DONE,
    OPEN,
    SENDABLE,
    SETTLED,
    TRANSITIONS,
    Event,
    IllegalTransitionError,
    State,
    fold,
    next_state,
)

LAW = """
    pending            intent                   sending
    pending            seen_cancelled           already_cancelled
    pending            seen_missing             not_found
    pending            seen_refused             rejected
    pending            rejected                 rejected
    pending            seen_active              pending
    pending            skipped                  skipped
    pending            changed                  skipped
    pending            given_up                 failed
    sending            cancelled                cancelled
    sending            already_cancelled        already_cancelled
    sending            not_found                not_found
    sending            rejected                 rejected
    sending            not_applied              waiting
    sending            credential_refused       pending
    sending            no_proof                 unknown
    sending            recovered                unknown
    waiting            intent                   sending
    waiting            seen_cancelled           already_cancelled
    waiting            seen_missing             not_found
    waiting            seen_refused             rejected
    waiting            seen_active              waiting
    waiting            given_up                 failed
    waiting            skipped                  skipped
    waiting            changed                  skipped
    unknown            seen_cancelled           cancelled
    unknown            seen_cancelled_before    already_cancelled
    unknown            seen_active              waiting
    unknown            undecided                unknown
    unknown            unverified               unknown
    unknown            resolved_cancelled       cancelled
    unknown            resolved_not_cancelled   waiting
    failed             restaged                 pending
    skipped            restaged                 pending
    rejected           restaged                 pending
    not_found          restaged                 pending
"""
EXPECTED = {
    (State(was), Event(event)): State(then) for was, event, then in (line.split() for line in LAW.strip().splitlines())
}
EVERY_PAIR = [(state, event) for state in State for event in Event]


@pytest.mark.parametrize(("state", "event"), EVERY_PAIR)
def test_every_pair_follows_the_law_or_is_refused(state: State, event: Event) -> None:
    if (state, event) in EXPECTED:
        assert next_state(state, event) is EXPECTED[state, event]
        return
    with pytest.raises(IllegalTransitionError) as refused:
        next_state(state, event)
    assert (refused.value.state, refused.value.event) == (state, event)


def exits(state: State) -> set[Event]:
    return {event for was, event in TRANSITIONS if was is state}


def entries(state: State) -> set[tuple[State, Event]]:
    return {pair for pair, then in TRANSITIONS.items() if then is state}


def test_nothing_leads_out_of_cancelled() -> None:
    assert {State.CANCELLED, State.ALREADY_CANCELLED} == DONE
    assert all(exits(state) == set() for state in DONE)


def test_a_refusal_ends_only_when_something_else_is_asked() -> None:
    assert {State.REJECTED, State.NOT_FOUND} == SETTLED - DONE
    assert all(exits(state) == {Event.RESTAGED} for state in SETTLED - DONE)


def test_only_an_intent_leads_to_sending_and_only_from_what_was_proven_not_applied() -> None:
    assert entries(State.SENDING) == {(State.PENDING, Event.INTENT), (State.WAITING, Event.INTENT)}
    assert {state for state, _ in entries(State.SENDING)} == SENDABLE
    assert set() == SENDABLE & OPEN


def test_unknown_is_left_only_by_what_a_read_shows_or_a_person_says() -> None:
    staying = {Event.UNDECIDED, Event.UNVERIFIED}
    leaving = exits(State.UNKNOWN) - staying
    assert {event.value.split("_")[0] for event in leaving} == {"seen", "resolved"}
    assert all(TRANSITIONS[State.UNKNOWN, event] is State.UNKNOWN for event in staying)


def test_the_law_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[State.CANCELLED, Event.INTENT] = State.SENDING  # type: ignore[index]


@pytest.mark.parametrize(
    ("history", "state"),
    [
        ("", "pending"),
        ("intent", "sending"),
        ("intent cancelled", "cancelled"),
        ("intent no_proof seen_cancelled", "cancelled"),
        ("intent recovered seen_active intent cancelled", "cancelled"),
        ("intent not_applied intent not_applied given_up", "failed"),
        ("intent rejected restaged intent cancelled", "cancelled"),
        ("intent credential_refused intent already_cancelled", "already_cancelled"),
        ("intent credential_refused rejected restaged", "pending"),
    ],
)
def test_a_state_is_the_fold_of_its_history(history: str, state: str) -> None:
    assert fold(map(Event, history.split())) is State(state)


def test_a_history_that_breaks_the_law_has_no_state() -> None:
    with pytest.raises(IllegalTransitionError):
        fold([Event.INTENT, Event.NO_PROOF, Event.INTENT])


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_between_two_intents_there_is_always_a_proof_that_the_first_was_not_applied(events: list[Event]) -> None:
    state, proven = State.PENDING, True
    for event in events:
        if (state, event) not in TRANSITIONS:
            continue
        if event is Event.INTENT:
            assert proven
            proven = False
        proven = proven or event in {
            Event.NOT_APPLIED,
            Event.CREDENTIAL_REFUSED,
            Event.SEEN_ACTIVE,
            Event.RESOLVED_NOT_CANCELLED,
            Event.REJECTED,
            Event.NOT_FOUND,
        }
        state = next_state(state, event)
