"""What goes over the wire: the documented headers, the fields that are set, and nothing else."""

from __future__ import annotations

import json

import pytest

from bulk_cancel.api.client import cancel_body
from bulk_cancel.api.port import Query
from bulk_cancel.core.model import Request, Target
from sockets.conftest import TOKEN, LineTo
from support.catalogue import APPOINTMENT, GOOD, TARGET, obedient
from support.fault_server import answering, document, response, serving

pytestmark = pytest.mark.anyio

ATTENDEE = "33333333-3333-4333-8333-333333333333"
USER = "44444444-4444-4444-8444-444444444444"
OTHER_USER = "55555555-5555-4555-8555-555555555555"


def parts(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, body = request.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("ascii").split("\r\n")
    return first, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


async def test_a_cancel_carries_exactly_these_headers(line_to: LineTo) -> None:
    async with serving(obedient) as server, line_to(server.url) as line:
        await line.cancel(TARGET, Request(reason="closed"))

    first, headers, body = parts(server.requests[0])
    assert first == f"POST /v4/appointment/{APPOINTMENT}/cancel HTTP/1.1"
    assert headers == {
        "host": server.url.removeprefix("http://").removesuffix("/v4"),
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "bulk-cancel",
        "content-type": "application/json",
        "content-length": str(len(body)),
    }


@pytest.mark.parametrize(
    ("of_line", "of_row", "sent"),
    [(None, None, None), (USER, None, USER), (None, USER, USER), (USER, OTHER_USER, OTHER_USER)],
)
async def test_the_acting_user_is_named_only_when_set_and_the_row_decides(
    of_line: str | None, of_row: str | None, sent: str | None, line_to: LineTo
) -> None:
    async with serving(obedient) as server, line_to(server.url, user_id=of_line) as line:
        await line.cancel(TARGET, Request(user_id=of_row))
        await line.read(TARGET, Request(user_id=of_row))
        await line.page(Query(0, user_id=of_row))

    assert [parts(request)[1].get("x-meetergo-api-user-id") for request in server.requests] == [sent] * 3


@pytest.mark.parametrize(
    ("target", "request_", "body"),
    [
        (TARGET, Request(), {}),
        (TARGET, Request(reason=""), {}),
        (TARGET, Request(reason="Grüße, 台風 \U0001f300"), {"reason": "Grüße, 台風 \U0001f300"}),
        (TARGET, Request(cancel_all=True), {"cancelAll": True}),
        (Target(APPOINTMENT, attendee_id=ATTENDEE), Request("x"), {"reason": "x", "attendeeId": ATTENDEE}),
        (Target(APPOINTMENT, entire_series=True), Request(), {"cancelEntireSeries": True}),
    ],
)
async def test_the_body_has_only_the_fields_that_are_set(
    target: Target, request_: Request, body: dict[str, object], line_to: LineTo
) -> None:
    async with serving(obedient) as server, line_to(server.url) as line:
        await line.cancel(target, request_)

    assert json.loads(parts(server.requests[0])[2]) == body == cancel_body(target, request_)


async def test_a_read_asks_caches_to_stay_out_of_it_and_has_no_body(line_to: LineTo) -> None:
    async with serving(obedient) as server, line_to(server.url) as line:
        answer = await line.read(TARGET, Request())

    first, headers, body = parts(server.requests[0])
    assert first == f"GET /v4/appointment/{APPOINTMENT} HTTP/1.1"
    assert (headers["cache-control"], headers["pragma"], body) == ("no-cache", "no-cache", b"")
    assert answer.appointment is not None
    assert answer.appointment.is_cancelled


async def test_a_page_is_asked_for_with_the_documented_parameters(line_to: LineTo) -> None:
    listing = b'{"appointments": [' + document(APPOINTMENT) + b', {"no": "appointment"}], "total": 2}'
    async with serving(answering(response(listing))) as server, line_to(server.url) as line:
        page = await line.page(Query(3, start="2026-11-22T00:00:00Z"))

    first = parts(server.requests[0])[0]
    assert first == (
        "GET /v4/appointment/paginated?page=3&pageSize=100&start=2026-11-22T00%3A00%3A00Z"
        "&sortBy=appointment.start&sortDirection=ASC HTTP/1.1"
    )
    assert page.appointments is not None
    assert [found.appointment_id for found in page.appointments] == [APPOINTMENT]


async def test_cookies_are_neither_kept_nor_sent(line_to: LineTo) -> None:
    baked = GOOD.replace(b"\r\n", b"\r\nSet-Cookie: session=1; Path=/\r\nSet-Cookie: other=2; Domain=127.0.0.1\r\n", 1)
    async with serving(answering(*[baked] * 2)) as server, line_to(server.url) as line:
        await line.cancel(TARGET, Request())
        await line.cancel(TARGET, Request())

    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()
