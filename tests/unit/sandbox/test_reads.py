"""The reads, their paging, and who may see what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bulk_cancel.sandbox.credentials import EXPIRED_TOKEN, HOST_TOKEN, OWNER_TOKEN, PLATFORM_KEY, USER_HEADER
from bulk_cancel.sandbox.people import COLLEAGUE, HOST, OWNER, USERS, made_id
from bulk_cancel.sandbox.server import SandboxOptions
from support.worlds import reschedule_elsewhere

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def pages(api, **parameters):
    found, page = [], 0
    while True:
        answer = api.get("/appointment/paginated", params={"page": page, "pageSize": 100, **parameters}).json()
        found += answer["appointments"]
        page += 1
        if len(answer["appointments"]) < 100:
            assert answer["total"] == len(found)
            return found


def test_a_read_returns_the_document_of_the_cancel(api, cancel, an):
    cancelled = cancel(an("single")).json()
    assert api.get(f"/appointment/{an('single')}").json() == cancelled


def test_an_unknown_appointment_is_not_found(api):
    answer = api.get(f"/appointment/{made_id('nobody')}")
    assert answer.status_code == 404
    assert answer.json() == {"statusCode": 404, "message": "Appointment not found", "error": "Not Found"}


def test_pages_list_each_own_appointment_once_by_start(sandbox, api):
    sandbox.reset(SandboxOptions(count=450, burst=100))
    own = [each for each in sandbox.world.appointments.values() if OWNER.id in each.host_ids]
    found = pages(api)
    assert sorted(each["id"] for each in found) == sorted(each.id for each in own)
    starts = [datetime.fromisoformat(each["start"]) for each in found]
    assert starts == sorted(starts)


def test_pages_can_be_sorted_in_descending_order(sandbox, api):
    sandbox.reset(SandboxOptions(count=40))
    created = [each["createdAt"] for each in pages(api, sortBy="appointment.createdAt", sortDirection="DESC")]
    assert created == sorted(created, reverse=True)


def test_bounds_are_on_the_start_and_inclusive(sandbox, api):
    sandbox.reset(SandboxOptions(count=300))
    by_start = sorted((each.start, each.id) for each in sandbox.world.appointments.values())
    first, last = by_start[50][0], by_start[150][0]
    wanted = {
        each.id
        for each in sandbox.world.appointments.values()
        if first <= each.start <= last and OWNER.id in each.host_ids
    }
    assert {each["id"] for each in pages(api, start=first.isoformat(), end=last.isoformat())} == wanted


def test_a_page_beyond_the_end_is_empty(api):
    answer = api.get("/appointment/paginated", params={"page": 9, "pageSize": 100}).json()
    assert answer["appointments"] == []
    assert answer["total"] > 0


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({}, ["page", "pageSize"]),
        ({"page": "-1", "pageSize": "101"}, ["page", "pageSize"]),
        ({"page": "0", "pageSize": "0"}, ["pageSize"]),
        ({"page": "²", "pageSize": "5"}, ["page"]),
        ({"page": "0", "pageSize": "5", "start": "soon"}, ["start"]),
        ({"page": "0", "pageSize": "5", "sortBy": "start"}, ["sortBy"]),
        ({"page": "0", "pageSize": "5", "status": "open"}, ["status"]),
    ],
)
def test_wrong_parameters_are_refused_by_name(api, parameters, wrong):
    answer = api.get("/appointment/paginated", params=parameters)
    assert answer.status_code == 400
    assert sorted(error["field"] for error in answer.json()["errors"]) == wrong


def test_selecting_by_meeting_type_search_and_user(sandbox, api, an):
    group = sandbox.appointment(an("group"))
    assert [each["id"] for each in pages(api, meetingTypeId=group.meeting_type.id)] == [group.id]
    assert [each["id"] for each in pages(api, search=f"GUEST-{group.attendee_ids[0][:8]}")] == [group.id]
    assert {each["id"] for each in pages(api, userId=HOST.id)} == {an("other-host"), an("cohosted")}


def test_a_cohosted_appointment_appears_for_each_host(api, an):
    for user in (OWNER, HOST, COLLEAGUE):
        assert an("cohosted") in {each["id"] for each in pages(api, userId=user.id)}


def test_the_sandbox_lists_users_and_meeting_types(api):
    answer = api.get("/user", params={"limit": 2, "offset": 1}).json()
    assert answer["total"] == len(USERS)
    assert [user["id"] for user in answer["users"]] == [HOST.id, COLLEAGUE.id]
    assert api.get("/user", params={"limit": "all"}).status_code == 400
    assert api.get("/user/me").json()["id"] == OWNER.id
    assert [each["name"] for each in (kind["meetingInfo"] for kind in api.get("/meeting-type").json())] == [
        "Consultation",
        "Check-up",
        "Workshop",
    ]


def test_a_host_sees_and_cancels_only_their_own(sandbox, connect, an):
    host = connect(HOST_TOKEN)
    assert {each["id"] for each in pages(host)} == {an("other-host"), an("cohosted")}
    assert host.get(f"/appointment/{an('single')}").status_code == 403
    assert host.post(f"/appointment/{an('single')}/cancel").status_code == 403
    assert sandbox.truth().applied == {}
    assert host.post(f"/appointment/{an('other-host')}/cancel").status_code == 201
    assert host.get("/user").status_code == 403
    own_page = {"page": 0, "pageSize": 1, "userId": OWNER.id}
    assert host.get("/appointment/paginated", params=own_page).status_code == 403


@pytest.mark.parametrize("token", [None, "rgo-", "rgo-wrong", EXPIRED_TOKEN, "ak_live:wrong:wrong"])
def test_a_wrong_credential_is_refused(connect, token):
    answer = connect(token).get("/user/me")
    assert answer.status_code == 401
    assert answer.json() == {"statusCode": 401, "message": "Unauthorized", "error": "Unauthorized"}


def test_any_personal_token_on_request(sandbox, connect):
    sandbox.reset(SandboxOptions(any_personal_token=True))
    assert connect("rgo-mine").get("/user/me").json()["id"] == OWNER.id
    assert connect(EXPIRED_TOKEN).get("/user/me").status_code == 401
    assert connect("mine").get("/user/me").status_code == 401


def test_a_personal_token_acts_as_its_owner_only(connect):
    assert connect(OWNER_TOKEN, **{USER_HEADER: OWNER.id}).get("/user/me").status_code == 200
    assert connect(OWNER_TOKEN, **{USER_HEADER: HOST.id}).get("/user/me").status_code == 403


def test_a_platform_key_needs_to_name_a_user(connect, an):
    nobody, owner = connect(PLATFORM_KEY), connect(PLATFORM_KEY, **{USER_HEADER: OWNER.id})
    assert nobody.get("/user/me").json()["id"] == OWNER.id
    for path in ("/user", "/meeting-type", "/appointment/paginated?page=0&pageSize=1", f"/appointment/{an('paid')}"):
        assert nobody.get(path).status_code == 400
        assert owner.get(path).status_code == 200
    assert nobody.post(f"/appointment/{an('paid')}/cancel").status_code == 400
    assert owner.post(f"/appointment/{an('paid')}/cancel").status_code == 201


def test_a_platform_key_acts_as_the_named_user(connect, an):
    host = connect(PLATFORM_KEY, **{USER_HEADER: HOST.id})
    assert host.post(f"/appointment/{an('single')}/cancel").status_code == 403
    assert connect(PLATFORM_KEY, **{USER_HEADER: made_id("nobody")}).get("/user/me").status_code == 403


def test_some_start_times_have_an_offset(sandbox, api):
    sandbox.reset(SandboxOptions(count=40))
    starts = {each["location"]: each["start"] for each in pages(api)}
    assert starts["Hamburg office"].endswith("+01:00")
    assert starts["Berlin office"].endswith("Z")


def test_an_appointment_can_be_moved_by_someone_else(sandbox, api, an):
    before = datetime.fromisoformat(api.get(f"/appointment/{an('single')}").json()["start"])
    reschedule_elsewhere(sandbox, an("single"), timedelta(hours=2))
    after = datetime.fromisoformat(api.get(f"/appointment/{an('single')}").json()["start"])
    assert after - before == timedelta(hours=2)
