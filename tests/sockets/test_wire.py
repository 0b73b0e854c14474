"""What only the transport of our own has to get right, and when httpx's takes its place."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import anyio
import pytest

from bulk_cancel.api.http import httpx
from bulk_cancel.api.proxies import proxy_for
from bulk_cancel.api.transports import over_httpx, transport_factory
from bulk_cancel.api.wire import LONGEST_HEAD, Wire, serialised
from bulk_cancel.core.model import Answer, Request, Target
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import LineTo
from support.catalogue import GOOD, OTHER, TARGET, obedient
from support.fault_server import Script, answering, answering_and_closing, document, response, serving
from support.fault_server import Wire as Accepted

pytestmark = pytest.mark.anyio

SECOND = Target(OTHER)
GOOD_TOO = response(document(OTHER))


@pytest.fixture
def carrier() -> Callable[[ssl.SSLContext], httpx.AsyncBaseTransport]:
    """These are about the wire alone; `line_to` takes it from here."""
    return lambda tls: Wire(tls, keepalive_s=60, longest_body=1000)


def kind(answer: Answer, target: Target = TARGET) -> Kind:
    return classify_cancel(target, answer).kind


async def test_one_connection_carries_one_request_after_the_other(line_to: LineTo) -> None:
    async with serving(answering(GOOD, GOOD_TOO)) as server, line_to(server.url) as line:
        assert kind(await line.cancel(TARGET, Request())) is Kind.CANCELLED
        assert kind(await line.cancel(SECOND, Request()), SECOND) is Kind.CANCELLED
        assert len(server.connections) == 1


@pytest.mark.parametrize("interim", ["100 Continue", "103 Early Hints"])
async def test_an_interim_answer_is_no_answer(interim: str, line_to: LineTo) -> None:
    first = response(b"", interim, "Link: </style.css>", length=None) + GOOD
    async with serving(answering(first, GOOD_TOO)) as server, line_to(server.url) as line:
        assert kind(await line.cancel(TARGET, Request())) is Kind.CANCELLED
        assert kind(await line.cancel(SECOND, Request()), SECOND) is Kind.CANCELLED
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        response(b"", "101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", length=None),
        b"SSH-2.0-OpenSSH_9.9\r\n",
        response(b"{}", "200 OK", "Content-Length: 7"),
        response(b"{}", "200 OK", "Transfer-Encoding: chunked"),
        response(b"", "200 OK", "X: " + "y" * (LONGEST_HEAD + 1)),
    ],
    ids=["upgrade", "other protocol", "two lengths", "length and chunks", "long header"],
)
async def test_a_malformed_answer_proves_nothing(nonsense: bytes, line_to: LineTo) -> None:
    async with serving(answering(nonsense), obedient) as server, line_to(server.url, timeout_s=2) as line:
        assert kind(await line.cancel(TARGET, Request())) is Kind.NO_ANSWER
        assert kind(await line.cancel(TARGET, Request())) is Kind.CANCELLED, "on a new connection"
        assert len(server.connections) == 2


@pytest.mark.parametrize(
    "last",
    [
        response(document(TARGET.appointment_id), "200 OK", "Connection: close"),
        response(document(TARGET.appointment_id), length=None),
        response(document(TARGET.appointment_id), version="1.0"),
    ],
    ids=["it says so", "it has no length", "it is of HTTP/1.0"],
)
async def test_a_connection_ends_with_an_answer_that_ends_it(last: bytes, line_to: LineTo) -> None:
    async with serving(answering_and_closing(last), obedient) as server, line_to(server.url) as line:
        assert kind(await line.cancel(TARGET, Request())) is Kind.CANCELLED
        assert kind(await line.cancel(TARGET, Request())) is Kind.CANCELLED
        assert [len(heard) > 0 for heard in server.connections] == [True, True]


def stray_after(gap: anyio.Event) -> Script:
    """Answer, and say a 429 for nothing when the gap between two requests is there."""

    async def script(wire: Accepted) -> None:
        await wire.request()
        await wire.send(GOOD)
        await gap.wait()
        await wire.send(response(b"{}", "429 Too Many Requests"))
        await wire.hang()

    return script


async def test_a_stray_answer_between_two_requests_is_not_the_second_ones(line_to: LineTo) -> None:
    gap = anyio.Event()
    async with serving(stray_after(gap), answering(GOOD_TOO)) as server, line_to(server.url) as line:
        await line.cancel(TARGET, Request())
        gap.set()
        await anyio.wait_all_tasks_blocked()
        assert kind(await line.cancel(SECOND, Request()), SECOND) is Kind.CANCELLED
        assert len(server.requests) == 2


async def test_a_stray_answer_that_nobody_has_read_yet_is_seen(line_to: LineTo) -> None:
    """The bytes lie in the kernel when the second request is about to leave, before the event loop had a look."""
    gap = anyio.Event()

    async with serving(stray_after(gap), answering(GOOD_TOO)) as server, line_to(server.url) as line:
        await line.cancel(TARGET, Request())
        gap.set()
        await anyio.lowlevel.checkpoint()  # the script sends; our side of the loop has not polled since
        answer = await line.cancel(SECOND, Request())
        assert kind(answer, SECOND) is Kind.CANCELLED
        assert len(server.connections) == 2


async def test_a_connection_that_was_idle_for_long_is_not_used_again(tls: ssl.SSLContext) -> None:
    transport = Wire(tls, keepalive_s=0, longest_body=1000)
    async with serving(answering(GOOD, GOOD)) as server:
        for _ in range(2):
            post = httpx.Request("POST", f"{server.url}/x", extensions={"trace": heard([])})
            assert (await transport.handle_async_request(post)).status_code == 200
        await transport.aclose()
        assert len(server.connections) == 2


async def test_trailers_never_count_as_headers(line_to: LineTo) -> None:
    busy = response(b"", "429 Too Many Requests", "Transfer-Encoding: chunked", length=None)
    with_trailer = busy + b"2\r\n{}\r\n0\r\nRetry-After: 7\r\n\r\n"
    async with serving(answering(with_trailer)) as server, line_to(server.url) as line:
        answer = await line.cancel(TARGET, Request())
        assert (answer.status, answer.retry_after_s) == (429, None)


@pytest.mark.parametrize(
    ("stray", "means"),
    [
        (GOOD, Kind.CANCELLED),
        (GOOD_TOO, Kind.NONSENSE),
        (response(b"", "404 Not Found"), Kind.NO_ANSWER),
        (response(b"", "429 Too Many Requests"), Kind.NO_ANSWER),
    ],
    ids=["its own", "of another request", "a refusal", "throttled"],
)
async def test_a_second_answer_in_the_same_packet_ends_the_connection_and_no_refusal_is_believed(
    stray: bytes, means: Kind, line_to: LineTo
) -> None:
    """Which of the two is the answer cannot be told, and a 429 would have the cancel sent again."""
    first = answering(stray + GOOD, GOOD_TOO)
    async with serving(first, answering(GOOD_TOO)) as server, line_to(server.url) as line:
        assert kind(await line.cancel(TARGET, Request())) is means
        assert kind(await line.cancel(SECOND, Request()), SECOND) is Kind.CANCELLED
        assert [heard.count(b"POST") for heard in server.connections] == [1, 1]


async def reset_when_the_body_is_there(wire: Accepted) -> None:
    """Send a body whose end is that of the connection, give the client the time to take it in, then reset."""
    await wire.request()
    await wire.send(response(document(TARGET.appointment_id), length=None))
    for _ in range(50):
        await anyio.lowlevel.checkpoint()
    wire.reset()


async def test_a_reset_is_no_end_of_a_body(line_to: LineTo) -> None:
    async with serving(reset_when_the_body_is_there) as server, line_to(server.url) as line:
        assert kind(await line.cancel(TARGET, Request())) is Kind.NO_ANSWER


def heard(events: list[str]) -> Callable[[str, object], object]:
    async def trace(event: str, _: object) -> None:
        events.append(event)

    return trace


async def test_sending_is_announced_only_when_the_connection_stands(tls: ssl.SSLContext) -> None:
    events: list[str] = []
    transport = Wire(tls, keepalive_s=60, longest_body=1000)
    post = httpx.Request("POST", "http://127.0.0.1:9/x", extensions={"trace": heard(events)})
    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(post)
    assert events == ["connection.acquire.started"]


@pytest.mark.parametrize("where", ["target", "header"])
def test_a_line_break_gets_into_no_request(where: str) -> None:
    extensions = {"target": b"/v4/x HTTP/1.1\r\nX: y"} if where == "target" else {}
    headers = {"X": "a\r\nb: c"} if where == "header" else {}
    with pytest.raises(httpx.LocalProtocolError):
        serialised(httpx.Request("GET", "http://127.0.0.1/v4", headers=headers, extensions=extensions))


# -- proxies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://127.0.0.1:3128"}, "http://127.0.0.1:3128"),
        ({"ALL_PROXY": "127.0.0.1:3128"}, "http://127.0.0.1:3128"),
        ({"HTTP_PROXY": "http://127.0.0.1:3128"}, None),
        ({"HTTPS_PROXY": "http://127.0.0.1:3128", "NO_PROXY": "api.example"}, None),
        ({"HTTPS_PROXY": "http://127.0.0.1:3128", "NO_PROXY": "other.example"}, "http://127.0.0.1:3128"),
    ],
)
def test_a_proxy_is_used_where_the_environment_wants_it(
    environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(httpx.URL("https://api.example/v4")) == proxy
    transport = transport_factory("https://api.example/v4", tls)()
    assert isinstance(transport, httpx.AsyncHTTPTransport if proxy else Wire)


async def test_through_a_proxy_a_cancel_arrives_whole(line_to: LineTo, tls: ssl.SSLContext) -> None:
    async with serving(obedient) as proxy:
        transport = over_httpx(tls, proxy.url.removesuffix("/v4"))
        async with line_to("http://api.example/v4", transport=transport) as line:
            assert kind(await line.cancel(TARGET, Request())) is Kind.CANCELLED
        start = f"POST http://api.example/v4/appointment/{TARGET.appointment_id}/cancel HTTP/1.1"
        assert proxy.requests[0].decode().splitlines()[0] == start
