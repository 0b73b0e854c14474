"""Kept connections: a closing one, and one that holds something of an earlier answer. Behind a proxy none is kept."""

from __future__ import annotations

import anyio
import pytest

from bulk_cancel.api.transports import over_httpx, over_wire
from bulk_cancel.core.model import Request, Target
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import LineTo
from support.catalogue import GOOD, OTHER, TARGET, obedient
from support.fault_server import Wire, answering, answering_and_closing, document, response, serving

pytestmark = pytest.mark.anyio

SECOND = Target(OTHER)
KEPT = pytest.mark.parametrize("carrier", [over_wire], indirect=True)
NOT_KEPT = pytest.mark.parametrize("carrier", [over_httpx], indirect=True)


@KEPT
async def test_one_connection_serves_many_requests(line_to: LineTo) -> None:
    async with serving(obedient) as server, line_to(server.url, timeout_s=5) as line:
        for _ in range(20):
            await line.cancel(TARGET, Request())

    assert (len(server.requests), len(server.connections)) == (20, 1)


@NOT_KEPT
async def test_a_connection_of_the_library_is_closed_once_it_has_answered(line_to: LineTo) -> None:
    async with serving(obedient) as server, line_to(server.url, timeout_s=5) as line:
        for number in range(1, 4):
            server.closed.clear()
            await line.cancel(TARGET, Request())
            with anyio.fail_after(2):
                await server.closed.wait()
            assert (len(server.requests), len(server.connections)) == (number, number)


async def answer_once_then_close_on_the_next_request(wire: Wire) -> None:
    """A stale connection: the server's decision to close and our request cross on the way."""
    await wire.request()
    await wire.send(GOOD)
    await wire.hear_something()


async def answer_once_then_reset_on_the_next_request(wire: Wire) -> None:
    await answer_once_then_close_on_the_next_request(wire)
    wire.reset()


@KEPT
@pytest.mark.parametrize(
    "stale", [answer_once_then_close_on_the_next_request, answer_once_then_reset_on_the_next_request]
)
async def test_a_request_that_meets_a_closing_connection_is_unknown(stale: object, line_to: LineTo) -> None:
    async with serving(stale, obedient) as server, line_to(server.url) as line:
        await line.cancel(TARGET, Request())
        answer = await line.cancel(TARGET, Request())

        assert classify_cancel(TARGET, answer).kind is Kind.NO_ANSWER
        assert len(server.connections) == 1, "the request must not be repeated behind our back"


async def test_a_connection_closed_while_idle_is_replaced_before_anything_is_sent(line_to: LineTo) -> None:
    async with serving(answering_and_closing(GOOD), obedient) as server, line_to(server.url, timeout_s=2) as line:
        first = await line.cancel(TARGET, Request())
        await server.closed.wait()
        await anyio.wait_all_tasks_blocked()
        second = await line.cancel(TARGET, Request())

        assert [classify_cancel(TARGET, answer).kind for answer in (first, second)] == [Kind.CANCELLED] * 2
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "leftover",
    [
        response(b"{}", "429 Too Many Requests"),
        response(b"{}", "408 Request Timeout"),
        response(b"{}", "404 Not Found"),
        response(document(OTHER)),
    ],
)
async def test_surplus_bytes_are_never_taken_for_the_next_answer(leftover: bytes, line_to: LineTo) -> None:
    real = response(document(OTHER), "500 Internal Server Error")
    async with serving(answering(GOOD + leftover, real), answering(real)) as server, line_to(server.url) as line:
        await line.cancel(TARGET, Request())
        answer = await line.cancel(SECOND, Request())

        assert len(server.requests) == 2
        assert classify_cancel(SECOND, answer).kind is Kind.NO_ANSWER
