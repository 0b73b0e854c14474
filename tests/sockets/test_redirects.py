"""A redirect is an answer that proves nothing. It is never followed, and the credential stays with its host."""

from __future__ import annotations

import pytest

from bulk_cancel.api.port import Query
from bulk_cancel.core.model import Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from bulk_cancel.core.readings import reading_of
from sockets.conftest import LineTo
from support.catalogue import TARGET, obedient
from support.fault_server import answering, response, serving

pytestmark = pytest.mark.anyio

STATUSES = ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]


@pytest.mark.parametrize("status", STATUSES)
async def test_a_redirect_is_not_followed(status: str, line_to: LineTo) -> None:
    async with serving(obedient) as trap:
        redirect = response(b"", status, f"Location: {trap.url}/appointment/x/cancel")
        async with serving(answering(*[redirect] * 3)) as server, line_to(server.url) as line:
            cancelled = await line.cancel(TARGET, Request())
            read = await line.read(TARGET, Request())
            page = await line.page(Query(0))

            assert classify_cancel(TARGET, cancelled).kind is Kind.NONSENSE
            assert reading_of(TARGET.appointment_id, read, 0.0) is None
            assert page.appointments is None
            assert len(server.requests) == 3
        assert trap.connections == []


@pytest.mark.parametrize(
    "location",
    [
        "",
        "//",
        "/v4/elsewhere",
        "https:///",
        "http://[::1",
        "http://a:99999999",
        "\xff\xfe",
        "mailto:x",
        "javascript:",
        "x" * 70_000,
    ],
)
async def test_a_redirect_to_an_invalid_location_proves_nothing(location: str, line_to: LineTo) -> None:
    redirect = response(b"", "307 Temporary Redirect", f"Location: {location}")
    async with serving(answering(redirect), obedient) as server, line_to(server.url) as line:
        answer = await line.cancel(TARGET, Request())

        assert classify_cancel(TARGET, answer).kind in (Kind.NONSENSE, Kind.NO_ANSWER)
        assert len(server.requests) == 1
