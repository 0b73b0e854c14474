"""However much a server sends, a line reads little of it and keeps less."""

from __future__ import annotations

import tracemalloc

import pytest

from bulk_cancel.api.client import LONGEST_BODY
from bulk_cancel.core.model import Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import LineTo
from support.catalogue import CANCELLED, FAULTS, TARGET
from support.fault_server import answering, response, serving

pytestmark = pytest.mark.anyio

ENDLESS = ["endless body", "endless chunks", "endless header", "endless trailers"]
#: The kernel's buffers on both sides take some more than what was read.
IN_FLIGHT = 16 * 1024 * 1024


@pytest.mark.parametrize("name", ENDLESS)
async def test_reading_stops_long_before_the_server_does(name: str, line_to: LineTo) -> None:
    async with serving(FAULTS[name].script) as server, line_to(server.url, timeout_s=10) as line:
        answer = await line.cancel(TARGET, Request())

        assert classify_cancel(TARGET, answer).kind is Kind.NO_ANSWER
        assert server.flooded < LONGEST_BODY + IN_FLIGHT


@pytest.mark.parametrize("name", [*ENDLESS, "a gzip bomb", "ten thousand headers", "nesting without end"])
async def test_memory_stays_flat(name: str, line_to: LineTo) -> None:
    async with serving(FAULTS[name].script) as server, line_to(server.url, timeout_s=10) as line:
        tracemalloc.start()
        try:
            await line.cancel(TARGET, Request())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 8 * LONGEST_BODY


async def test_an_answer_as_long_as_allowed_is_read(line_to: LineTo) -> None:
    padded = CANCELLED.ljust(LONGEST_BODY)
    async with serving(answering(response(padded))) as server, line_to(server.url, timeout_s=10) as line:
        assert classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind is Kind.CANCELLED
    async with serving(answering(response(padded + b" "))) as server, line_to(server.url, timeout_s=10) as line:
        assert classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind is Kind.NO_ANSWER
