"""What a proxy answers by itself is never the API's word; and a proxy that refuses the way has passed nothing on."""

from __future__ import annotations

import ssl

import pytest

from bulk_cancel.api.port import Query
from bulk_cancel.api.transports import over_httpx
from bulk_cancel.core.model import Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from bulk_cancel.core.readings import reading_of
from sockets.conftest import LineTo
from support.catalogue import TARGET
from support.fault_server import answering, response, serving

pytestmark = pytest.mark.anyio

PAGE = b"<html><title>proxy</title><body>The page cannot be shown.</body></html>"
STATUSES = [
    "400 Bad Request",
    "403 Forbidden",
    "404 Not Found",
    "407 Proxy Authentication Required",
    "408 Request Timeout",
    "410 Gone",
    "422 Unprocessable Content",
    "502 Bad Gateway",
    "504 Gateway Timeout",
]


@pytest.mark.parametrize("status", STATUSES)
async def test_a_refused_connect_is_not_sent(status: str, line_to: LineTo, tls: ssl.SSLContext) -> None:
    refusal = response(PAGE, status, "Content-Type: text/html")
    async with (
        serving(answering(refusal), answering(refusal)) as proxy,
        line_to("https://api.example.invalid/v4", transport=over_httpx(tls, proxy.url)) as line,
    ):
        answer = await line.cancel(TARGET, Request())
        read = await line.read(TARGET, Request())
        assert all(request.startswith(b"CONNECT ") for request in proxy.requests)
        assert classify_cancel(TARGET, answer).kind is Kind.NOT_SENT
        assert reading_of(TARGET.appointment_id, read, 0.0) is None


async def test_a_proxy_that_fails_is_named_without_its_password(line_to: LineTo, tls: ssl.SSLContext) -> None:
    refusal = response(PAGE, "407 Proxy Authentication Required")
    async with serving(answering(refusal)) as proxy:
        address = proxy.url.removesuffix("/v4").replace("//", "//me:s3cret-pass@")
        async with line_to("https://api.example.invalid/v4", transport=over_httpx(tls, address)) as line:
            refused = await line.cancel(TARGET, Request())
    async with line_to("https://api.example.invalid/v4", transport=over_httpx(tls, address)) as line:
        gone = await line.cancel(TARGET, Request())
    for answer in (refused, gone):
        assert answer.message.endswith(f"through the proxy {address.rpartition('@')[2]}")
        assert "s3cret" not in answer.message


async def test_a_tls_handshake_that_fails_behind_a_proxy_is_not_sent(line_to: LineTo, tls: ssl.SSLContext) -> None:
    """The proxy lets the request pass, and what answers behind it speaks no TLS."""
    opened = b"HTTP/1.1 200 Connection established\r\n\r\nno TLS at all\r\n"
    async with (
        serving(answering(opened)) as proxy,
        line_to("https://api.example.invalid/v4", transport=over_httpx(tls, proxy.url)) as line,
    ):
        answer = await line.cancel(TARGET, Request())
        assert classify_cancel(TARGET, answer).kind is Kind.NOT_SENT


@pytest.mark.parametrize("status", STATUSES)
async def test_an_answer_of_a_forwarding_proxy_proves_nothing(
    status: str, line_to: LineTo, tls: ssl.SSLContext
) -> None:
    refusal = response(PAGE, status, "Content-Type: text/html")
    async with (
        serving(*[answering(refusal)] * 3) as proxy,
        line_to("http://api.example.invalid/v4", transport=over_httpx(tls, proxy.url)) as line,
    ):
        answer = await line.cancel(TARGET, Request())
        read = await line.read(TARGET, Request())
        page = await line.page(Query(0))
        assert classify_cancel(TARGET, answer).kind in (Kind.NONSENSE, Kind.NO_ANSWER)
        assert reading_of(TARGET.appointment_id, read, 0.0) is None
        assert page.appointments is None
        assert not page.answer.is_api_error
