"""Measured on sockets: whenever the server got a byte of the request, the answer says that bytes left.

This is what `api/failures.py` rests on. The reverse need not hold: a byte may leave and never arrive.
"""

from __future__ import annotations

import socket

import anyio
import pytest

from bulk_cancel.core.model import Answer, Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import LineTo
from support.catalogue import FAULTS, TARGET, Fault, obedient
from support.fault_server import Wire, blackhole, closed_port, serving
from support.small_files import room_for_files

pytestmark = pytest.mark.anyio


def kind(answer: Answer) -> Kind:
    return classify_cancel(TARGET, answer).kind


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_bytes_that_arrived_count_as_sent(fault: Fault, line_to: LineTo) -> None:
    for _ in range(3):  # a machine that is busy elsewhere may not even begin to send by the deadline
        async with serving(fault.script) as server, line_to(server.url, timeout_s=0.3) as line:
            answer = await line.cancel(TARGET, Request(reason="office closure"))
            assert server.bytes_heard == 0 or answer.bytes_left
        if answer.bytes_left:
            return
    pytest.fail("the connection stood: bytes may have left, even if none was read")


async def test_a_refused_connection_is_not_sent_and_the_line_works_once_it_is_served(line_to: LineTo) -> None:
    with closed_port() as (url, port):
        async with line_to(url) as line:
            assert kind(await line.cancel(TARGET, Request())) is Kind.NOT_SENT
            async with serving(obedient, at=port):
                assert kind(await line.cancel(TARGET, Request())) is Kind.CANCELLED


async def test_a_connect_that_nobody_answers_is_not_sent_by_the_deadline(line_to: LineTo) -> None:
    with blackhole() as url:
        async with line_to(url) as line:
            assert kind(await line.cancel(TARGET, Request())) is Kind.NOT_SENT


async def test_a_connection_that_stands_too_late_is_not_written_to(line_to: LineTo) -> None:
    """The process may have been stopped meanwhile, and its intent judged by others."""
    async with serving(obedient) as server, line_to(server.url) as line:
        assert kind(await line.cancel(TARGET, Request(), lambda: False)) is Kind.NOT_SENT
        assert server.bytes_heard == 0


async def test_a_name_that_does_not_resolve_is_not_sent(line_to: LineTo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    async with line_to("http://api.invalid/v4") as line:
        assert kind(await line.cancel(TARGET, Request())) is Kind.NOT_SENT


async def test_a_request_that_is_given_up_while_it_is_being_sent_has_left_in_part(line_to: LineTo) -> None:
    """The body is larger than all buffers on the way, so the deadline comes in the middle of sending it."""

    async def read_a_little(wire: Wire) -> None:
        await wire.hear_something()
        await wire.stall()

    async with serving(read_a_little) as server, line_to(server.url) as line:
        answer = await line.cancel(TARGET, Request(reason="x" * 32 * 1024 * 1024))

        assert server.bytes_heard > 0
        assert server.requests == []
        assert kind(answer) is Kind.NO_ANSWER


async def test_a_line_that_is_closed_lets_its_connection_go(line_to: LineTo) -> None:
    async with serving(obedient) as server:
        async with line_to(server.url) as line:
            await line.cancel(TARGET, Request())
        with anyio.fail_after(2):
            await server.closed.wait()


async def test_a_machine_without_a_free_file_is_told_apart_from_an_api_that_cannot_be_reached(line_to: LineTo) -> None:
    async with serving(obedient) as server, line_to(server.url) as line:
        with room_for_files(0):
            answer = await line.cancel(TARGET, Request())
        assert kind(answer) is Kind.NOT_SENT
        assert answer.out_of_files
        with closed_port() as (url, _):
            async with line_to(url) as other:
                assert not (await other.cancel(TARGET, Request())).out_of_files
