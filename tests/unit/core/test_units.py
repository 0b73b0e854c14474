"""Durations and rates as people write them, and as the program says them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.units import about, parse_duration, parse_rate, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("30", 30),
        ("2h30m", 9000),
        ("1h 5m", 3900),
        ("90 min", 5400),
        ("2 h 5 min", 7500),
        ("2 hours 5 minutes", 7500),
        ("1 day", 86_400),
        ("1.5h", 5400),
        ("500ms", 0.5),
        ("1 m 500 ms", 60.5),
        ("  10 Min\t2 S ", 602),
        ("1hr30mins", 5400),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "h", "-5m", "1h 30", "1h30", "30m 2h", "2h2h", "1h,5m", "5 weeks", "1e3", "inf", "1_0s"],
)
def test_what_may_mean_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write for example 30s, 10m or 2h30m"):
        parse_duration(text)


def test_a_duration_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="the duration is too long"):
        parse_duration("9" * 400)


@given(st.floats(0, 1e7))
def test_a_shown_duration_can_be_parsed_again(seconds: float) -> None:
    """Above an hour people are told minutes."""
    assert abs(parse_duration(show_duration(seconds)) - seconds) <= (0.5 if seconds < 3599 else 60)


@given(st.floats(55, 1e7))
def test_an_estimate_is_read_back_and_about_right(seconds: float) -> None:
    told = about(seconds)
    assert told.startswith("about ")
    assert abs(parse_duration(told.removeprefix("about ")) - seconds) <= (30 if seconds < 3569 else 1801)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "a moment"),
        (30, "less than a minute"),
        (64, "about 1 minute"),
        (95, "about 2 minutes"),
        (3600, "about 1 hour"),
        (10_200, "about 2 hours 50 minutes"),
        (90_000, "about 25 hours"),
        (600_000, "about 6 days 23 hours"),
    ],
)
def test_estimates_are_told_as_an_office_says_them(seconds: float, told: str) -> None:
    assert about(seconds) == told


@pytest.mark.parametrize("text", ["", "0/s", "5", "5/day"])
def test_a_text_that_is_not_a_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)
