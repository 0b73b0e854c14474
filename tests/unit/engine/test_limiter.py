"""The limiter in virtual time: never above the limit, never slower than it allows, one pause for everyone."""

from __future__ import annotations

import random

import anyio
import pytest

from bulk_cancel.core.clock import PaceRecord, TimeBase
from bulk_cancel.core.pacing import Pace, with_margin
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.limiter import Limiter

pytestmark = pytest.mark.anyio


def limiter(clock: Clock, pace: Pace, tat: float | None = None) -> Limiter:
    return Limiter(pace, clock, clock.monotonic() if tat is None else tat, random.Random(1))


async def starts(limiter: Limiter, count: int, workers: int = 16) -> list[float]:
    """Acquire `count` slots with so many workers; return when each was given, from now on."""
    began, times = limiter.clock.monotonic(), []

    async def work(share: int) -> None:
        for _ in range(share):
            await limiter.acquire()
            times.append(limiter.clock.monotonic() - began)

    async with anyio.create_task_group() as group:
        for number in range(workers):
            group.start_soon(work, count // workers + (number < count % workers))
    return sorted(times)


async def test_the_documented_limit_is_used_to_the_last_token(clock: Clock) -> None:
    times = await starts(limiter(clock, Pace(100 / 60, 200)), 1000)
    assert times[199] == pytest.approx(0)
    assert times[-1] == pytest.approx(800 * 0.6)


@pytest.mark.parametrize(("rate", "burst"), [(100 / 60, 200), (50, 100), (1000, 2000), (2, 1)])
async def test_no_window_holds_more_than_the_limit_allows(rate: float, burst: int, clock: Clock) -> None:
    times = await starts(limiter(clock, Pace(rate, burst)), burst * 2 + 50)
    for first in range(0, len(times), 7):
        for last in range(first, len(times), 13):
            assert last - first + 1 <= burst + rate * (times[last] - times[first]) + 1e-6


async def test_a_second_run_right_after_does_not_take_the_burst_again(clock: Clock) -> None:
    first = limiter(clock, Pace(10, 20))
    await starts(first, 20)
    record = first.record()
    again = limiter(clock, Pace(10, 20), record.tat(clock.base, clock.monotonic(), 100))
    assert (await starts(again, 5))[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("jump", [3600, -3600, 2 * 86400])
async def test_a_wall_clock_that_jumped_between_two_runs_changes_nothing(jump: float, clock: Clock) -> None:
    first = limiter(clock, Pace(10, 20))
    await starts(first, 20)
    jumped = Clock(clock.monotonic, TimeBase("boot", clock.base.offset_s + jump))
    again = limiter(jumped, Pace(10, 20), first.record().tat(jumped.base, jumped.monotonic(), 100))
    assert (await starts(again, 5))[-1] == pytest.approx(0.5)


async def test_after_a_reboot_the_wall_clock_is_believed_within_reason(clock: Clock) -> None:
    record = PaceRecord(tat_at=clock.now() + 10**9, tat_mono=5.0, boot_id="another boot")
    assert record.tat(clock.base, clock.monotonic(), longest_s=120) == clock.monotonic() + 120


async def test_a_throttle_pauses_everyone_then_goes_slower_then_recovers(clock: Clock) -> None:
    paced = limiter(clock, Pace(10, 20))
    await starts(paced, 20)
    paced.throttled(clock.monotonic(), retry_after_s=30.0)
    times = await starts(paced, 10)
    assert times[0] >= 30
    assert paced.current_pace().rate_per_s < 10
    await anyio.sleep(600)
    assert paced.current_pace().rate_per_s == 10


async def test_answers_to_requests_from_before_the_pause_say_nothing_new(clock: Clock) -> None:
    paced = limiter(clock, Pace(10, 20))
    started = clock.monotonic()
    await anyio.sleep(1)
    pause_s, pace = paced.throttled(started, retry_after_s=10.0), paced.current_pace()
    await anyio.sleep(1)
    for _ in range(15):
        assert paced.throttled(started, retry_after_s=None) == pytest.approx(pause_s - 1)
    assert paced.throttles_in_a_row == 1
    assert paced.current_pace().rate_per_s == pytest.approx(pace.rate_per_s, abs=0.1)


async def test_a_longer_retry_after_counts_from_any_answer(clock: Clock) -> None:
    paced = limiter(clock, Pace(10, 20))
    started = clock.monotonic()
    paced.throttled(started, retry_after_s=1.0)
    await anyio.sleep(0.2)
    assert paced.throttled(started - 1, retry_after_s=20.0) == pytest.approx(20)
    assert paced.wait_s() >= 20
    assert paced.throttled(started - 1, retry_after_s=3.0) == pytest.approx(20), "a shorter one does not"
    assert paced.throttles_in_a_row == 1
    await anyio.sleep(20 - 0.5)
    assert paced.throttled(started - 1, retry_after_s=0.0) == pytest.approx(1), "the shortest pause from here on"


async def test_slots_that_a_slow_disk_holds_are_not_given_a_second_time(clock: Clock) -> None:
    """What was held leaves at once when the disk is back; beside it there is only what is left of the burst."""
    paced = limiter(clock, Pace(20, 40))
    for _ in range(32):
        assert paced.try_hold()
    await anyio.sleep(60)
    left = 0
    while paced.try_hold():
        left += 1
    assert left == 8
    for _ in range(40):
        paced.use()
    assert not paced.try_hold()
    assert paced.wait_s() == pytest.approx(1 / 20)


async def test_a_slot_that_was_given_back_can_be_held_again(clock: Clock) -> None:
    paced = limiter(clock, Pace(1, 1))
    await paced.hold()
    assert not paced.try_hold()
    paced.give_back()
    assert paced.try_hold()


async def test_the_record_counts_what_is_held_as_sent(clock: Clock) -> None:
    """After a crash nobody can tell whether it left."""
    paced = limiter(clock, Pace(10, 5))
    for _ in range(5):
        await paced.hold()
    again = limiter(clock, Pace(10, 5), paced.record().tat(clock.base, clock.monotonic(), 100))
    assert not again.try_hold()


async def test_the_record_counts_what_is_underway_as_late(clock: Clock) -> None:
    """After a crash nobody sees when it arrived: the bucket may have filled a little less than it seems."""
    pace = Pace(10, 21)
    paced = limiter(clock, pace)
    await paced.hold(21)
    for _ in range(21):
        paced.use()
    record = paced.record()
    await anyio.sleep(1)  # ten tokens, if all had arrived at once; two of them may not be there
    again = limiter(clock, pace, record.tat(clock.base, clock.monotonic(), 100))
    assert [again.try_hold() for _ in range(9)] == [True] * 8 + [False]


async def test_a_waiter_that_gives_up_has_taken_nothing(clock: Clock) -> None:
    paced = limiter(clock, Pace(1, 1))
    await paced.acquire()
    with anyio.move_on_after(0.5):
        await paced.acquire()
    assert (await starts(paced, 1))[0] == pytest.approx(0.5)


async def test_the_margin_is_small_and_grows_with_the_rate() -> None:
    assert with_margin(Pace(100 / 60, 200)).burst == 198
    assert with_margin(Pace(50, 100)).burst == 98
    assert with_margin(Pace(1000, 2000)).burst == 1979
    assert with_margin(Pace(1000, 1)).burst == 1


async def test_the_time_left_counts_what_the_bucket_holds(clock: Clock) -> None:
    paced = limiter(clock, Pace(10, 20))
    assert paced.duration_s(20) == 0
    await starts(paced, 20)
    assert paced.duration_s(50) == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize(("rate", "burst", "late_s"), [(1000, 2000, 0.15), (50, 100, 0.15), (1000, 2000, 0.02)])
def test_connects_that_delay_the_first_arrivals_earn_no_429(rate: float, burst: int, late_s: float) -> None:
    """The server's bucket is full until the first requests arrive, late and all at once: nothing dripped into it."""
    now = [100.0]
    paced = limiter(Clock(lambda: now[0], TimeBase("boot", 0.0)), Pace(rate, burst))
    server_tat, underway, refused, sent = 0.0, [], 0, 0  # the server has the same numbers, and no margin
    for step in range(4000):
        now[0] = 100.0 + step * 0.001
        for moment in [moment for moment in underway if moment <= now[0]]:
            underway.remove(moment)
            refused += server_tat - now[0] > (burst - 1) / rate + 1e-9
            server_tat = max(server_tat, now[0]) + 1 / rate
            paced.ended()
        while len(underway) < 64 and paced.try_hold():
            paced.use()
            sent += 1
            underway.append(now[0] + late_s if sent <= 64 else now[0] + 0.001)
    assert refused == 0
    assert sent >= burst + rate * (3.9 - late_s) - 64


async def test_a_small_burst_behind_a_long_latency_keeps_its_rate(clock: Clock) -> None:
    paced, answered = limiter(clock, Pace(10, 1)), []

    async def exchange() -> None:
        await paced.hold()
        paced.use()
        await anyio.sleep(2)
        paced.ended()
        answered.append(clock.monotonic())

    began = clock.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(51):
            group.start_soon(exchange)
    assert answered[-1] - began == pytest.approx(5 + 2)
