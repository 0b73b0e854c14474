"""Which signals drain a run: those that the starter had not ignored."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import anyio
import pytest

from bulk_cancel.ops.signals import watch_signals

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[signal.SIG_DFL])
def hangup(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the starter had done about SIGHUP, whatever started the tests."""
    before = signal.signal(signal.SIGHUP, request.param)
    yield
    signal.signal(signal.SIGHUP, before)


async def drained_by(*numbers: signal.Signals) -> list[str]:
    """Watch, send these to this process, and return by which it drained."""
    drains: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(watch_signals, drains.append, lambda _: None)
        await anyio.sleep(0.05)
        for number in numbers:
            os.kill(os.getpid(), number)
            await anyio.sleep(0.05)
        group.cancel_scope.cancel()
    return drains


@pytest.mark.usefixtures("hangup")
async def test_a_hangup_drains() -> None:
    assert await drained_by(signal.SIGHUP) == ["SIGHUP"]


@pytest.mark.parametrize("hangup", [signal.SIG_IGN], indirect=True)
@pytest.mark.usefixtures("hangup")
async def test_under_nohup_a_hangup_stays_ignored_and_the_others_drain() -> None:
    assert await drained_by(signal.SIGHUP, signal.SIGHUP, signal.SIGTERM) == ["SIGTERM"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
