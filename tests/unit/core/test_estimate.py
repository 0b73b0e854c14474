"""What an office is told of when a run ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.estimate import Hours
from bulk_cancel.core.window import parse_window

BERLIN = ZoneInfo("Europe/Berlin")
DAY = parse_window("08:00-20:00 Europe/Berlin")
HOUR = 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("now", "needs_s", "window", "told"),
    [
        ("2026-12-23T09:00", 30, None, ""),
        ("2026-12-23T08:00", 10_200, None, "It ends about 10:50 CET."),
        ("2026-12-23T23:00", 2 * HOUR, None, "It ends about 2026-12-24 01:00 CET."),
        ("2026-12-23T09:00", 30, DAY, ""),
        ("2026-12-23T08:00", 10_200, DAY, "It ends about 10:50 CET."),
        ("2026-12-23T07:12", 10_200, DAY, "The send window opens at 08:00 CET, and it ends about 10:50 CET."),
        ("2026-12-23T07:12", 1, DAY, "The send window opens at 08:00 CET, and it ends about 08:00 CET."),
        ("2026-12-23T19:00", 2 * HOUR, DAY, "It ends about 2026-12-24 09:00 CET."),
        (
            "2026-12-23T21:00",
            HOUR,
            DAY,
            "The send window opens at 2026-12-24 08:00 CET, and it ends about 2026-12-24 09:00 CET.",
        ),
        ("2027-03-27T19:30", HOUR, parse_window("19:00-03:30 Europe/Berlin"), "It ends about 20:30 CET."),
        ("2027-03-28T01:30", HOUR, None, "It ends about 03:30 CEST."),  # an hour is skipped
        ("2026-10-25T02:30", HOUR, None, "It ends about 02:30 CET."),  # and here one comes twice
        ("2026-12-23T09:00", 400 * HOUR, DAY, "It ends in more than a month."),
    ],
)
def test_the_outlook_says_when_a_run_ends(now: str, needs_s: float, window: object, told: str) -> None:
    assert Hours(window, True, BERLIN).outlook(at(now), needs_s) == told  # type: ignore[arg-type]


def test_a_run_that_does_not_wait_for_the_window_is_told_to() -> None:
    told = Hours(DAY, waits=False, zone=BERLIN).outlook(at("2026-12-23T07:12"), 60)
    assert told == "The send window opens at 08:00 CET: until then a run sends nothing."
    assert Hours(DAY, waits=False, zone=BERLIN).outlook(at("2026-12-23T09:00"), HOUR) == "It ends about 10:00 CET."


@pytest.mark.parametrize(
    ("now", "pause", "window", "told"),
    [
        ("2026-12-23T09:00", Hours(paused_s=600), None, "It ends about 09:10 CET."),
        ("2026-12-23T09:00", Hours(paused_s=20), None, ""),
        ("2026-12-23T19:55", Hours(paused_s=600), DAY, "The send window opens at 2026-12-24 08:00 CET, and it ends"),
        ("2026-12-23T09:00", Hours(paused_s=7200, stops=True), DAY, "The API asks to wait 2 h; until then every run"),
    ],
)
def test_a_pause_comes_before_the_first_cancel(now: str, pause: Hours, window: object, told: str) -> None:
    hours = replace(pause, window=window, zone=BERLIN)
    outlook = hours.outlook(at(now), 30)
    assert outlook.startswith(told)
    assert bool(outlook) is bool(told)


@given(st.integers(1_790_000_000, 1_810_000_000), st.floats(1, 3 * 86_400))
def test_as_much_of_the_window_has_passed_as_is_needed(now: int, needs_s: float) -> None:
    ends_at = DAY.ends_at(now, needs_s)
    assert ends_at is not None
    passed = sum(DAY.is_open(moment) for moment in range(now, int(ends_at), 60)) * 60
    assert abs(passed - needs_s) <= 120
