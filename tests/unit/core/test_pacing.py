"""The pace: never over the limit, never below it without need. Time is a number here, so hours pass in milliseconds."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyrate_limiter import GCRA, Rate, RateItem, StateBucket

from bulk_cancel.core.pacing import (
    JITTER_S,
    Pace,
    after_pause,
    after_start,
    duration_s,
    earliest_start,
    recovered_factor,
    with_margin,
)

DOCUMENTED = Pace(100 / 60, 200)
#: Rounding of sums of floats, in seconds and in tokens.
EPSILON = 1e-6

paces = st.builds(Pace, st.floats(0.1, 1000), st.integers(1, 300))
gaps = st.lists(st.floats(0, 5) | st.just(0.0), min_size=1, max_size=300)


def starts(pace: Pace, wishes: list[float], tat: float = 0.0) -> list[float]:
    """When requests start that are wished for at these times."""
    begun: list[float] = []
    for wish in wishes:
        at = earliest_start(tat, max([wish, *begun[-1:]]), pace)
        tat = after_start(tat, at, pace)
        begun.append(at)
    return begun


class TokenBucket:
    """The oracle: what a server does, written the other way round, with tokens instead of a time."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._tokens, self._at = pace, float(pace.burst), 0.0

    def takes(self, at: float) -> bool:
        self._tokens = min(self._pace.burst, self._tokens + (at - self._at) * self._pace.rate_per_s)
        self._at = at
        if self._tokens < 1 - EPSILON:
            return False
        self._tokens -= 1
        return True


@given(paces, gaps)
def test_no_window_ever_holds_more_than_the_burst_and_the_rate_allow(pace: Pace, waits: list[float]) -> None:
    begun = starts(pace, list(accumulate(waits)))
    for first in range(0, len(begun), 7):
        for last in range(first, len(begun)):
            allowed = pace.burst + pace.rate_per_s * (begun[last] - begun[first])
            assert last - first + 1 <= allowed + EPSILON * (1 + pace.rate_per_s)


@given(paces, gaps)
def test_a_token_bucket_takes_every_request_at_its_start(pace: Pace, waits: list[float]) -> None:
    bucket = TokenBucket(pace)
    assert all(bucket.takes(at) for at in starts(pace, list(accumulate(waits))))


@given(paces, gaps)
def test_nothing_waits_that_a_token_bucket_would_take(pace: Pace, waits: list[float]) -> None:
    """The other half of "exactly": a request that has to wait would be refused a moment earlier."""
    bucket, tat = TokenBucket(pace), 0.0
    for wish in accumulate(waits):
        at = earliest_start(tat, wish, pace)
        if at > wish + EPSILON * (1 + 1 / pace.rate_per_s):
            assert not bucket.takes(wish)
            continue
        assert bucket.takes(wish)
        tat = after_start(tat, at, pace)


@given(st.integers(1, 2000), st.integers(1, 50), st.lists(st.integers(0, 3000), min_size=1, max_size=200))
def test_pyrate_limiter_takes_a_request_exactly_when_we_do(interval_ms: int, burst: int, waits_ms: list[int]) -> None:
    """An implementation by others, on its own integer clock: 1 request per interval with a burst."""
    theirs = StateBucket([Rate(1, interval_ms, burst=burst)], algorithm=GCRA())
    pace, tat = Pace(1000 / interval_ms, burst), 0.0
    for number, wish_ms in enumerate(accumulate(waits_ms)):
        ready = earliest_start(tat, wish_ms / 1000, pace) <= wish_ms / 1000 + EPSILON
        assert theirs.put(RateItem(str(number), 1_000_000 + wish_ms)) is ready
        if ready:
            tat = after_start(tat, wish_ms / 1000, pace)


@pytest.mark.parametrize("pace", [DOCUMENTED, Pace(40, 80), Pace(1000, 2000), Pace(0.5, 1)])
@pytest.mark.parametrize("count", [1, 80, 81, 400, 3000])
def test_the_optimum_is_reached(pace: Pace, count: int) -> None:
    begun = starts(pace, [0.0] * count)

    assert begun[-1] == pytest.approx(max(0, count - pace.burst) / pace.rate_per_s)
    assert begun[-1] == pytest.approx(duration_s(count, pace))


def test_a_late_start_is_made_good_by_the_next_one() -> None:
    pace = Pace(10, 2)
    on_time = starts(pace, [0.0] * 50)[-1]
    late = starts(pace, [0.0] * 25 + [on_time / 2 + 0.05] + [0.0] * 24)[-1]

    assert late == pytest.approx(on_time)


@given(paces, st.floats(0, 1), st.floats(0, 100), st.floats(0, 100))
def test_slowing_down_never_allows_more_at_once(pace: Pace, factor: float, tat: float, now: float) -> None:
    assume(factor > 0.001)
    slower = pace.slowed(factor)

    assert slower.rate_per_s <= pace.rate_per_s
    assert 1 <= slower.burst <= pace.burst
    assert earliest_start(tat, now, slower) >= earliest_start(tat, now, pace) - EPSILON * (1 + pace.span_s)


def test_the_full_rate_is_the_pace_itself() -> None:
    assert DOCUMENTED.slowed(1.0) is DOCUMENTED
    assert DOCUMENTED.slowed(7.0) is DOCUMENTED


@given(paces, st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1000))
def test_nothing_starts_before_a_pause_ends_and_then_one_at_a_time(
    pace: Pace, tat: float, now: float, until: float
) -> None:
    first = earliest_start(after_pause(tat, until, pace), now, pace)
    assert first >= until - EPSILON * (1 + pace.span_s)

    paused = after_pause(0.0, until, pace)
    begun = starts(pace, [until] * 5, tat=paused)
    assert [b - a for a, b in pairwise(begun)] == pytest.approx([pace.interval_s] * 4, abs=1e-6)


@given(paces, st.floats(0, 1000), st.floats(0, 1000))
def test_a_pause_never_shortens_a_wait(pace: Pace, tat: float, until: float) -> None:
    assert after_pause(tat, until, pace) >= tat


@given(paces)
def test_the_margin_stays_below_the_burst_and_keeps_the_rate(pace: Pace) -> None:
    kept = with_margin(pace)

    assert kept.rate_per_s == pace.rate_per_s
    assert 1 <= kept.burst <= pace.burst
    assert kept.burst < pace.burst or pace.burst == 1


@pytest.mark.parametrize(("pace", "burst"), [(DOCUMENTED, 198), (Pace(50, 100), 98), (Pace(1000, 2000), 1979)])
def test_the_margin_is_one_token_and_what_the_jitter_takes(pace: Pace, burst: int) -> None:
    assert with_margin(pace).burst == burst


@given(st.floats(1, 1000), st.integers(5, 300), st.integers(1, 400), st.floats(0, JITTER_S))
def test_with_the_margin_a_first_arrival_may_be_late(rate: float, burst: int, count: int, delay_s: float) -> None:
    """Only the first request is delayed on its way: the server starts to count late, and must still refuse nothing."""
    pace = Pace(rate, burst)
    kept = with_margin(pace)
    assume(kept.burst > 1)
    begun = starts(kept, [0.0] * count)
    bucket = TokenBucket(pace)
    arrivals = sorted([begun[0] + delay_s, *begun[1:]])

    assert all(bucket.takes(at) for at in arrivals)


@pytest.mark.parametrize(
    ("count", "ready", "seconds"), [(0, None, 0), (200, None, 0), (300, None, 60), (100, 0, 60), (10, 50, 0)]
)
def test_the_duration_counts_what_is_ready(count: int, ready: int | None, seconds: float) -> None:
    assert duration_s(count, DOCUMENTED, ready) == pytest.approx(seconds)


@pytest.mark.parametrize(("elapsed_s", "factor"), [(0, 0.5), (75, 0.75), (150, 1.0), (10_000, 1.0), (-5, 0.5)])
def test_a_lowered_rate_recovers_with_time(elapsed_s: float, factor: float) -> None:
    assert recovered_factor(0.5, elapsed_s, recovery_s=300) == pytest.approx(factor)
