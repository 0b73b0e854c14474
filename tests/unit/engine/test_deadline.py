"""A run's time is over: nothing new starts, what waits stops waiting. In virtual time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC

import anyio
import pytest

from bulk_cancel.core.deadline import TimeLimit, parse_deadline
from bulk_cancel.core.pacing import Pace
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.context import Limits
from bulk_cancel.engine.deadline import time_limit, watch_time
from bulk_cancel.engine.limiter import Limiter
from bulk_cancel.errors import Exit
from support.scripted import ScriptedLine, context_of

pytestmark = pytest.mark.anyio

#: The clock of these tests begins at 13:46:40 UTC.
DEADLINE = parse_deadline("14:00")


async def test_the_earlier_limit_holds(clock: Clock) -> None:
    first = time_limit(60, DEADLINE, UTC, clock)
    second = time_limit(3600, DEADLINE, UTC, clock)
    assert first is not None
    assert second is not None
    mono = clock.monotonic()
    assert (first.left_s(mono), first.sentence) == (60, "The time of 1 min is over.")
    assert (second.left_s(mono), second.sentence) == (800, "The deadline, 14:00 UTC, has passed.")
    assert time_limit(None, None, UTC, clock) is None


async def test_the_run_drains_at_that_time_and_not_before(clock: Clock) -> None:
    limits = Limits(time=TimeLimit(clock.monotonic() + 100, "The deadline 14:00 has passed."))
    context, _ = context_of(clock, ScriptedLine(clock), limits)
    slow = replace(context, limiter=Limiter(Pace(1 / 30, 1), clock, clock.monotonic(), random.Random(1)))
    began, turns = clock.monotonic(), 0
    async with anyio.create_task_group() as group:
        group.start_soon(watch_time, slow)
        while await slow.turn():
            slow.limiter.use()
            turns += 1
    assert clock.monotonic() - began == pytest.approx(100)
    assert 3 <= turns <= 4
    assert slow.intake.halt is not None
    assert (slow.intake.halt.exit_code, slow.intake.halt.message) == (Exit.STOPPED, "The deadline 14:00 has passed.")


async def test_without_a_time_limit_nothing_is_watched(clock: Clock) -> None:
    context, _ = context_of(clock, ScriptedLine(clock))
    await watch_time(context)
    assert not context.intake.closed
