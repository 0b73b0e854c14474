"""One limit for many processes, in virtual time: never above the server's bucket, hardly below it, a pause for all."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import anyio
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.pacing import Pace
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.shared_limiter import SharedLimiter, shared_pace, window_of
from bulk_cancel.errors import LostChunkError
from bulk_cancel.ledger.shared import Reservation
from bulk_cancel.sandbox.bucket import TokenBucket
from support.examples import examples

pytestmark = pytest.mark.anyio

#: The documented one, those of the acceptance tests, fast, slow, and so small that there is nothing to save.
LIMITS = [(100 / 60, 200), (25.0, 200), (100.0, 100), (1000.0, 2000), (50.0, 10), (2.0, 1)]


@dataclass
class Row:
    """The row of a credential's pace, as the database keeps it. Each call takes a moment to get there and back."""

    pace: Pace
    window: int
    trip_s: float = 0.002
    tat: float = 0.0
    paused_to: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    lost: bool = False  #: the caller's chunk has another owner

    async def reserve(self) -> Reservation:
        await anyio.sleep(self.trip_s)
        self.calls["reserve"] += 1
        if self.lost:
            raise LostChunkError("Chunk 1 of run 1 has another owner, or it has ended.")
        now = trio.current_time()
        before = max(self.tat, now)
        self.tat = before + self.window * self.pace.interval_s
        reservation = Reservation(self.window, before - now, self.tat)
        await anyio.sleep(self.trip_s)
        return reservation

    async def give_back(self, reservation: Reservation, unused: int) -> None:
        await anyio.sleep(self.trip_s)
        self.calls["give_back"] += unused
        if self.tat == reservation.end_at:
            self.tat = max(self.tat - unused * self.pace.interval_s, self.paused_to)

    async def pause(self, seconds: float) -> None:
        await anyio.sleep(self.trip_s)
        self.calls["pause"] += 1
        demanded = trio.current_time() + seconds + (self.pace.burst - 1) * self.pace.interval_s
        self.tat, self.paused_to = max(self.tat, demanded), max(self.paused_to, demanded)

    async def paused_s(self) -> float:
        await anyio.sleep(self.trip_s)
        self.calls["paused_s"] += 1
        return max(0.0, self.paused_to - (self.pace.burst - 1) * self.pace.interval_s - trio.current_time())


def shared(clock: Clock, limit: Pace, processes: int, **more: float) -> tuple[Row, list[SharedLimiter]]:
    """Limiters of so many processes over one row."""
    pace = shared_pace(limit)
    row = Row(pace, window_of(limit), tat=clock.monotonic(), **more)
    return row, [SharedLimiter(clock, random.Random(0), row) for _ in range(processes)]


async def test_a_pause_of_hours_that_another_process_was_asked_for_is_known_before_anything_is_waited_for(
    clock: Clock,
) -> None:
    _, (first, second, third) = shared(clock, Pace(10, 200), 3)
    first.throttled(clock.monotonic(), 7200)
    assert await second.long_pause_s() == 0, "the first one has not told it yet"
    await first.tell_pause()
    assert 7100 < await third.long_pause_s() < 7300
    assert clock.monotonic() < 60


async def starts(limiters: list[SharedLimiter], seconds: float, workers: int = 8) -> list[float]:
    """Let all start what they may for so long; return when each start was, from now on."""
    began, times = limiters[0].clock.monotonic(), []

    async def work(limiter: SharedLimiter) -> None:
        while True:
            await limiter.acquire()
            times.append(limiter.clock.monotonic() - began)

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as group:
            for limiter in limiters * workers:
                group.start_soon(work, limiter)
    return sorted(times)


@examples(12)
@given(
    limit=st.sampled_from([(25.0, 200), (100.0, 100)]),  # a burst of 1 has nothing to leave unspent
    dawdlers=st.integers(0, 2),
    workers=st.integers(8, 32),
    connect_s=st.floats(0, 0.1),
    seed=st.integers(0, 1000),
)
def test_the_servers_bucket_is_never_exceeded(
    limit: tuple[float, int], dawdlers: int, workers: int, connect_s: float, seed: int
) -> None:
    """One process sends all it may. Up to two others use what they have reserved late, and all at once.

    A burst of one leaves no room for a first request that comes late.
    """
    connect_s = connect_s if shared_pace(Pace(*limit)).burst > 1 else 0.0
    refused = trio.run(
        _use, Pace(*limit), (dawdlers, workers, connect_s, seed), clock=trio.testing.MockClock(autojump_threshold=0)
    )
    assert refused == 0


async def _use(limit: Pace, how: tuple[int, int, float, int]) -> int:
    dawdlers, workers, connect_s, seed = how
    clock, chance = Clock(trio.current_time, TimeBase(None, 0.0)), random.Random(seed)
    server = TokenBucket(limit.rate_per_s, limit.burst, trio.current_time)
    row, (busy, *late) = shared(clock, limit, 1 + dawdlers, trip_s=chance.uniform(0.0005, 0.01))
    until = min(limit.burst / limit.rate_per_s + 5, 20_000 / limit.rate_per_s)
    refused = 0

    async def exchange(limiter: SharedLimiter, further_s: float = 0.0) -> None:
        nonlocal refused
        await limiter.hold()
        limiter.use()
        await anyio.sleep(further_s + chance.uniform(0.001, 0.01))
        refused += not server.take()
        limiter.ended()

    async def work(limiter: SharedLimiter) -> None:
        await exchange(limiter, connect_s)
        while clock.monotonic() < until:
            await exchange(limiter)

    async def dawdle(limiter: SharedLimiter) -> None:
        """Reserve a window, and use the rest of it in one go, when the bucket is as empty as it gets."""
        while clock.monotonic() < until:
            await exchange(limiter)
            await anyio.sleep(chance.choice([0.1, until / 2, max(0.0, until - clock.monotonic())]))
            async with anyio.create_task_group() as group:
                for _ in range(row.window - 1):
                    group.start_soon(exchange, limiter)

    with anyio.move_on_after(2 * until):
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(work, busy)
            for limiter in late:
                group.start_soon(dawdle, limiter)
    return refused


#: The fast limit means as much work as all others together.
USE = [(limit, processes) for limit in LIMITS for processes in (1, 2, 5)]
USE = [pytest.param(*use, marks=[pytest.mark.long] * (use[0][0] > 500 and use[1] < 5)) for use in USE]


@pytest.mark.parametrize(("limit", "processes"), USE)
async def test_the_shared_pace_is_used_to_97_percent(clock: Clock, limit: tuple[float, int], processes: int) -> None:
    """At least 97 % of what the shared pace lets through: the burst, and 98 % of the rate."""
    pace = shared_pace(Pace(*limit))
    row, limiters = shared(clock, Pace(*limit), processes)
    lasting_s = max(10.0, 50 / pace.rate_per_s)
    count = len(await starts(limiters, lasting_s))
    possible = pace.burst + pace.rate_per_s * lasting_s
    assert 0.97 * possible - processes * row.window <= count <= possible + 1


@pytest.mark.parametrize("processes", [1, 5])
async def test_however_many_workers_wait_no_more_starts_than_was_reserved(clock: Clock, processes: int) -> None:
    """All workers of all processes wait at the same moment: what is not reserved by the one is another one's."""
    limit = Pace(100, 100)
    row, limiters = shared(clock, limit, processes)
    found = await starts(limiters, 0.3, workers=40)
    assert len(found) <= row.window * row.calls["reserve"]
    at = [0.0]
    server = TokenBucket(limit.rate_per_s, limit.burst, lambda: at[0])
    for at[0] in found:
        assert server.take()


async def test_a_throttle_of_one_pauses_all(clock: Clock) -> None:
    """The others start what they have reserved already, at most a window each, and then nothing for so long."""
    limit = Pace(20, 40)
    row, (one, *others) = shared(clock, limit, 3)
    await starts([one, *others], 5)
    one.throttled(clock.monotonic(), 30.0)
    times: list[float] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_note, [one], 40.0, times)
        await anyio.sleep(0.05)
        group.start_soon(_note, others, 40.0, times)
    assert row.calls["pause"] == 1
    assert len([at for at in times if at < 29.9]) <= 2 * row.window
    after = [at for at in times if at >= 29.9]
    assert 0 < len(after) <= 1 + 10.1 * limit.rate_per_s, "and no burst afterwards"


@pytest.mark.parametrize("is_held", [False, True])
async def test_a_slot_that_is_used_after_its_window_waits_for_a_pause_of_another_process(
    clock: Clock, is_held: bool
) -> None:
    """A request of half a minute, or a read before its cancel, lets a reserved slot get old."""
    row, (one, other) = shared(clock, Pace(20, 200), 2)
    await one.acquire()
    if is_held:
        await one.hold()
    await anyio.sleep(29)
    other.throttled(clock.monotonic(), 120.0)
    await other.tell_pause()
    told_at = clock.monotonic()
    if not is_held:
        await one.hold()
    await one.until_due()
    assert one.clock.monotonic() - told_at >= 119.9
    assert row.calls["reserve"] == 1


async def test_a_slot_that_is_used_within_its_window_asks_nobody(clock: Clock) -> None:
    row, (one,) = shared(clock, Pace(20, 200), 1)
    for _ in range(row.window):
        await one.hold()
        await one.until_due()
        one.use()
        one.ended()
    assert row.calls["paused_s"] == 0


async def test_a_pause_that_gets_longer_while_a_slot_waits_for_it_is_waited_for_to_its_end(clock: Clock) -> None:
    _, (one, other) = shared(clock, Pace(20, 200), 2)
    await one.hold()
    one.throttled(clock.monotonic(), 10.0)
    await one.tell_pause()
    began = clock.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(one.until_due)
        await anyio.sleep(5)
        other.throttled(clock.monotonic(), 60.0)
        await other.tell_pause()
    assert clock.monotonic() - began >= 65


async def _note(limiters: list[SharedLimiter], seconds: float, times: list[float]) -> None:
    times.extend(await starts(limiters, seconds))


async def test_a_pause_is_told_even_when_nothing_follows(clock: Clock) -> None:
    row, (one,) = shared(clock, Pace(20, 40), 1)
    await one.acquire()
    one.throttled(clock.monotonic(), 30.0)
    await one.finish()
    assert row.calls["pause"] == 1
    assert row.calls["give_back"] == 0, "what was reserved before it is forfeit"


async def test_unused_slots_are_given_back(clock: Clock) -> None:
    row, (one, two) = shared(clock, Pace(1, 16), 2)
    for _ in range(3):
        await one.acquire()
    held = row.tat
    await one.finish()
    unused = row.window * row.calls["reserve"] - 3
    assert row.calls["give_back"] == unused
    assert row.tat == pytest.approx(held - unused)
    immediately = [at for at in await starts([two], 0.5) if at < 0.1]
    assert len(immediately) == row.pace.burst - 3


async def test_slots_given_back_after_another_reservation_are_lost(clock: Clock) -> None:
    """The other one's slots follow it: to move them would give them out twice."""
    row, (one, two) = shared(clock, Pace(1, 32), 2)
    await one.acquire()
    await two.acquire()
    held = row.tat
    await one.finish()
    assert row.tat == held


async def test_a_held_slot_that_is_not_needed_serves_the_next(clock: Clock) -> None:
    row, (one,) = shared(clock, Pace(1, 16), 1)
    for _ in range(10):
        await one.hold()
        one.give_back()
    assert row.calls["reserve"] == 1


async def test_a_crash_costs_a_window_at_most(clock: Clock) -> None:
    """What the dead one had reserved counts as used; the burst is not granted again."""
    limit = Pace(10, 40)
    row, (dead, heir) = shared(clock, limit, 2)
    await starts([dead], 0.5)
    found = await starts([heir], 10)
    possible = row.pace.rate_per_s * 10
    assert possible - row.window - 2 <= len(found) <= possible + row.window


async def test_a_worker_that_lost_its_chunk_gets_no_slots(clock: Clock) -> None:
    row, (one,) = shared(clock, Pace(10, 40), 1)
    row.lost = True
    with pytest.raises(LostChunkError):
        await one.hold()


async def test_a_reservation_that_is_used_late_stays_within_the_servers_limit(clock: Clock) -> None:
    """The row counts it as used long ago; the server's bucket has it still, and is full."""
    limit = Pace(25, 200)
    row, (keeper, busy) = shared(clock, limit, 2)
    server = TokenBucket(limit.rate_per_s, limit.burst, trio.current_time)
    await keeper.acquire()
    answered = [server.take()]
    await anyio.sleep(60)
    with anyio.move_on_after(0.3):
        while True:
            await busy.acquire()
            answered.append(server.take())
    for _ in range(row.window - 1):
        await keeper.acquire()
        answered.append(server.take())
    assert all(answered)
    assert len(answered) >= row.pace.burst + row.window


def test_a_window_is_half_a_second_and_a_small_part_of_the_burst() -> None:
    assert [window_of(Pace(*limit)) for limit in LIMITS] == [1, 13, 12, 250, 1, 1]
    for limit in LIMITS:
        assert 1 <= shared_pace(Pace(*limit)).burst <= max(1, limit[1] - 2 * window_of(Pace(*limit)))
