"""The end of a run's time: computed once, at its start, and then watched on the monotonic clock."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

import anyio

from bulk_cancel.core.deadline import Deadline, TimeLimit
from bulk_cancel.core.moments import show_hour
from bulk_cancel.core.units import show_duration
from bulk_cancel.engine.clock import Clock
from bulk_cancel.errors import Exit

if TYPE_CHECKING:
    from bulk_cancel.engine.context import Context

_CHECK_AGAIN_S = 10.0


def time_limit(max_duration_s: float | None, deadline: Deadline | None, zone: tzinfo, clock: Clock) -> TimeLimit | None:
    """Return when a command that starts now has to stop sending: the earlier of the two; None when neither is given."""
    mono, now = clock.monotonic(), clock.now()
    limits = []
    if max_duration_s is not None:
        limits.append(TimeLimit(mono + max_duration_s, f"The time of {show_duration(max_duration_s)} is over."))
    if deadline is not None:
        ends_at = deadline.at(now, zone)
        limits.append(TimeLimit(mono + ends_at - now, f"The deadline, {show_hour(ends_at, now, zone)}, has passed."))
    return min(limits, key=lambda limit: limit.ends_at, default=None)


def until_expiry(limit: TimeLimit | None, expires_at: float, clock: Clock) -> TimeLimit:
    """Return the limit, or that of a plan that expires at `expires_at`, seconds since the epoch, if it ends sooner."""
    ends = TimeLimit(clock.monotonic() + expires_at - clock.now(), "The plan has expired: make a new one.")
    return limit if limit and limit.ends_at <= ends.ends_at else ends


async def watch_time(context: Context) -> None:
    """Drain the run when its time is over: nothing new is sent, requests in flight get their answers."""
    limit = context.limits.time
    if limit is None:
        return
    left_s = limit.left_s(context.clock.monotonic())
    while left_s:
        await anyio.sleep(min(left_s, _CHECK_AGAIN_S))  # a sleep does not count a suspension of the machine
        left_s = limit.left_s(context.clock.monotonic())
    context.log.warning("run.time_over", in_flight=context.counters.in_flight)
    context.halt(Exit.STOPPED, limit.sentence)
