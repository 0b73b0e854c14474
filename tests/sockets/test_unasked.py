"""A server that answers before it was asked: whatever it says is no answer to a request that had not left."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bulk_cancel.api.http import httpx
from bulk_cancel.api.wire import Wire, is_readable
from bulk_cancel.core.model import Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import LineTo
from support.catalogue import ON_ACCEPT, TARGET, obedient
from support.fault_server import Script, document, response, serving

pytestmark = pytest.mark.anyio

BUSY = response(
    b'{"statusCode":429,"message":"Too Many Requests","error":"Too Many Requests"}', "429 Too Many Requests"
)
DONE = response(document(TARGET.appointment_id))


@contextmanager
def speaking_first(said: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server in a thread of its own that speaks as soon as a connection stands; yield its place and what it heard."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(said)
                connection.settimeout(1)
                try:
                    heard.append(connection.recv(1 << 16))
                except OSError:
                    heard.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v4", heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def waits_for_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection stand until bytes lie in the kernel: the event loop has no time to read them."""
    from bulk_cancel.api.failures import Trace

    def connected(sock: socket.socket) -> None:
        for _ in range(500):
            if is_readable(sock):
                return
            threading.Event().wait(0.01)
        raise AssertionError("the server said nothing")

    connect, announced = Wire._connect, Trace.__call__

    async def late(self: Wire, url: httpx.URL) -> object:
        connection = await connect(self, url)
        connected(connection._transport.get_extra_info("socket"))
        return connection

    async def late_too(self: Trace, event: str, info: dict[str, object]) -> None:
        await announced(self, event, info)
        if event == "connection.connect_tcp.complete":
            connected(info["return_value"].get_extra_info("socket"))

    monkeypatch.setattr(Wire, "_connect", late)
    monkeypatch.setattr(Trace, "__call__", late_too)


@pytest.mark.parametrize("said", [BUSY, DONE, b"x"], ids=["429", "done", "nonsense"])
@pytest.mark.usefixtures("waits_for_bytes")
async def test_an_answer_before_the_request_is_not_its_answer_and_nothing_leaves(said: bytes, line_to: LineTo) -> None:
    with speaking_first(said) as (url, heard):
        async with line_to(url, timeout_s=5) as line:
            answer = await line.cancel(TARGET, Request())
            assert classify_cancel(TARGET, answer).kind is Kind.NOT_SENT
            assert "spoke before it was asked" in answer.message
    assert heard == [b""]


@pytest.mark.parametrize("script", ON_ACCEPT.values(), ids=ON_ACCEPT)
async def test_a_connection_that_ends_as_soon_as_it_stands_is_not_sent_only_when_nothing_left(
    script: Script, line_to: LineTo
) -> None:
    async with serving(script, obedient) as server, line_to(server.url, timeout_s=5) as line:
        kind = classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind
        assert kind is Kind.NO_ANSWER or (kind is Kind.NOT_SENT and server.bytes_heard == 0)
        assert classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind is Kind.CANCELLED
