"""The one decision, as tables and as properties."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_cancel.core.actions import NOTHING_EXPECTED, Action, Expectation, SkipRules, decide, why_left_out
from bulk_cancel.core.model import Appointment, Request, Target
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.outcome import ONE_OCCURRENCE
from bulk_cancel.core.readings import Reading, Source

ID, ANNA, BERT = "a", "anna", "bert"
NOON = moment_of("2026-11-22T12:00:00Z") or 0.0
LATER = "2026-11-22T13:00:00+00:00"
WHOLE, ONE, SERIES = Target(ID), Target(ID, ANNA), Target(ID, entire_series=True)
PLAIN, EVERYONE = Request(), Request(cancel_all=True)
RULES = SkipRules(NOON)


def seen(**facts: object) -> Appointment:
    known: dict[str, object] = {"appointment_id": ID, "is_cancelled": False, "start": LATER, **facts}
    return Appointment(**known)  # type: ignore[arg-type]


GROUP = {"group_booking": True, "attendee_ids": frozenset({ANNA, BERT})}


@pytest.mark.parametrize(
    ("target", "request_", "appointment", "action", "why"),
    [
        (WHOLE, PLAIN, seen(), Action.CANCEL, "would be cancelled"),
        (WHOLE, PLAIN, seen(paid=True), Action.CANCEL, "would be cancelled, paid: think of a refund"),
        (WHOLE, PLAIN, None, Action.NOT_FOUND, "the API knows no such appointment"),
        (WHOLE, PLAIN, seen(is_cancelled=True), Action.ALREADY_CANCELLED, "already cancelled"),
        (
            WHOLE,
            PLAIN,
            seen(is_cancelled=True, cancelled_by="host", cancelled_at=NOON),
            Action.ALREADY_CANCELLED,
            "already cancelled by host on 2026-11-22 12:00 UTC",
        ),
        (WHOLE, PLAIN, seen(**GROUP), Action.REFUSED, "a group booking: the API wants attendee_id or cancel_all"),
        (WHOLE, EVERYONE, seen(**GROUP), Action.CANCEL, "would be cancelled"),
        (ONE, PLAIN, seen(**GROUP), Action.CANCEL, "would be cancelled"),
        (ONE, PLAIN, seen(group_booking=True, attendee_ids=frozenset({BERT})), Action.NOT_FOUND,
         "the attendee is not in this appointment"),
        (ONE, PLAIN, seen(group_booking=True, attendee_ids=frozenset({BERT}), removed_ids=frozenset({ANNA})),
         Action.ALREADY_CANCELLED, "the attendee was removed already"),
        (ONE, PLAIN, seen(attendee_ids=frozenset({ANNA})), Action.CANCEL, "would be cancelled"),
        (ONE, PLAIN, seen(is_cancelled=True, attendee_ids=frozenset({BERT})), Action.NOT_FOUND,
         "the attendee is not in this appointment"),
        (ONE, PLAIN, seen(group_booking=True), Action.REFUSED,
         "not sent: the API does not say who attends it; look it up in meetergo"),
        (WHOLE, PLAIN, seen(is_cancelled=None), Action.REFUSED,
         "not sent: the API does not say whether it is cancelled; look it up in meetergo"),
        (SERIES, PLAIN, seen(is_cancelled=True), Action.REFUSED, ONE_OCCURRENCE),
        (ONE, PLAIN, seen(group_booking=False, attendee_ids=frozenset({ANNA})), Action.REFUSED,
         "not a group booking: no attendee can be removed"),
        (WHOLE, PLAIN, seen(start="2026-11-22T11:00:00Z"), Action.SKIP, "it started on 2026-11-22 11:00 UTC: past"),
        (WHOLE, PLAIN, seen(start=None), Action.CANCEL, "would be cancelled"),
    ],
)  # fmt: skip
def test_each_reading_leads_to_its_action(
    target: Target, request_: Request, appointment: Appointment | None, action: Action, why: str
) -> None:
    reading = Reading(ID, appointment, 0.0)
    assert decide(target, request_, reading, NOTHING_EXPECTED, RULES)[:2] == (action, why)


PLANNED = Expectation(LATER, ("h1",))
KNOWN = Expectation(attended=True, is_cancelled=True)
ACTIVE_PAGE = Reading(ID, seen(), 0.0, Source.PAGE)


@pytest.mark.parametrize(
    ("target", "reading", "expected", "elapsed", "action"),
    [
        (WHOLE, None, NOTHING_EXPECTED, 0, Action.CANCEL),
        (WHOLE, None, Expectation(must_be_read=True), 0, Action.READ_FIRST),
        (WHOLE, None, Expectation(last_start="2026-11-22T11:00:00Z"), 0, Action.READ_FIRST),
        (WHOLE, None, Expectation(last_start=LATER), 0, Action.CANCEL),
        (ONE, None, NOTHING_EXPECTED, 0, Action.READ_FIRST),
        (ONE, None, Expectation(attended=True), 0, Action.CANCEL),
        (WHOLE, ACTIVE_PAGE, NOTHING_EXPECTED, 60, Action.CANCEL),
        (WHOLE, ACTIVE_PAGE, NOTHING_EXPECTED, 60.1, Action.READ_FIRST),
        (WHOLE, ACTIVE_PAGE, NOTHING_EXPECTED, -1, Action.READ_FIRST),
        (WHOLE, Reading(ID, seen(), 0.0), Expectation(must_be_read=True), 5, Action.CANCEL),
        (WHOLE, Reading(ID, seen(), 0.0), NOTHING_EXPECTED, 5.1, Action.READ_FIRST),
        (WHOLE, Reading(ID, seen(start="2026-11-22T11:00:00Z"), 0.0), NOTHING_EXPECTED, 6, Action.READ_FIRST),
        (WHOLE, Reading(ID, seen(is_cancelled=True), 0.0), NOTHING_EXPECTED, 9e9, Action.ALREADY_CANCELLED),
        (WHOLE, Reading(ID, None, 0.0), NOTHING_EXPECTED, 9e9, Action.NOT_FOUND),
        (WHOLE, Reading(ID, seen(is_cancelled=None), 0.0, Source.PAGE), NOTHING_EXPECTED, 0, Action.READ_FIRST),
        (WHOLE, Reading(ID, None, 0.0, refusal="403"), NOTHING_EXPECTED, 0, Action.REFUSED),
        (ONE, Reading(ID, seen(attendee_ids=frozenset()), 0.0), Expectation(attended=True), 0,
         Action.ALREADY_CANCELLED),
        (ONE, None, KNOWN, 0, Action.READ_FIRST),
        (SERIES, None, KNOWN, 0, Action.READ_FIRST),
        (ONE, Reading(ID, seen(attendee_ids=frozenset({ANNA})), 0.0), KNOWN, 0, Action.ALREADY_CANCELLED),
        (ONE, Reading(ID, seen(is_cancelled=None), 0.0, Source.PAGE), KNOWN, 99, Action.ALREADY_CANCELLED),
        (ONE, Reading(ID, seen(attendee_ids=frozenset({BERT})), 0.0), Expectation(is_cancelled=True), 0,
         Action.NOT_FOUND),
        (SERIES, Reading(ID, seen(), 0.0), KNOWN, 0, Action.REFUSED),
        (WHOLE, Reading(ID, seen(), 0.0), KNOWN, 0, Action.ALREADY_CANCELLED),
        (WHOLE, Reading(ID, seen(host_ids=("h1",)), 0.0), PLANNED, 0, Action.CANCEL),
        (WHOLE, Reading(ID, seen(host_ids=("h2",)), 0.0), PLANNED, 0, Action.SKIP),
        (WHOLE, Reading(ID, seen(start="2026-11-23T13:00:00Z"), 0.0), PLANNED, 0, Action.SKIP),
        (WHOLE, Reading(ID, seen(start=None), 0.0), PLANNED, 0, Action.CANCEL),
    ],
)  # fmt: skip
def test_what_a_reading_its_age_and_what_was_expected_come_to(
    target: Target, reading: Reading | None, expected: Expectation, elapsed: float, action: Action
) -> None:
    assert decide(target, PLAIN, reading, expected, SkipRules(NOON, at=elapsed)).action is action


MAYBE = st.none() | st.booleans()
ATTENDEES = st.none() | st.frozensets(st.sampled_from([ANNA, BERT]))
DOCUMENTS = st.builds(
    Appointment,
    st.just(ID),
    MAYBE,
    attendee_ids=ATTENDEES,
    removed_ids=st.frozensets(st.just(ANNA)),
    start=st.sampled_from([None, LATER, "2026-11-22T11:00:00Z", "0001-01-01T00:00:00+14:00"]),
    host_ids=st.none() | st.just(("h1",)) | st.just(("h2",)),
    group_booking=MAYBE,
)
READINGS = st.builds(
    Reading, st.just(ID), st.none() | DOCUMENTS, st.floats(0, 100), st.sampled_from(Source), st.sampled_from(["", "no"])
)
EXPECTATIONS = st.builds(
    Expectation, st.none() | st.just(LATER), st.none() | st.just(("h1",)), st.none() | st.just(LATER),
    st.booleans(), st.booleans(),
)  # fmt: skip
ANY = {"target": st.sampled_from([WHOLE, ONE, SERIES]), "request_": st.sampled_from([PLAIN, EVERYONE])}


@given(**ANY, reading=READINGS, expected=EXPECTATIONS, elapsed=st.floats(0, 200))
@example(WHOLE, PLAIN, Reading(ID, seen(), 0.0, Source.PAGE), NOTHING_EXPECTED, 61.0)
@example(WHOLE, PLAIN, Reading(ID, seen(), 0.0, Source.SINGLE), NOTHING_EXPECTED, 6.0)
def test_a_cancel_that_was_read_first_rests_on_a_fresh_reading_that_shows_the_target_active(
    target: Target, request_: Request, reading: Reading, expected: Expectation, elapsed: float
) -> None:
    decision = decide(target, request_, reading, expected, SkipRules(NOON, at=elapsed))
    assert decision.why
    if decision.action is Action.CANCEL:
        document = reading.appointment
        assert document is not None
        assert document.is_cancelled is False
        assert 0 <= elapsed - reading.taken_at <= reading.source.value
        assert target.attendee_id is None or target.attendee_id in (document.attendee_ids or ())


@given(**ANY, reading=READINGS, expected=EXPECTATIONS, elapsed=st.floats(0, 200))
def test_already_cancelled_is_never_said_of_a_series_or_of_an_attendee_nobody_saw(
    target: Target, request_: Request, reading: Reading, expected: Expectation, elapsed: float
) -> None:
    decision = decide(target, request_, reading, expected, SkipRules(NOON, at=elapsed))
    if decision.action is Action.ALREADY_CANCELLED:
        assert not target.entire_series
        document = reading.appointment
        assert document is not None
        assert document.is_cancelled or ANNA in document.removed_ids or expected.attended


@given(**ANY, document=DOCUMENTS, refusal=st.sampled_from(["", "no"]), expected=EXPECTATIONS)
def test_a_fresh_single_get_always_comes_to_an_end(
    target: Target, request_: Request, document: Appointment, refusal: str, expected: Expectation
) -> None:
    reading = Reading(ID, document, 0.0, refusal=refusal)
    assert decide(target, request_, reading, expected, RULES).action is not Action.READ_FIRST


@pytest.mark.parametrize(
    ("start", "rules", "why"),
    [
        ("2026-11-22T11:59:59Z", SkipRules(NOON), "it started on 2026-11-22 11:59 UTC: past"),
        ("2026-11-22T11:59:59Z", SkipRules(NOON, skip_past=False), ""),
        ("2026-11-22T12:30:00Z", SkipRules(NOON), ""),
        ("2026-11-22T12:30:00Z", SkipRules(NOON, late_within_s=3600), "it starts in 30 min: too late"),
        ("2026-11-22T14:30:00+01:00", SkipRules(NOON, late_within_s=3600), ""),
        ("2026-11-22T12:30:00+01:00", SkipRules(NOON), "it started on 2026-11-22 11:30 UTC: past"),
        ("2026-11-22T11:00:00", SkipRules(NOON), "it started on 2026-11-22 11:00 UTC: past"),
        ("soon", SkipRules(NOON), ""),
        (None, SkipRules(NOON), ""),
    ],
)
def test_rules_leave_out_past_and_late_appointments(start: str | None, rules: SkipRules, why: str) -> None:
    assert why_left_out(start, rules) == why


@pytest.mark.parametrize(
    ("source", "facts", "action"),
    [
        (Source.PAGE, {"attendee_count": 3}, Action.READ_FIRST),
        (Source.PAGE, {}, Action.READ_FIRST),
        (Source.PAGE, {"attendee_ids": frozenset({ANNA, BERT})}, Action.CANCEL),
        (Source.SINGLE, {"attendee_count": 3}, Action.SKIP),
        (Source.SINGLE, {"attendee_count": 2}, Action.CANCEL),
        (Source.SINGLE, {}, Action.CANCEL),
    ],
)
def test_a_list_that_omits_the_attendees_of_an_approval_does_not_stand_for_it(
    source: Source, facts: dict[str, object], action: Action
) -> None:
    """Everyone in the group was cancelled, with a person who had joined after the approval."""
    approved = Expectation(start=LATER, attendee_ids=(ANNA, BERT))
    reading = Reading(ID, seen(group_booking=True, **facts), 0.0, source)
    decision = decide(WHOLE, EVERYONE, reading, approved, RULES)
    assert decision.action is action
    assert decision.is_change == (action is Action.SKIP)
