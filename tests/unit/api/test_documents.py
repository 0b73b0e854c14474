"""The API's JSON, and what is hostile in its place: the parsers never raise, never guess and keep no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.api.documents import is_api_error, parse_appointment, parse_json, parse_message, parse_page
from bulk_cancel.core.model import Answer, Appointment

ID = "11111111-1111-4111-8111-111111111111"
ANN, BOB = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
NOW = 1_795_348_800.0  # 2026-11-22 12:00 UTC
GONE = "2026-11-22T11:00:00Z"

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_STATE_KEYS = ["id", "isCancelled", "cancel", "actionAt", "actionSource", "deletedAt", "start", "paymentId"]
_LIST_KEYS = ["attendees", "attendeeIds", "resolvableErrors", "errorCode", "appointments", "message", "errors"]
_KEYS = st.sampled_from([*_STATE_KEYS, *_LIST_KEYS])
values = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_KEYS | st.text(max_size=5), inner, max_size=8)
)


def parsed(**fields: Any) -> Appointment:
    found = parse_appointment({"id": ID, "isCancelled": False, **fields}, NOW)
    assert found is not None
    return found


def test_every_field_of_a_whole_document_is_read() -> None:
    full = {
        "id": ID.upper(),
        "isCancelled": True,
        "cancel": {"actionSource": "host", "actionAt": "2026-11-22T12:00:00Z", "actionBy": "u", "reason": "r"},
        "start": "2026-12-01T09:00:00+01:00",
        "end": "2026-12-01T10:00:00+01:00",
        "meetingTypeId": "m",
        "paymentId": "p",
        "companyId": "c",
        "attendeeIds": [ANN.upper()],
        "attendees": [{"id": ANN}, {"id": BOB, "deletedAt": "2026-11-22T12:00:00Z"}],
        "resolvableErrors": [{"errorCode": "calendar"}, {"errorCode": None}, "?", {"errorCode": "crm"}],
    }
    assert parse_appointment(full, NOW) == Appointment(
        appointment_id=ID,
        is_cancelled=True,
        cancelled_at=1_795_348_800.0,
        cancelled_by="host",
        attendee_count=1,
        attendee_ids=frozenset({ANN}),
        removed_ids=frozenset({BOB}),
        start="2026-12-01T09:00:00+01:00",
        end="2026-12-01T10:00:00+01:00",
        meeting_type_id="m",
        paid=True,
        warnings=("calendar", "crm"),
        company_id="c",
    )


def test_names_addresses_and_secrets_never_get_into_the_value() -> None:
    person = {"id": ANN, "secret": "CANARY", "name": "CANARY", "email": "CANARY@example.org"}
    hidden = {"secret": "CANARY", "ics": "CANARY", "hostingInfo": {"x": "CANARY"}, "title": "CANARY"}
    found = parsed(attendees=[person], cancel={"actionBy": "CANARY", "reason": "CANARY"}, **hidden)

    assert "CANARY" not in repr(found)


@pytest.mark.parametrize("value", [None, [], "x", 7, {}, {"id": None}, {"id": 7}, {"id": [ID]}, [{"id": ID}]])
def test_a_document_without_an_id_is_not_an_appointment(value: object) -> None:
    assert parse_appointment(value, NOW) is None


@pytest.mark.parametrize("word", [None, "false", "true", "", 0, 1, 1.0, [], {}])
def test_an_answer_neither_yes_nor_no_says_nothing(word: object) -> None:
    assert parsed(isCancelled=word).is_cancelled is None


def test_missing_fields_of_a_document_are_not_known() -> None:
    found = parse_appointment({"id": ID}, NOW)
    assert found is not None
    assert (found.is_cancelled, found.host_ids, found.group_booking, found.attendee_ids) == (None,) * 4
    assert parsed(hostIds=[]).host_ids == ()
    assert parsed(meetingInfo={"groupBooking": "yes"}).group_booking is None


@pytest.mark.parametrize(
    ("body", "status", "is_error"),
    [
        ({"statusCode": 404, "message": "x", "error": "Not Found"}, 404, True),
        ({"statusCode": 400, "message": ["x", "y"], "error": "Bad Request", "errors": []}, 400, True),
        ({"statusCode": 404, "message": "x", "error": "Not Found"}, 410, False),
        ({"statusCode": "404", "message": "x", "error": "Not Found"}, 404, False),
        ({"statusCode": True, "message": "x", "error": "x"}, 1, False),
        ({"statusCode": 404, "message": "x"}, 404, False),
        ({"statusCode": 404, "error": "Not Found"}, 404, False),
        ({"statusCode": 404, "message": [1], "error": "Not Found"}, 404, False),
        ({"error": "not found"}, 404, False),
        ([], 404, False),
        (None, 404, False),
    ],
)
def test_an_error_is_the_apis_in_its_own_shape_alone(body: object, status: int, is_error: bool) -> None:
    assert is_api_error(body, status) is is_error


@pytest.mark.parametrize(
    ("fields", "cancelled"),
    [
        ({"isCancelled": True}, True),
        ({"isCancelled": False}, False),
        ({"isCancelled": None}, None),
        ({}, None),
        ({"deletedAt": "2026-11-22T12:00:00Z"}, True),
        ({"isCancelled": False, "deletedAt": "2026-11-22T12:00:00Z"}, True),
        ({"isCancelled": False, "deletedAt": None}, False),
        ({"cancel": {"actionAt": "2026-11-22T12:00:00Z"}}, True),
        ({"isCancelled": False, "cancel": {"actionAt": "2026-11-22T12:00:00Z"}}, True),
        ({"isCancelled": False, "cancel": {"actionAt": "yesterday"}}, None),
        ({"isCancelled": False, "cancel": {"actionAt": "0001-01-01T00:00:00Z"}}, None),
        ({"isCancelled": False, "cancel": {"actionAt": "2026-11-24T12:00:01Z"}}, None),
        ({"isCancelled": False, "cancel": {"actionAt": "2026-11-23T12:00:00Z"}}, True),
        ({"isCancelled": True, "cancel": {"actionAt": "0001-01-01T00:00:00Z"}}, True),
        ({"isCancelled": False, "deletedAt": "0001-01-01T00:00:00Z"}, None),
        ({"cancel": {"actionAt": "0001-01-01T00:00:00Z"}, "deletedAt": "2026-11-22T12:00:00Z"}, True),
        ({"isCancelled": False, "cancel": {"actionAt": None}}, False),
        ({"isCancelled": False, "cancel": {"actionAt": ""}}, False),
        ({"isCancelled": False, "cancel": {"reason": "x"}}, False),
        ({"isCancelled": False, "cancel": "2026-11-22T12:00:00Z"}, False),
        ({"isCancelled": False, "cancel": ["actionAt"]}, False),
    ],
)
def test_cancelled_means_the_flag_or_the_time_of_the_action_or_of_the_deletion(
    fields: dict[str, object], cancelled: bool | None
) -> None:
    found = parse_appointment({"id": ID, **fields}, NOW)
    assert found is not None
    assert found.is_cancelled is cancelled


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-22T12:00:00Z", 1_795_348_800.0),
        ("2026-11-22T12:00:00.000Z", 1_795_348_800.0),
        ("2026-11-22T13:00:00+01:00", 1_795_348_800.0),
        ("2026-11-22T12:00:00", 1_795_348_800.0),
        ("0001-01-01T00:00:00Z", None),
        ("1999-12-31T23:59:59Z", None),
        ("2031-11-22T12:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("yesterday", None),
        ("2026-11-22T25:00:00Z", None),
        (1_795_348_800, None),
        ({"at": 1}, None),
        (10**400, None),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text: object, seconds: float | None) -> None:
    assert parsed(cancel={"actionAt": text}).cancelled_at == seconds


@pytest.mark.parametrize(
    ("fields", "attending", "removed"),
    [
        ({}, None, set()),
        ({"attendeeIds": []}, set(), set()),
        ({"attendeeIds": [ANN.upper(), BOB]}, {ANN, BOB}, set()),
        ({"attendeeIds": [ANN.replace("-", ""), f"{{{BOB.upper()}}}"]}, {ANN, BOB}, set()),
        ({"attendeeIds": [f"urn:uuid:{ANN}"], "attendees": [{"id": ANN.replace("-", "")}]}, {ANN}, set()),
        ({"attendeeIds": [BOB, "attendee-7"]}, None, set()),
        ({"attendeeIds": [BOB, ANN[:-1]]}, None, set()),
        ({"attendeeIds": [BOB, f"{ANN}x"]}, None, set()),
        ({"attendeeIds": [BOB], "attendees": [{"id": BOB}, {"id": "attendee-7"}]}, None, set()),
        ({"attendeeIds": [ANN, BOB], "attendees": [{"id": ANN}, {"id": BOB, "deletedAt": GONE}]}, {ANN}, {BOB}),
        ({"attendeeIds": [ANN], "attendees": [{"id": ANN}, {"id": BOB, "deletedAt": GONE}]}, {ANN}, {BOB}),
        ({"attendeeIds": [ANN], "attendees": [{"id": ANN}, {"id": BOB, "deletedAt": "0001-01-01"}]}, None, set()),
        ({"attendeeIds": [ANN], "attendees": []}, {ANN}, set()),
        ({"attendeeIds": [ANN], "attendees": [{"name": "x"}]}, {ANN}, set()),
        ({"attendeeIds": [], "attendees": [{"id": ANN}]}, None, set()),
        ({"attendeeIds": [ANN, BOB], "attendees": [{"id": ANN}]}, None, set()),
        ({"attendeeIds": [ANN], "attendees": [{"id": ANN}, {"id": BOB}]}, None, set()),
        ({"attendees": [{"id": ANN}, {"id": BOB, "deletedAt": None}]}, None, set()),
        ({"attendees": [{"id": ANN}, {"id": BOB, "deletedAt": GONE}]}, None, {BOB}),
        ({"attendees": []}, None, set()),
        ({"attendeeIds": None}, None, set()),
        ({"attendeeIds": "none"}, None, set()),
        ({"attendeeIds": {ANN: True}}, None, set()),
        ({"attendeeIds": [{"id": ANN}]}, None, set()),
        ({"attendeeIds": [BOB, None]}, None, set()),
        ({"attendeeIds": [BOB, 7]}, None, set()),
        ({"attendeeIds": [""]}, None, set()),
        ({"attendeeIds": [7], "attendees": [{"id": ANN}]}, None, set()),
        ({"attendees": [{"attendeeId": ANN}]}, None, set()),
        ({"attendees": [ANN]}, None, set()),
        ({"attendees": [{"id": 7}, {"id": BOB, "deletedAt": GONE}]}, None, {BOB}),
        ({"attendees": {"id": ANN}}, None, set()),
    ],
)
def test_absence_is_read_from_a_whole_list_of_ids_that_nothing_contradicts(
    fields: dict[str, object], attending: set[str] | None, removed: set[str]
) -> None:
    found = parsed(**fields)

    assert found.attendee_ids == attending
    assert found.removed_ids - {""} == removed


def test_an_id_in_another_spelling_is_the_same_id() -> None:
    other = ID.replace("-", "").upper()
    found = parse_appointment({"id": other, "hostIds": [ANN.replace("-", ""), "host-7"]}, NOW)

    assert found is not None
    assert (found.appointment_id, found.host_ids) == (ID, (ANN, "host-7"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b'{"id": "1',
        b"\xff\xfe\x00",
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b"\x00" * 1000,
    ],
)
def test_text_that_is_not_json_is_parsed_as_none(body: bytes) -> None:
    assert parse_json(body) is None


def test_huge_numbers_in_good_json_are_harmless() -> None:
    body = b'{"id": "%s", "isCancelled": true, "paymentId": 1e999, "start": %s}' % (ID.encode(), b"9" * 4000)
    found = parse_appointment(parse_json(body), NOW)
    assert found is not None
    assert found.start is None


def test_texts_are_cut_and_cleaned() -> None:
    found = parsed(companyId="c" * 10_000, meetingTypeId="\x1b[31mm\ud83d", cancel={"actionSource": "max@example.org"})

    assert len(found.company_id or "") == 64
    assert (found.meeting_type_id, found.cancelled_by) == ("m", "[address]")


def test_at_most_10_warnings_of_a_document_are_kept() -> None:
    assert len(parsed(resolvableErrors=[{"errorCode": str(n)} for n in range(1000)]).warnings) == 10


@pytest.mark.parametrize("value", [None, [], {}, {"appointments": None}, {"appointments": {}}, {"error": "x"}])
def test_a_page_without_a_list_of_appointments_has_none(value: object) -> None:
    assert parse_page(Answer(200), value, NOW).appointments is None


def test_a_page_counts_what_is_no_appointment_with_an_id_that_can_be_cancelled() -> None:
    items = [{"id": ID}, None, {"id": 7}, "x", {"id": "A-1"}, {}]
    page = parse_page(Answer(200), {"appointments": items, "total": "many"}, NOW)
    assert [found.appointment_id for found in page.appointments or ()] == [ID]
    assert (page.unreadable, page.size, page.total) == (5, 6, None)
    assert parse_page(Answer(200), {"appointments": [], "total": 400}, NOW).total == 400
    assert parse_page(Answer(500), {"appointments": []}, NOW).appointments is None


def test_a_long_location_is_not_cut() -> None:
    assert (parsed(location="x" * 5000 + "Berlin").location or "").endswith("Berlin")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"message": "Too Many Requests"}, "Too Many Requests"),
        ({"message": ["a", "b", "a", 7]}, "a; b"),
        ({"message": "bad", "errors": [{"field": "x", "message": "worse"}, None, {"message": 7}]}, "bad; worse"),
        ({"message": {"a": 1}, "errors": "x"}, ""),
        ({"message": "no such user max@example.org\r\n"}, "no such user [address]"),
        (["message"], ""),
        (None, ""),
    ],
)
def test_an_error_becomes_one_clean_line(value: object, message: str) -> None:
    assert parse_message(value) == message


@given(values)
def test_no_json_makes_a_parser_raise(value: Any) -> None:
    parse_page(Answer(200), value, NOW)
    assert len(parse_message(value)) <= 200
    found = parse_appointment(value, NOW)
    assert found is None or hash(found) is not None


@given(values)
def test_no_fields_of_an_appointment_make_the_parser_raise(value: Any) -> None:
    fields = value if isinstance(value, dict) else {"cancel": value, "attendees": value, "resolvableErrors": value}
    parse_appointment({**fields, "id": ID}, NOW)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_raise(body: bytes) -> None:
    parse_json(body)
    parse_json(json.dumps(body.decode("latin-1")).encode()[:-1])
