"""Whatever the server does: an answer by the deadline, never an exception, and a line that works again afterwards."""

from __future__ import annotations

import time

import pytest

from bulk_cancel.core.model import Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import DEADLINE_S, LineTo
from support.catalogue import FAULTS, TARGET, Fault, obedient
from support.fault_server import serving

pytestmark = pytest.mark.anyio
#: What the machine may take beyond the deadline: scheduling, not waiting.
SLACK_S = 1.5


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_an_answer_comes_by_the_deadline_and_means_what_it_proves(fault: Fault, line_to: LineTo) -> None:
    for _ in range(3):  # a machine under load may not have connected by the deadline: then nothing was shown
        async with serving(fault.script, obedient) as server, line_to(server.url) as line:
            started = time.monotonic()
            answer = await line.cancel(TARGET, Request())
            elapsed_s = time.monotonic() - started
        if answer.bytes_left or fault.kind is Kind.NOT_SENT:
            break
    assert classify_cancel(TARGET, answer).kind is fault.kind
    assert elapsed_s < DEADLINE_S + SLACK_S


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_the_line_works_again_after_the_failure(fault: Fault, line_to: LineTo) -> None:
    async with serving(fault.script, obedient) as server, line_to(server.url) as line:
        await line.cancel(TARGET, Request())
        again = [classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind for _ in range(3)]

        assert Kind.NOT_SENT not in again
        assert again[-1] is Kind.CANCELLED
