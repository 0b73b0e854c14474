"""Pending bookings, meeting types and availability: what is read, and that any other shape is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.api.closure_documents import parse_meeting_types, parse_pending, parse_slots
from bulk_cancel.core.model import Answer

OK = Answer(200)
START = "2026-12-24T09:00:00Z"
FREE = {"startTime": START, "unavailabilityEvents": []}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["dates", "spots", "id", "dto", "start"]), inner),
)


def slots(*spots: object) -> tuple[str, ...] | None:
    return parse_slots(OK, {"dates": [{"date": "2026-12-24", "spots": list(spots)}]}).items


@pytest.mark.parametrize(
    ("spot", "starts"),
    [
        (FREE, (START,)),
        ({"start": START, "unavailabilityEvents": []}, (START,)),
        (FREE | {"unavailabilityEvents": [{"type": "blocked"}]}, ()),
        (FREE | {"appointment": None}, (START,)),
        (FREE | {"appointment": {"id": "a"}, "takenSpots": 2, "totalSpots": 5}, (START,)),
        (FREE | {"appointment": {"takenSpots": 2, "totalSpots": 5}}, (START,)),
        (FREE | {"appointment": {"id": "a"}, "takenSpots": 5, "totalSpots": 5}, ()),
        (FREE | {"appointment": {"id": "a"}}, None),  # nobody can tell whether a place is left
        ({"startTime": START}, None),
        ({"startTime": "soon", "unavailabilityEvents": []}, None),
        ({"unavailabilityEvents": []}, None),
        (START, None),
    ],
)
def test_each_kind_of_slot_is_read_as_bookable_taken_or_unknown(spot: object, starts: tuple[str, ...] | None) -> None:
    assert slots(spot) == starts
    assert slots(FREE, spot) == (None if starts is None else (START, *starts))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"slots": [{"date": "2026-12-24", "times": []}]},
        {"availableSlots": []},
        {"dates": [{"spots": {}}]},
    ],
)
def test_an_availability_of_another_shape_is_parsed_as_none(value: object) -> None:
    assert parse_slots(OK, value).items is None
    assert parse_slots(Answer(404), {"dates": []}).items is None


BOOKING = {
    "id": "b-1",
    "type": "double_opt_in",
    "hosts": [{"id": "H-1", "email": "host@example.org"}],
    "meetingTypeId": "t-1",
    "dto": {"start": START, "attendee": {"firstname": "Ada", "email": "ada@example.org"}, "bookingPassword": "s3cret"},
}


def test_a_pending_booking_keeps_no_name_and_no_secret_unless_names_are_asked_for() -> None:
    page = parse_pending(OK, {"provisionalBookings": [BOOKING], "total": 7})
    assert page.items is not None
    (booking,) = page.items
    assert (booking.booking_id, booking.kind, booking.start) == ("b-1", "for the guest to confirm", START)
    assert (booking.host_ids, booking.meeting_type_id, booking.contacts) == (("h-1",), "t-1", ())
    assert (page.size, page.unreadable, page.total) == (1, 0, 7)
    named = parse_pending(OK, {"provisionalBookings": [BOOKING]}, with_contacts=True).items or ()
    assert named[0].contacts[0].email == "ada@example.org"
    assert not [text for text in ("Ada", "ada@", "s3cret", "host@") if text in repr(named)]


def test_what_a_pending_booking_waits_for_is_told_in_words() -> None:
    items = [BOOKING | {"type": kind} for kind in ("host_approval", "new_kind", None)]
    page = parse_pending(OK, {"provisionalBookings": items})
    told = [one.kind for one in page.items or ()]
    assert told == ["for the host to approve", "of the kind new_kind", "of an unknown kind"]


def test_unreadable_bookings_are_counted_and_deleted_ones_left_out() -> None:
    items = [BOOKING, None, {"id": "b-2"}, BOOKING | {"dto": {"start": "soon"}}, BOOKING | {"deletedAt": START}]
    page = parse_pending(OK, {"provisionalBookings": items})
    assert (len(page.items or ()), page.size, page.unreadable) == (1, 5, 3)
    assert parse_pending(OK, {"items": [BOOKING]}).items is None


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ([{"id": "T-1"}, {"id": "t-2"}], ("t-1", "t-2")),
        ({"meetingTypes": [{"id": "t-1"}]}, ("t-1",)),
        ([{"id": "t-1"}, {}], None),
        ({"items": []}, None),
        (None, None),
    ],
)
def test_meeting_types_are_a_list_of_ids_or_none(value: object, ids: tuple[str, ...] | None) -> None:
    assert parse_meeting_types(OK, value).items == ids


@given(JSON)
def test_no_json_makes_a_parser_raise(value: Any) -> None:
    parse_slots(OK, value)
    parse_slots(OK, {"dates": value})
    parse_pending(OK, {"provisionalBookings": value}, with_contacts=True)
    parse_meeting_types(OK, value)
