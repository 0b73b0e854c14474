"""How long a 429 makes everyone wait, whatever Retry-After says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.retry import (
    LONGEST_PAUSE_S,
    LONGEST_WISH_S,
    SHORTEST_PAUSE_S,
    parse_retry_after,
    show_long_pause,
    throttle_pause_s,
)

NOW = 1_795_348_800.0  # Sun, 22 Nov 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("007", 7),
        ("-1", None),
        ("1.5", 1.5),
        ("1.", None),
        ("1e9", None),
        ("86399", 86_399),
        ("99999999", LONGEST_WISH_S),
        ("9" * 400, LONGEST_WISH_S),
        ("Sun, 22 Nov 2099 12:00:30 GMT", LONGEST_WISH_S),
        ("soon", None),
        ("７", None),
        ("1, 2", None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 13:00:30 +0100", 30),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 12:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 11:59:59 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("Sun, 32 Nov 2026 12:00:00 GMT", None),
        ("Sun, 22 Nov 2026", None),
    ],
)
def test_a_header_is_seconds_or_a_date_to_come_of_a_day_at_most_or_nothing(
    header: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        "Sun, 22 Nov 99999999999999999999 12:00:00 GMT",
        "Sun, 99999999999 Nov 2026 12:00:00 GMT",
        "Sun, 22 Nov 2026 12:00:00 +99999999999999",
    ],
)
def test_a_date_with_impossible_numbers_is_none(header: str) -> None:
    assert parse_retry_after(header, NOW) is None


_DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Sun", ""]),
    st.integers(-1, 99),
    st.sampled_from(["Nov", "Foo"]),
    *[st.integers(-1, 9999)] * 4,
    st.sampled_from(["GMT", "+9999", "-2400", "EST", ""]),
)


@given(st.text() | st.from_regex(r"[0-9]{1,20}", fullmatch=True) | _DATES)
def test_no_header_of_common_numbers_raises_or_means_a_negative_pause(header: str) -> None:
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(("throttles", "pause_s"), [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (100, 60)])
def test_without_retry_after_the_pause_doubles_up_to_a_minute(throttles: int, pause_s: float) -> None:
    assert throttle_pause_s(None, throttles, jitter=0) == pause_s


def test_a_retry_after_is_never_shortened() -> None:
    assert throttle_pause_s(30, 5, jitter=0) == 30
    assert throttle_pause_s(30, 5, jitter=1) == 37.5
    assert throttle_pause_s(0, 1, jitter=0) == SHORTEST_PAUSE_S


def test_a_long_retry_after_is_returned_unchanged() -> None:
    assert throttle_pause_s(1e9, 1, jitter=1) == 1e9 > LONGEST_PAUSE_S


def test_a_pause_that_is_too_long_is_shown_in_a_sentence() -> None:
    assert show_long_pause(7200) == "The API asks to wait 2 h; until then every run stops at once."
    assert "asks to wait a day or longer (a day is kept)" in show_long_pause(LONGEST_WISH_S)


@given(st.none() | st.floats(0, 1e12), st.integers(1, 1000), st.floats(0, 1))
def test_every_pause_is_long_enough_and_jitter_adds_at_most_a_quarter(
    wish: float | None, throttles: int, jitter: float
) -> None:
    least = throttle_pause_s(wish, throttles, jitter=0)
    pause_s = throttle_pause_s(wish, throttles, jitter)

    assert pause_s >= max(SHORTEST_PAUSE_S, wish or 0)
    assert least <= pause_s <= least * 1.25
