"""What an answer proves, as tables. What is no proof is unknown, and nothing is sent again without one."""

from __future__ import annotations

import pytest

from bulk_cancel.core.model import Answer, Appointment, Target
from bulk_cancel.core.outcome import Kind, Sight, classify_cancel, classify_read, resolve_refusal, resolve_unknown
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
    "cancelled, by its time": Appointment(ID, is_cancelled=False, cancelled_at=1.0),
    "cancelled, attendee listed": Appointment(ID, is_cancelled=True, attendee_ids=frozenset({ANN})),
    "active, no list": ACTIVE,
    "active, attendee listed": Appointment(ID, is_cancelled=False, attendee_ids=frozenset({ANN, BOB})),
    "active, attendee gone": Appointment(ID, is_cancelled=False, attendee_ids=frozenset({BOB})),
    "active, nobody left": Appointment(ID, is_cancelled=False, attendee_ids=frozenset()),
    "active, attendee marked": Appointment(ID, is_cancelled=False, removed_ids=frozenset({ANN})),
    "active, another marked": Appointment(ID, is_cancelled=False, removed_ids=frozenset({BOB})),
    "another id, cancelled": Appointment(OTHER, is_cancelled=True, attendee_ids=frozenset()),
    "no appointment": None,
}
#: What a body shows of each target: (C)ancelled, (A)ctive, or (-) nothing.
SHOWN = """
                                whole  series  attendee
    cancelled                   C      C       C
    cancelled, by its time      C      C       C
    cancelled, attendee listed  C      C       C
    active, no list             A      A       -
    active, attendee listed     A      A       A
    active, attendee gone       A      A       C
    active, nobody left         A      A       C
    active, attendee marked     A      A       C
    active, another marked      A      A       -
    another id, cancelled       -      -       -
    no appointment              -      -       -
"""
#: What a complete answer means by its status alone. For 2xx the body decides.
STATUSES = {
    range(100, 200): Kind.NO_ANSWER,
    range(300, 400): Kind.NONSENSE,
    (400, 404, 409, 410, 422): Kind.REFUSED,
    (401,): Kind.UNAUTHORISED,
    (403,): Kind.FORBIDDEN,
    (408, 421, 425, 429): Kind.NOT_PROCESSED,
    range(500, 600): Kind.NO_ANSWER,
}
BY_STATUS = {status: kind for statuses, kind in STATUSES.items() for status in statuses}


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

    success = Kind.CANCELLED if mark == "C" else Kind.NONSENSE
    assert found == {
        status: success if 200 <= status < 300 else BY_STATUS.get(status, Kind.NO_ANSWER) for status in range(100, 600)
    }


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
    sights = {"C": Sight.CANCELLED, "A": Sight.ACTIVE, "-": Sight.NOTHING}
    found = {s: classify_read(TARGETS[name], Answer(s, appointment=BODIES[body])) for s in range(100, 600)}

    missing = dict.fromkeys((404, 410), Sight.MISSING)
    good = dict.fromkeys(range(200, 300), sights[mark])
    assert found == dict.fromkeys(range(100, 600), Sight.NOTHING) | missing | good


def test_a_read_without_an_answer_shows_nothing() -> None:
    assert classify_read(TARGETS["whole"], Answer()) is Sight.NOTHING


def read(body: str) -> Answer:
    return Answer(200, appointment=BODIES[body])


NOTHING_HEARD = Answer()
#: target, the read after the refusal → what a 400 means, what a 404 means.
REFUSALS = [
    ("whole", read("cancelled"), Event.ALREADY_CANCELLED, Event.ALREADY_CANCELLED),
    ("whole", read("cancelled, by its time"), Event.ALREADY_CANCELLED, Event.ALREADY_CANCELLED),
    ("whole", read("active, no list"), Event.REJECTED, Event.REJECTED),
    ("whole", read("another id, cancelled"), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", read("no appointment"), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", Answer(404), Event.NOT_FOUND, Event.NOT_FOUND),
    ("whole", Answer(410), Event.NOT_FOUND, Event.NOT_FOUND),
    ("whole", Answer(401), Event.REJECTED, Event.NOT_FOUND),
    ("whole", Answer(403), Event.REJECTED, Event.NOT_FOUND),
    ("whole", Answer(400), Event.REJECTED, Event.NOT_FOUND),
    ("whole", Answer(429), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", Answer(408), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", Answer(302), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", Answer(503), Event.NO_PROOF, Event.NO_PROOF),
    ("whole", NOTHING_HEARD, Event.NO_PROOF, Event.NO_PROOF),
    ("attendee", read("cancelled"), Event.ALREADY_CANCELLED, Event.ALREADY_CANCELLED),
    ("attendee", read("active, attendee marked"), Event.ALREADY_CANCELLED, Event.ALREADY_CANCELLED),
    ("attendee", read("active, attendee gone"), Event.NOT_FOUND, Event.NOT_FOUND),
    ("attendee", read("active, attendee listed"), Event.REJECTED, Event.REJECTED),
    ("attendee", read("active, no list"), Event.REJECTED, Event.NOT_FOUND),
    ("attendee", read("another id, cancelled"), Event.NO_PROOF, Event.NO_PROOF),
    ("attendee", NOTHING_HEARD, Event.NO_PROOF, Event.NO_PROOF),
]


@pytest.mark.parametrize(("name", "seen", "of_400", "of_404"), REFUSALS)
def test_a_refusal_means_what_the_read_after_it_shows(name: str, seen: Answer, of_400: Event, of_404: Event) -> None:
    for status, event in [(400, of_400), (409, of_400), (422, of_400), (404, of_404), (410, of_404)]:
        assert resolve_refusal(TARGETS[name], Answer(status), seen) is event


@pytest.mark.parametrize(
    ("cancelled_at", "event"),
    [
        (None, Event.SEEN_CANCELLED),
        (99.9, Event.SEEN_CANCELLED_BEFORE),
        (100.0, Event.SEEN_CANCELLED),
        (100.1, Event.SEEN_CANCELLED),
    ],
)
def test_a_cancellation_older_than_our_intent_is_someone_elses(cancelled_at: float | None, event: Event) -> None:
    assert resolve_unknown(100.0, Appointment(ID, is_cancelled=True, cancelled_at=cancelled_at)) is event


def test_without_an_appointment_the_cancellation_counts_as_ours() -> None:
    assert resolve_unknown(100.0, None) is Event.SEEN_CANCELLED
