"""What a cancel does, over real HTTP, and that the truth counts it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bulk_cancel.sandbox.documents import appointment_document
from bulk_cancel.sandbox.people import OWNER, made_id
from bulk_cancel.sandbox.world import CANARY, Kind
from support.worlds import cancel_elsewhere, of_kind, post_count

NOBODY = made_id("nobody")


def test_a_cancel_answers_with_the_whole_cancelled_appointment(sandbox, cancel, an):
    answer = cancel(an("single"), reason="closed")
    assert answer.status_code == 201
    body = answer.json()
    assert body["id"] == an("single")
    assert body["isCancelled"] is True
    assert body["cancel"]["reason"] == "closed"
    assert body["cancel"]["actionBy"] == OWNER.id
    assert body["cancel"]["actionAt"].endswith("Z")
    assert sandbox.truth().applied == {an("single"): 1}
    assert sandbox.truth().mails == {an("single"): 1}


def test_a_cancel_needs_no_body(api, an):
    assert api.post(f"/appointment/{an('single')}/cancel").status_code == 201


def test_secrets_and_personal_data_of_the_sandbox_contain_a_marker(cancel, an):
    body = cancel(an("single")).json()
    attendee = body["attendees"][0]
    secrets = [body["secret"], body["ics"], json.dumps(body["hostingInfo"]), attendee["secret"]]
    personal = [attendee["firstname"], attendee["fullname"], attendee["email"]]
    assert all(CANARY in text.lower() for text in secrets + personal)
    del body["secret"], body["ics"], body["hostingInfo"], body["attendees"]
    assert CANARY not in json.dumps(body).lower()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"reason": "x" * 501}, ["reason"]),
        ({"reason": 7}, ["reason"]),
        ({"cancelAll": "yes"}, ["cancelAll"]),
        ({"attendeeId": "me"}, ["attendeeId"]),
        ({"cancelEntireSeries": None}, ["cancelEntireSeries"]),
        ({"notify": False, "reason": "x" * 501}, ["notify", "reason"]),
    ],
)
def test_a_wrong_body_is_refused_with_every_wrong_field(sandbox, cancel, an, fields, wrong):
    answer = cancel(an("single"), **fields)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Validation failed"
    assert answer.json()["error"] == "Bad Request"
    assert [error["field"] for error in answer.json()["errors"]] == wrong
    assert sandbox.truth().applied == {}


@pytest.mark.parametrize("body", ["{", "[]", '"reason"', "\xff"])
def test_a_body_that_is_not_an_object_is_refused(api, an, body):
    assert api.post(f"/appointment/{an('single')}/cancel", content=body.encode("latin-1")).status_code == 400


def test_a_reason_of_500_characters_is_allowed(cancel, an):
    assert cancel(an("single"), reason="ä" * 500).status_code == 201


def test_a_group_booking_needs_an_attendee_or_cancel_all(sandbox, cancel, an):
    assert cancel(an("group")).status_code == 400
    assert sandbox.truth().applied == {}
    assert cancel(an("group"), cancelAll=True).json()["isCancelled"] is True
    assert sandbox.truth().applied == {an("group"): 1}


def test_removing_an_attendee_leaves_the_others(sandbox, cancel, an):
    first, *others = sandbox.appointment(an("group")).attendee_ids
    body = cancel(an("group"), attendeeId=first).json()
    assert body["isCancelled"] is False
    assert body["attendeeIds"] == others
    assert [attendee["id"] for attendee in body["attendees"]] == others
    assert sandbox.truth().applied == {f"{an('group')}/{first}": 1}
    assert cancel(an("group"), attendeeId=first).status_code == 404
    assert sandbox.truth().applied == {f"{an('group')}/{first}": 1}


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("group", {"attendeeId": NOBODY}, 404),
        ("group", {"attendeeId": NOBODY, "cancelAll": True}, 400),
        ("group", {"cancelAll": True, "cancelEntireSeries": True}, 400),
        ("series", {"attendeeId": NOBODY, "cancelEntireSeries": True}, 400),
        ("single", {"attendeeId": NOBODY}, 400),
        ("single", {"cancelAll": True}, 201),
        ("single", {"cancelEntireSeries": True}, 201),
        ("past", {}, 201),
        ("paid", {}, 201),
        ("cohosted", {}, 201),
        ("other-host", {}, 201),
    ],
)
def test_the_scope_of_a_cancel_has_to_fit_the_appointment(cancel, an, kind, fields, status):
    assert cancel(an(kind), **fields).status_code == status


def test_a_series_takes_its_future_occurrences_along_and_nothing_else(sandbox, cancel):
    first, *siblings, other_series = of_kind(sandbox.world, Kind.SERIES)
    assert len(cancel(first.id, cancelEntireSeries=True).json()) > 1
    assert sandbox.truth().applied == {each.id: 1 for each in [first, *siblings]}
    assert sandbox.appointment(other_series.id).cancellation is None


def test_one_occurrence_alone_leaves_its_series(sandbox, cancel):
    first, second, *_ = of_kind(sandbox.world, Kind.SERIES)
    cancel(first.id)
    assert sandbox.appointment(second.id).cancellation is None


def test_no_answer_shows_the_series(sandbox):
    occurrence = of_kind(sandbox.world, Kind.SERIES)[0]
    assert occurrence.series_id not in json.dumps(appointment_document(occurrence))


def test_a_second_cancel_is_refused(sandbox, cancel, an):
    cancel(an("single"))
    assert cancel(an("single")).status_code == 400
    assert cancel(an("cancelled")).status_code == 400
    assert sandbox.truth().applied == {an("single"): 1}
    assert sandbox.truth().doubled == ()


def test_a_second_cancel_can_be_made_to_mail_again(sandbox, api, an):
    sandbox.reset(replace(sandbox.options, second_cancel="mail_again"))
    for _ in range(2):
        assert api.post(f"/appointment/{an('single')}/cancel", json={}).status_code == 201
    assert sandbox.truth().applied == {an("single"): 2}
    assert sandbox.truth().doubled == (an("single"),)
    assert sandbox.truth().mails == {an("single"): 2}


def test_the_sandbox_shows_warnings_and_payments(cancel, an):
    assert cancel(an("sync-error")).json()["resolvableErrors"] == [{"errorCode": "CALENDAR_SYNC_FAILED"}]
    assert cancel(an("single")).json()["resolvableErrors"] == []
    assert "paymentId" in cancel(an("paid")).json()
    assert "paymentId" not in cancel(an("past")).json()


@pytest.mark.parametrize(("id_", "status"), [(NOBODY, 404), ("not-a-uuid", 400), ("%7B" + NOBODY + "%7D", 400)])
def test_an_unknown_or_invalid_id_is_refused(cancel, id_, status):
    assert cancel(id_).status_code == status


def test_upper_case_ids_are_the_same_appointment(sandbox, cancel, an):
    assert cancel(an("single").upper()).json()["id"] == an("single")


def test_a_cancellation_by_someone_else_is_not_counted(sandbox, cancel, an):
    cancel_elsewhere(sandbox, an("single"))
    assert cancel(an("single")).status_code == 400
    assert sandbox.truth().applied == {}


def test_requests_are_counted_by_route_and_answer(sandbox, api, cancel, an):
    cancel(an("single"))
    cancel(an("group"))
    api.get(f"/appointment/{an('single')}")
    api.get("/elsewhere")
    truth = sandbox.truth()
    assert truth.requests == {
        "POST cancel 201": 1,
        "POST cancel 400": 1,
        "GET appointment 200": 1,
        "GET other 404": 1,
    }
    assert post_count(truth) == 2
    assert [(arrival.method, arrival.route) for arrival in sandbox.arrivals()] == [
        ("POST", "cancel"),
        ("POST", "cancel"),
        ("GET", "appointment"),
        ("GET", "other"),
    ]
    assert sandbox.arrivals()[0].target == an("single")
