"""The hours in which cancels may be sent, daylight saving included."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.window import parse_window

BERLIN = ZoneInfo("Europe/Berlin")
DAY, NIGHT = parse_window("08:00-20:00 Europe/Berlin"), parse_window("20:00-06:00 Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("moment", "day", "night"),
    [
        ("2026-11-22T07:59:59", False, False),
        ("2026-11-22T08:00:00", True, False),
        ("2026-11-22T19:59:59", True, False),
        ("2026-11-22T20:00:00", False, True),
        ("2026-11-22T23:59:59", False, True),
        ("2026-11-22T05:59:59", False, True),
    ],
)
def test_a_send_window_is_open_in_its_hours(moment: str, day: bool, night: bool) -> None:
    assert DAY.is_open(at(moment)) is day
    assert NIGHT.is_open(at(moment)) is night


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2026-11-22T06:00:00", 2),
        ("2026-11-22T20:00:00", 12),
        ("2027-03-27T20:00:00", 11),  # the night in which an hour is skipped
        ("2026-10-24T20:00:00", 13),  # the night in which an hour comes twice
        ("2026-11-22T12:00:00", 0),
    ],
)
def test_the_wait_counts_real_hours(moment: str, hours: float) -> None:
    assert DAY.wait_s(at(moment)) == hours * 3600


def test_an_opening_hour_that_is_skipped_opens_when_the_clock_has_passed_it() -> None:
    window = parse_window("02:30-20:00 Europe/Berlin")
    moment, waited = at("2027-03-28T01:00:00"), 0.0
    while wait := window.wait_s(moment + waited):
        waited += wait
    assert window.is_open(moment + waited)
    assert waited <= 2 * 3600


@pytest.mark.parametrize(
    ("hours", "moment", "opens"),
    [
        ("02:30-10:00", "2027-03-28T00:00+01:00", "2027-03-28T03:00+02:00"),  # 02:30 is skipped: as soon as it is past
        ("02:30-10:00", "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),  # the second 02:30 of that night
        ("20:00-02:30", "2026-10-25T02:40+02:00", "2026-10-25T02:00+01:00"),  # the second 02:00 is within the hours
        ("02:10-02:50", "2027-03-28T00:00+01:00", "2027-03-29T02:10+02:00"),  # not on that day at all
    ],
)
def test_the_opening_on_a_day_of_23_or_25_hours(hours: str, moment: str, opens: str) -> None:
    now, then = (datetime.fromisoformat(text).timestamp() for text in (moment, opens))
    assert now + parse_window(f"{hours} Europe/Berlin").wait_s(now) == then


@given(st.integers(1_790_000_000, 1_810_000_000), st.sampled_from(["02:30-10:00", "20:00-02:30", "08:00-20:00"]))
def test_the_window_opens_exactly_after_the_wait(moment: int, hours: str) -> None:
    window = parse_window(f"{hours} Europe/Berlin")
    opens = moment + window.wait_s(moment)
    assert window.is_open(opens)
    assert not any(map(window.is_open, range(moment, int(opens), 300)))


@given(st.floats(1.7e9, 1.9e9), st.sampled_from([DAY, NIGHT, parse_window("02:15-02:45 Europe/Berlin")]))
def test_after_the_wait_the_window_is_open(moment: float, window: object) -> None:
    for _ in range(60):
        wait = window.wait_s(moment)  # type: ignore[attr-defined]
        if not wait:
            break
        moment += wait + 0.001
    assert window.is_open(moment)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    ["", "8-20", "08:00-20:00", "25:00-26:00 UTC", "08:00-08:00 UTC", "08:00-20:00 Nowhere/Land", "08:00-20:00 ../x"],
)
def test_a_text_that_is_not_a_send_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_window(text)
