"""Virtual time: trio's clock jumps to the next deadline, so hours of pacing take milliseconds."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.engine.clock import Clock


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def clock() -> Clock:
    return Clock(trio.current_time, TimeBase("boot", 1_000_000.0))
