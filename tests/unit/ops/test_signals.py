"""Which signals drain a run: those that the starter had not ignored."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import anyio
import pytest

from bulk_cancel.ops.signals import watch_signals

pytestmark = pytest.mark.anyio


@pytest.fixture
def hangup_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
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


async def test_a_hangup_drains() -> None:
    assert await drained_by(signal.SIGHUP) == ["SIGHUP"]


@pytest.mark.usefixtures("hangup_ignored")
async def test_under_nohup_a_hangup_stays_ignored_and_the_others_drain() -> None:
    assert await drained_by(signal.SIGHUP, signal.SIGHUP, signal.SIGTERM) == ["SIGTERM"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
