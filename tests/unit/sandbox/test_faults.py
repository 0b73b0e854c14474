"""Each fault over a real connection: what the client gets, and whether the cancel took effect."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace

import httpx
import pytest

from bulk_cancel.sandbox.people import made_id


@pytest.fixture
def single(an):
    return an("single")


def applied(sandbox):
    return sandbox.truth().applied


@pytest.mark.parametrize(("when", "times"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ("lost", httpx.RemoteProtocolError),
        ("reset", httpx.ReadError),
        ("cut", httpx.RemoteProtocolError),
        ("hang:30ms", httpx.RemoteProtocolError),
    ],
)
def test_broken_connections(sandbox, cancel, single, shape, error, when, times):
    name, _, duration = shape.partition(":")
    sandbox.set_faults(f"{name}-{when}" + (f":{duration}" if duration else ""))
    with pytest.raises(error):
        cancel(single)
    assert sum(applied(sandbox).values()) == times
    assert sandbox.truth().requests == {f"POST cancel {name}-{when}": 1}


@pytest.mark.parametrize(("when", "times"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize(
    ("shape", "status", "content_type"),
    [
        ("500", 500, "application/json"),
        ("502", 502, "text/html; charset=utf-8"),
        ("503", 503, "text/html; charset=utf-8"),
        ("html", 200, "text/html; charset=utf-8"),
        ("redirect", 307, None),
        ("204", 204, None),
        ("empty", 200, "application/json"),
        ("truncated", 201, "application/json"),
    ],
)
def test_faulty_answers_carry_no_document(sandbox, cancel, single, shape, status, content_type, when, times):
    sandbox.set_faults(f"{shape}-{when}")
    answer = cancel(single)
    assert answer.status_code == status
    assert answer.headers.get("content-type") == content_type
    assert sum(applied(sandbox).values()) == times
    with pytest.raises(KeyError if shape == "500" else ValueError):
        answer.json()["id"]


def test_a_cut_body_begins_like_the_real_one(sandbox, api, single):
    sandbox.set_faults("cut-after")
    with api.stream("POST", f"/appointment/{single}/cancel") as answer:
        assert answer.status_code == 201
        parts: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            parts.extend(answer.iter_raw())
    got = b"".join(parts)
    assert 0 < len(got) < int(answer.headers["content-length"])
    assert got.startswith(b'{"id":"' + single.encode())


def test_a_redirect_leads_to_a_trap_under_another_name(sandbox, cancel, single):
    sandbox.set_faults("redirect")
    location = cancel(single).headers["location"]
    assert location == sandbox.url.replace("127.0.0.1", "localhost").replace("/v4", "/_trap")
    assert sandbox.truth().trapped == 0
    httpx.post(location.replace("localhost", "127.0.0.1"), trust_env=False)
    assert sandbox.truth().trapped == 1


@pytest.mark.parametrize(("when", "times"), [("before", 0), ("after", 1)])
def test_success_that_shows_another_appointment(sandbox, cancel, single, when, times):
    sandbox.set_faults(f"other-id-{when}")
    answer = cancel(single)
    assert answer.status_code == 201
    assert answer.json()["id"] != single
    assert answer.json()["isCancelled"] is True
    assert sum(applied(sandbox).values()) == times


@pytest.mark.parametrize(("when", "times"), [("before", 0), ("after", 1)])
def test_success_that_shows_the_target_still_active(sandbox, cancel, an, when, times):
    sandbox.set_faults(f"not-cancelled-{when}")
    attendee = sandbox.appointment(an("group")).attendee_ids[0]
    whole, part = cancel(an("single")), cancel(an("group"), attendeeId=attendee)
    assert whole.status_code == part.status_code == 201
    assert (whole.json()["isCancelled"], whole.json()["cancel"]) == (False, None)
    assert attendee in part.json()["attendeeIds"]
    assert sum(applied(sandbox).values()) == 2 * times


def test_a_fault_does_not_hide_a_refusal_behind_success(sandbox, cancel, an):
    sandbox.set_faults("other-id-after")
    assert cancel(an("cancelled")).status_code == 400


def test_429_on_request(sandbox, cancel, single):
    sandbox.set_faults(f"429@{single}")
    assert cancel(single).json() == {"statusCode": 429, "message": "Too Many Requests", "error": "Too Many Requests"}
    assert sandbox.truth().throttled == 0
    assert cancel(single).status_code == 201


def test_a_late_cancel_takes_effect_when_it_is_due(sandbox, dial, api, cancel, single):
    sandbox.set_faults("late:5s")
    with pytest.raises(httpx.RemoteProtocolError):
        cancel(single)
    dial.turn(4.9)
    assert api.get(f"/appointment/{single}").json()["isCancelled"] is False
    assert (applied(sandbox), sandbox.truth().late) == ({}, 1)
    dial.turn(0.1)
    assert api.get(f"/appointment/{single}").json()["isCancelled"] is True
    assert (applied(sandbox), sandbox.truth().late) == ({single: 1}, 0)


def test_the_truth_has_a_late_cancel_without_any_further_request(sandbox, dial, cancel, single):
    sandbox.set_faults("502-late:5s")
    assert cancel(single).status_code == 502
    dial.turn(5)
    assert applied(sandbox) == {single: 1}


@pytest.mark.parametrize(("second_cancel", "times"), [("refuse", 1), ("mail_again", 2)])
def test_a_resend_before_a_late_effect_is_a_double_cancel_where_the_server_mails_again(
    sandbox, dial, cancel, single, second_cancel, times
):
    sandbox.reset(replace(sandbox.options, second_cancel=second_cancel, faults=f"late@{single}:5s"))
    with pytest.raises(httpx.RemoteProtocolError):
        cancel(single)
    assert cancel(single).status_code == 201
    dial.turn(5)
    assert applied(sandbox) == {single: times}


def test_a_refused_cancel_stays_refused_when_it_comes_late(sandbox, dial, cancel, an):
    sandbox.set_faults("500-late:1s")
    cancel(an("group"))
    dial.turn(2)
    assert applied(sandbox) == {}


def test_stale_reads_show_the_state_before_for_a_while(sandbox, dial, api, cancel, single):
    sandbox.set_faults("stale:3s")
    cancel(single)
    page = {"page": 0, "pageSize": 100}
    for turned, shown in ((0, False), (2.9, False), (0.1, True)):
        dial.turn(turned)
        assert api.get(f"/appointment/{single}").json()["isCancelled"] is shown
        listed = api.get("/appointment/paginated", params=page).json()["appointments"]
        assert [each["isCancelled"] for each in listed if each["id"] == single] == [shown]
    assert applied(sandbox) == {single: 1}


def test_a_late_effect_is_stale_from_when_it_was_due(sandbox, dial, api, cancel, single):
    sandbox.set_faults("500-late:5s,stale:3s")
    cancel(single)
    dial.turn(7)
    assert api.get(f"/appointment/{single}").json()["isCancelled"] is False
    dial.turn(1)
    assert api.get(f"/appointment/{single}").json()["isCancelled"] is True


def test_reads_have_faults_of_their_own(sandbox, api, cancel, single):
    sandbox.set_faults(f"get:500@{single},get:lost@{single},get:not-cancelled@{single}")
    assert cancel(single).status_code == 201
    assert api.get(f"/appointment/{single}").status_code == 500
    with pytest.raises(httpx.RemoteProtocolError):
        api.get(f"/appointment/{single}")
    assert api.get(f"/appointment/{single}").json()["isCancelled"] is False
    assert api.get(f"/appointment/{single}").json()["isCancelled"] is True


def test_lists_can_have_faults(sandbox, api):
    sandbox.set_faults("get:503")
    assert api.get("/appointment/paginated", params={"page": 0, "pageSize": 1}).status_code == 503


def test_a_hanging_answer_ends_with_the_client(sandbox, api, single):
    sandbox.set_faults("hang-after")
    with pytest.raises(httpx.ReadTimeout):
        api.post(f"/appointment/{single}/cancel", timeout=0.05)
    assert applied(sandbox) == {single: 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delayed_answer_differs_only_in_its_time(sandbox, api, single, when):
    sandbox.set_faults(f"delay-{when}:20ms")
    answer = api.post(f"/appointment/{single}/cancel")
    assert answer.json()["isCancelled"] is True
    assert answer.elapsed.total_seconds() >= 0.02
    assert applied(sandbox) == {single: 1}


def test_a_delayed_cancel_takes_effect_after_its_client_left(sandbox, api, single):
    sandbox.set_faults("delay:60ms")
    with pytest.raises(httpx.ReadTimeout):
        api.post(f"/appointment/{single}/cancel", timeout=0.02)
    assert applied(sandbox) == {}
    wait_until(lambda: applied(sandbox) == {single: 1})


def test_a_dripping_answer_arrives_whole_in_the_end(sandbox, api, cancel, single):
    sandbox.set_faults("drip-after:0ms")
    with api.stream("POST", f"/appointment/{single}/cancel") as answer:
        parts = list(answer.iter_raw())
    assert len(parts) > 20
    assert json.loads(b"".join(parts))["isCancelled"] is True
    sandbox.set_faults("")
    assert api.get(f"/appointment/{single}").status_code == 200


def test_a_dripping_answer_outlasts_a_read_timeout(sandbox, api, single):
    sandbox.set_faults("drip:10ms")
    with api.stream("POST", f"/appointment/{single}/cancel", timeout=1) as answer:
        for arrived, _ in enumerate(answer.iter_raw()):
            if arrived == 3:
                break


def test_faults_make_no_noise(sandbox, api, single, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    for shape in ("lost", "reset", "cut", "hang:10ms"):
        sandbox.set_faults(shape)
        with pytest.raises(httpx.TransportError):
            api.post(f"/appointment/{single}/cancel")
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))] == []
    assert capfd.readouterr() == ("", "")


def test_faults_can_be_changed_over_http(sandbox, api, cancel, single):
    base = sandbox.url.removesuffix("/v4")
    assert api.post(f"{base}/_faults", json={"faults": "500"}).status_code == 204
    assert cancel(single).status_code == 500
    refused = api.post(f"{base}/_faults", json={"faults": "bogus"})
    assert refused.status_code == 400
    assert "no known shape" in refused.json()["message"]
    assert api.post(f"{base}/_faults", json={}).status_code == 400
    assert cancel(single).status_code == 500
    assert api.post(f"{base}/_reset").status_code == 204
    assert cancel(single).status_code == 201


def test_the_same_seed_meets_the_same_faults(sandbox, api):
    def statuses():
        sandbox.reset()
        sandbox.set_faults("500=0.5")
        return [api.post(f"/appointment/{made_id(f'x{number}')}/cancel").status_code for number in range(30)]

    first = statuses()
    assert set(first) == {404, 500}
    assert statuses() == first


def wait_until(condition):
    pause = threading.Event()
    for _ in range(200):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("waited in vain")
