"""The sandbox's routes around a closure, as existing clients call them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bulk_cancel.sandbox.people import CHECK_UP, CONSULTATION, HOST, OWNER, WORKSHOP
from bulk_cancel.sandbox.quirks import Quirk, parse_quirks
from bulk_cancel.sandbox.server import SandboxOptions
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.worlds import of_kind

WORLD = World.of([Wanted(), Wanted(Kind.GROUP), Wanted(Kind.OTHER_HOST), Wanted(Kind.PAST)], seed=7)
(GROUP,) = of_kind(WORLD, Kind.GROUP)


@pytest.fixture
def around(sandbox, api):
    def around(*quirks: Quirk, **given):
        sandbox.reset(SandboxOptions(world=WORLD, burst=10_000, quirks=frozenset(quirks), **given))
        return api

    return around


def slots(api, day=None, **given):
    day = day or GROUP.start.date()
    asked = {
        "meetingTypeId": CONSULTATION.id,
        "hostIds": OWNER.id,
        "start": f"{day}T00:00:00Z",
        "end": f"{day}T23:59:59Z",
        "timezone": "Europe/Berlin",
        "refreshCache": "true",
    }
    return api.get("/booking-availability", params=asked | given)


def free(answer):
    return [
        spot["startTime"]
        for day in answer.json()["dates"]
        for spot in day["spots"]
        if not spot["unavailabilityEvents"] and spot.get("takenSpots", 0) < spot.get("totalSpots", 1)
    ]


def test_pending_bookings_by_status_and_host(around):
    api = around(pending=2)
    of_owner = api.get("/provisional-booking/paginated", params={"page": 0, "pageSize": 10}).json()
    assert (len(of_owner["provisionalBookings"]), of_owner["total"]) == (1, 1)
    of_host = api.get("/provisional-booking/paginated", params={"status": "pending", "userId": HOST.id}).json()
    assert {host["id"] for each in of_host["provisionalBookings"] for host in each["hosts"]} == {HOST.id}
    declined = api.get("/provisional-booking/paginated", params={"status": "declined_by_host"}).json()
    assert declined["provisionalBookings"] == []
    assert api.get("/provisional-booking/paginated", params={"status": "open"}).status_code == 400


@pytest.mark.parametrize("path", ["/provisional-booking/paginated", "/booking-availability", "/meeting-type", "/user"])
def test_read_faults_apply_to_the_reads_of_a_closure(around, path):
    api = around(faults="get:503")
    assert api.get(path, params={"meetingTypeId": CONSULTATION.id, "hostIds": OWNER.id}).status_code == 503


def test_an_appointment_takes_its_slot_and_a_group_booking_one_place_of_it(around):
    api = around()
    start = GROUP.start.isoformat()
    assert start not in free(slots(api))
    as_group = slots(api, meetingTypeId=WORKSHOP.id)
    taken = len(GROUP.attendee_ids)
    assert (start in free(as_group)) == (taken < 5)
    assert start in free(slots(api, hostIds=HOST.id))


def test_slots_need_a_host_a_known_type_and_valid_parameters(around):
    api = around()
    assert slots(api, hostIds="").status_code == 400
    assert slots(api, meetingTypeId=OWNER.id).status_code == 404
    assert slots(api, start="soon").status_code == 400
    assert slots(api, colour="blue").status_code == 400


def test_an_answer_is_kept_until_a_fresh_one_is_asked_for(around, sandbox):
    api = around()
    assert free(slots(api, meetingTypeId=CHECK_UP.id))
    sandbox.block(GROUP.start.date())
    assert free(slots(api, meetingTypeId=CHECK_UP.id, refreshCache="false"))
    assert not free(slots(api, meetingTypeId=CHECK_UP.id))


def test_a_day_is_blocked_from_outside(around, sandbox, connect):
    api = around()
    root = sandbox.url.removesuffix("/v4")
    assert connect().post(f"{root}/_block", json={"day": str(GROUP.start.date())}).status_code == 204
    assert not free(slots(api))
    assert connect().post(f"{root}/_block", json={"day": "Monday"}).status_code == 400


@pytest.mark.parametrize(
    ("quirk", "key"),
    [(Quirk.SLOTS_TIMES, "slots"), (Quirk.SLOTS_AVAILABLE, "availableSlots"), (Quirk.SLOTS_BARE, "dates")],
)
def test_other_shapes_of_the_availability(quirk, key, around):
    document = slots(around(quirk)).json()
    assert [*document] == [key]
    assert "unavailabilityEvents" not in str(document)


def test_lists_by_status_and_the_appointments_of_today(around, sandbox):
    api = around()
    of_status = [
        len(
            api.get("/appointment/paginated", params={"page": 0, "pageSize": 9, "status": status}).json()[
                "appointments"
            ]
        )
        for status in ("active", "cancelled")
    ]
    assert of_status == [3, 0]
    today = api.get("/appointment/today").json()
    now = datetime.now(UTC)
    assert all(datetime.fromisoformat(each["start"]) - now < timedelta(days=1) for each in today)
    assert isinstance(today, list)


def test_users_have_given_and_family_names(around):
    users = around().get("/user").json()["users"]
    assert all({"givenName", "familyName"} <= {*each} for each in users)


def test_quirks_are_named_in_a_list():
    assert parse_quirks(" pages-of-25, no-total ") == {Quirk.PAGES_OF_25, Quirk.NO_TOTAL}
    with pytest.raises(ValueError, match="known are pages-of-25"):
        parse_quirks("odd")
