"""TLS that cannot be trusted sends nothing; TLS that breaks after the handshake may have sent."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

import anyio
import pytest
import trustme

from bulk_cancel.api.client import HttpLine
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.api.transports import over_httpx
from bulk_cancel.core.credential import Credential
from bulk_cancel.core.model import Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import TOKEN, LineTo
from support.catalogue import GOOD, TARGET, close_after_the_request, never_answer, obedient
from support.fault_server import answering, response, serving, tunnelling

pytestmark = pytest.mark.anyio

OURS, THEIRS = trustme.CA(), trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def certified(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def demanding_a_client_certificate() -> ssl.SSLContext:
    """With TLS 1.3 the client learns of the refusal only after it has sent its request."""
    context = certified(OURS)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_a_trusted_server_is_answered(line_to: LineTo) -> None:
    async with (
        serving(obedient, tls=certified(OURS)) as server,
        line_to(server.url, timeout_s=2, trust=trusting(OURS)) as line,
    ):
        assert classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind is Kind.CANCELLED


@pytest.mark.parametrize(
    "served", [lambda: certified(THEIRS), lambda: certified(OURS, "api.example")], ids=["wrong authority", "wrong host"]
)
async def test_a_server_that_cannot_be_trusted_gets_nothing(
    served: Callable[[], ssl.SSLContext], line_to: LineTo
) -> None:
    async with (
        serving(obedient, tls=served()) as server,
        line_to(server.url, timeout_s=2, trust=trusting(OURS)) as line,
    ):
        answer = await line.cancel(TARGET, Request())
        assert classify_cancel(TARGET, answer).kind is Kind.NOT_SENT
        assert server.bytes_heard == 0
        assert re.fullmatch(r"the server's certificate is not trusted \(.+\); SSL_CERT_FILE names .*", answer.message)


@pytest.mark.parametrize("script", [obedient, never_answer, close_after_the_request])
async def test_a_server_without_tls_sees_a_greeting_and_no_request(script: object, line_to: LineTo) -> None:
    async with serving(script) as server, line_to(server.url.replace("http:", "https:")) as line:
        answer = await line.cancel(TARGET, Request())

        assert classify_cancel(TARGET, answer).kind is Kind.NOT_SENT
        assert server.requests == []
        assert not any(TOKEN.encode() in heard or b"POST" in heard for heard in server.connections)


@pytest.mark.parametrize("fault", [close_after_the_request, never_answer])
async def test_a_failure_after_the_handshake_is_unknown(fault: object, line_to: LineTo) -> None:
    async with serving(fault, tls=certified(OURS)) as server, line_to(server.url, trust=trusting(OURS)) as line:
        answer = await line.cancel(TARGET, Request())

        assert len(server.requests) == 1
        assert classify_cancel(TARGET, answer).kind is Kind.NO_ANSWER


async def test_a_refusal_that_comes_after_the_request_is_unknown(line_to: LineTo) -> None:
    async with (
        serving(obedient, tls=demanding_a_client_certificate()) as server,
        line_to(server.url, timeout_s=2, trust=trusting(OURS)) as line,
    ):
        answer = await line.cancel(TARGET, Request())

        assert classify_cancel(TARGET, answer).kind is Kind.NO_ANSWER


async def test_plain_http_to_a_server_with_tls_is_unknown(line_to: LineTo) -> None:
    async with serving(obedient, tls=certified(OURS)) as server, line_to(server.url.replace("https:", "http:")) as line:
        assert classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind is Kind.NO_ANSWER


async def test_a_handshake_that_is_given_up_leaves_no_connection_open(line_to: LineTo) -> None:
    async with (
        serving(never_answer) as server,
        line_to(server.url.replace("http:", "https:"), timeout_s=0.1) as line,
    ):
        await line.cancel(TARGET, Request())

        with anyio.fail_after(2):
            await server.closed.wait()


async def test_through_a_tunnel_a_surplus_answer_is_never_taken_for_the_next_one() -> None:
    """The proxy sees no more than bytes; each request has a tunnel of its own, and its own answer."""
    surplus = answering(GOOD + response(b"{}", "429 Too Many Requests"), GOOD)
    async with serving(surplus, obedient, tls=certified(OURS)) as server, serving(tunnelling) as proxy:
        transport = over_httpx(trusting(OURS), proxy.url.removesuffix("/v4"))
        line = HttpLine(ApiSettings(server.url, Credential(TOKEN), timeout_s=5), transport)
        answers = [await line.cancel(TARGET, Request()) for _ in range(3)]
        await line.aclose()
        assert [classify_cancel(TARGET, answer).kind for answer in answers] == [Kind.CANCELLED] * 3
        assert (len(server.connections), len(proxy.connections)) == (3, 3)
