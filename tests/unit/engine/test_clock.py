"""The clock that decides runs on while the machine is suspended; Linux stops the event loop's clock then."""

from __future__ import annotations

import time

import pytest

from bulk_cancel.engine.clock import system_clock
from bulk_cancel.ops.uptime import uptime


def test_the_deciding_clock_runs_on_during_a_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, before = system_clock(), time.clock_gettime
    began, now = clock.monotonic(), clock.now()
    asleep = {time.CLOCK_BOOTTIME: 36_000.0}
    monkeypatch.setattr(time, "clock_gettime", lambda which: before(which) + asleep.get(which, 0.0))
    assert uptime() - began >= 36_000
    assert clock.now() - now == pytest.approx(36_000, abs=5)
