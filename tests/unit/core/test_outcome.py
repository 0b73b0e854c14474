"""What an answer proves, as tables. What is no proof is unknown, and nothing is sent again without one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bulk_cancel.core.model import Answer, Appointment, Target
from bulk_cancel.core.outcome import Kind, classify_cancel, resolve_refusal, resolve_unknown
from bulk_cancel.core.readings import Reading, ReadResult, reading_of, see
from bulk_cancel.core.states import Event

ID, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ANN, BOB = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"

TARGETS = {
    "whole": Target(ID),
    "series": Target(ID, entire_series=True),
    "attendee": Target(ID, attendee_id=ANN),
}
ACTIVE = Appointment(ID, is_cancelled=False)
BODIES: dict[str, Appointment | None] = {
    "cancelled": Appointment(ID, is_cancelled=True),
    "cancelled, attendee listed": Appointment(ID, is_cancelled=True, attendee_ids=frozenset({ANN})),
    "cancelled, others listed": Appointment(ID, is_cancelled=True, attendee_ids=frozenset({BOB})),
    "silent": Appointment(ID, is_cancelled=None),
    "silent, attendee gone": Appointment(ID, is_cancelled=None, attendee_ids=frozenset({BOB})),
    "silent, attendee marked": Appointment(ID, is_cancelled=None, removed_ids=frozenset({ANN})),
    "active, no list": ACTIVE,
    "active, attendee listed": Appointment(ID, is_cancelled=False, attendee_ids=frozenset({ANN, BOB})),
    "active, attendee gone": Appointment(ID, is_cancelled=False, attendee_ids=frozenset({BOB})),
    "active, nobody left": Appointment(ID, is_cancelled=False, attendee_ids=frozenset()),
    "active, attendee marked": Appointment(ID, is_cancelled=False, removed_ids=frozenset({ANN})),
    "active, another marked": Appointment(ID, is_cancelled=False, removed_ids=frozenset({BOB})),
    "another id, cancelled": Appointment(OTHER, is_cancelled=True, attendee_ids=frozenset()),
    "no appointment": None,
}
#: What a body shows as the answer to the cancel of each target: (C)ancelled, (A)ctive, or (-) nothing.
SHOWN = """
                                whole  series  attendee
    cancelled                   C      C       C
    cancelled, attendee listed  C      C       C
    cancelled, others listed    C      C       C
    silent                      -      -       -
    silent, attendee gone       -      -       -
    silent, attendee marked     -      -       C
    active, no list             A      A       -
    active, attendee listed     A      A       A
    active, attendee gone       A      A       C
    active, nobody left         A      A       C
    active, attendee marked     A      A       C
    active, another marked      A      A       -
    another id, cancelled       -      -       -
    no appointment              -      -       -
"""
#: What is another thing when a read shows it and nobody has seen the attendee in it before.
READ = {
    ("cancelled", "series"): ReadResult.ONE_OCCURRENCE,
    ("cancelled, attendee listed", "series"): ReadResult.ONE_OCCURRENCE,
    ("cancelled, others listed", "series"): ReadResult.ONE_OCCURRENCE,
    ("cancelled, others listed", "attendee"): ReadResult.ABSENT,
    ("active, attendee gone", "attendee"): ReadResult.ABSENT,
    ("active, nobody left", "attendee"): ReadResult.ABSENT,
}
#: What a complete answer means by its status alone. For 2xx the body decides.
STATUSES = {
    range(100, 200): Kind.NO_ANSWER,
    range(300, 500): Kind.NONSENSE,
    (408, 409, 421, 425): Kind.NO_ANSWER,
    range(500, 600): Kind.NO_ANSWER,
}
#: What the API's own words change.
IN_ITS_WORDS = {
    range(400, 429): Kind.NO_ANSWER,
    range(430, 500): Kind.NO_ANSWER,
    (400, 404, 410, 422): Kind.REFUSED,
    (401,): Kind.UNAUTHORISED,
    (403,): Kind.FORBIDDEN,
    (429,): Kind.NOT_PROCESSED,
}
BY_STATUS = {status: kind for statuses, kind in STATUSES.items() for status in statuses}
BY_WORDS = BY_STATUS | {status: kind for statuses, kind in IN_ITS_WORDS.items() for status in statuses}


def shown() -> dict[tuple[str, str], str]:
    header, *lines = SHOWN.strip("\n").splitlines()
    names = header.split()
    table = {}
    for line in lines:
        body, marks = line[4:32].strip(), line[32:].split()
        table |= {(body, name): mark for name, mark in zip(names, marks, strict=True)}
    return table


CASES = [(body, name, mark) for (body, name), mark in shown().items()]


def test_the_table_leaves_no_body_and_no_target_out() -> None:
    assert {(body, name) for body, name, _ in CASES} == {(body, name) for body in BODIES for name in TARGETS}


@pytest.mark.parametrize(("body", "name", "mark"), CASES)
def test_every_status_with_every_body(body: str, name: str, mark: str) -> None:
    found = {s: classify_cancel(TARGETS[name], Answer(s, appointment=BODIES[body])).kind for s in range(100, 600)}

    appointment = BODIES[body]
    is_its_own = appointment is not None and appointment.appointment_id == ID
    success = Kind.CANCELLED if mark == "C" else Kind.NOT_SHOWN if is_its_own else Kind.NONSENSE
    assert found == {status: success if 200 <= status < 300 else BY_STATUS[status] for status in range(100, 600)}


def said(status: int | None, message: str = "no", **facts: Any) -> Answer:
    """Answer in the API's own words."""
    return Answer(status, message=message, is_api_error=True, **facts)


@pytest.mark.parametrize("name", TARGETS)
def test_a_status_is_a_refusal_only_in_the_words_of_the_api(name: str) -> None:
    found = {status: classify_cancel(TARGETS[name], said(status)).kind for status in range(400, 600)}
    assert found == {status: BY_WORDS[status] for status in range(400, 600)}


@pytest.mark.parametrize("message", ["Cannot POST /v3/appointment/1/cancel", "Cannot GET /appointment/1"])
def test_a_missing_route_is_no_missing_appointment(message: str) -> None:
    assert classify_cancel(TARGETS["whole"], said(404, message)).kind is Kind.NO_ROUTE
    assert reading_of(ID, said(404, message), 0.0) is None


def test_nothing_of_another_appointments_document_is_kept() -> None:
    outcome = classify_cancel(TARGETS["whole"], Answer(200, appointment=BODIES["another id, cancelled"]))
    assert outcome.answer.appointment is None
    with pytest.raises(ValueError, match="another"):
        Reading(ID, BODIES["another id, cancelled"], 0.0)


@pytest.mark.parametrize(("body", "name", "mark"), CASES)
def test_when_no_byte_left_nothing_else_counts(body: str, name: str, mark: str) -> None:
    answers = [Answer(status, bytes_left=False, appointment=BODIES[body]) for status in [None, *range(100, 600)]]

    assert {classify_cancel(TARGETS[name], answer).kind for answer in answers} == {Kind.NOT_SENT}


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_that_left_without_an_answer_are_unknown(name: str) -> None:
    assert classify_cancel(TARGETS[name], Answer()).kind is Kind.NO_ANSWER


def test_an_outcome_keeps_its_answer() -> None:
    answer = Answer(429, retry_after_s=7)
    assert classify_cancel(TARGETS["whole"], answer).answer is answer


@pytest.mark.parametrize(("body", "name", "mark"), CASES)
def test_what_a_read_shows(body: str, name: str, mark: str) -> None:
    sights = {"C": ReadResult.CANCELLED, "A": ReadResult.ACTIVE, "-": ReadResult.NOTHING}
    found = {s: read(name, Answer(s, appointment=BODIES[body])) for s in range(100, 600)}

    good = dict.fromkeys(range(200, 300), READ.get((body, name), sights[mark]))
    assert found == dict.fromkeys(range(100, 600), ReadResult.NOTHING) | good


def read(name: str, answer: Answer, *, attended: bool = False) -> ReadResult:
    return see(TARGETS[name], reading_of(ID, answer, 0.0), attended=attended)


@pytest.mark.parametrize("name", TARGETS)
def test_an_appointment_is_missing_only_in_the_words_of_the_api(name: str) -> None:
    found = {status: read(name, said(status)) for status in range(100, 600)}
    assert found == dict.fromkeys(range(100, 600), ReadResult.NOTHING) | dict.fromkeys((404, 410), ReadResult.MISSING)


@pytest.mark.parametrize("body", ["active, attendee gone", "active, nobody left", "cancelled, others listed"])
def test_an_attendee_who_was_seen_in_it_and_is_gone_is_cancelled(body: str) -> None:
    assert read("attendee", Answer(200, appointment=BODIES[body]), attended=True) is ReadResult.CANCELLED


def test_a_read_without_an_answer_shows_nothing() -> None:
    assert read("whole", Answer()) is ReadResult.NOTHING


def test_what_a_cache_kept_is_as_old_as_the_cache_says() -> None:
    for age_s, fresh in ((0.0, True), (4.0, True), (6.0, False), (math.inf, False)):
        reading = reading_of(ID, Answer(200, appointment=ACTIVE, age_s=age_s), 100.0)
        assert reading is not None
        assert reading.is_fresh(100.5) is fresh


NOTHING_HEARD = Answer()


def shown_by(body: str) -> Answer:
    return Answer(200, appointment=BODIES[body])


#: target, the read after the refusal → what a 400 means, what a 404 means.
REFUSALS = [
    ("whole", shown_by("cancelled"), Event.ALREADY_CANCELLED, Event.ALREADY_CANCELLED),
    ("series", shown_by("cancelled"), Event.REJECTED, Event.REJECTED),
    ("whole", shown_by("active, no list"), Event.REJECTED, Event.REJECTED),
    ("whole", shown_by("silent"), Event.REJECTED, Event.NOT_FOUND),
    ("whole", shown_by("another id, cancelled"), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", shown_by("no appointment"), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", said(404), Event.NOT_FOUND, Event.NOT_FOUND),
    ("whole", said(410), Event.NOT_FOUND, Event.NOT_FOUND),
    ("whole", said(403), Event.REJECTED, Event.NOT_FOUND),
    ("whole", said(400), Event.REJECTED, Event.NOT_FOUND),
    ("whole", said(401), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", Answer(404), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", Answer(403), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", said(429), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", Answer(503), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", NOTHING_HEARD, Event.NO_PROOF, Event.NO_PROOF),
    ("attendee", shown_by("cancelled"), Event.ALREADY_CANCELLED, Event.ALREADY_CANCELLED),
    ("attendee", shown_by("active, attendee marked"), Event.ALREADY_CANCELLED, Event.ALREADY_CANCELLED),
    ("attendee", shown_by("active, attendee gone"), Event.NOT_FOUND, Event.NOT_FOUND),
    ("attendee", shown_by("active, attendee listed"), Event.REJECTED, Event.REJECTED),
    ("attendee", shown_by("active, no list"), Event.REJECTED, Event.NOT_FOUND),
    ("attendee", shown_by("another id, cancelled"), Event.NO_PROOF, Event.NO_PROOF),
    ("attendee", NOTHING_HEARD, Event.NO_PROOF, Event.NO_PROOF),
]


@pytest.mark.parametrize(("name", "seen", "of_400", "of_404"), REFUSALS)
def test_a_refusal_means_what_the_read_after_it_shows(name: str, seen: Answer, of_400: Event, of_404: Event) -> None:
    reading = reading_of(ID, seen, 0.0)
    for status, event in [(400, of_400), (422, of_400), (404, of_404), (410, of_404)]:
        assert resolve_refusal(TARGETS[name], said(status), reading) is event


def test_a_refused_attendee_who_was_seen_in_it_and_is_gone_was_cancelled_by_someone() -> None:
    reading = reading_of(ID, shown_by("active, attendee gone"), 0.0)
    assert resolve_refusal(TARGETS["attendee"], said(404), reading, attended=True) is Event.ALREADY_CANCELLED


@pytest.mark.parametrize(
    ("cancelled_at", "event"),
    [
        (None, Event.SEEN_CANCELLED),
        (39.9, Event.SEEN_CANCELLED_BEFORE),
        (40.0, Event.SEEN_CANCELLED),
        (100.0, Event.SEEN_CANCELLED),
        (100.1, Event.SEEN_CANCELLED),
    ],
)
def test_a_cancellation_a_minute_older_than_our_intent_is_not_ours(cancelled_at: float | None, event: Event) -> None:
    assert resolve_unknown(100.0, Appointment(ID, is_cancelled=True, cancelled_at=cancelled_at)) is event


def test_without_an_appointment_the_cancellation_counts_as_ours() -> None:
    assert resolve_unknown(100.0, None) is Event.SEEN_CANCELLED
