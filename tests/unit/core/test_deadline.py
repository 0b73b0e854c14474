"""What a deadline means on the clocks of the world."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bulk_cancel.core.deadline import TimeLimit, parse_deadline

BERLIN, KIRITIMATI = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Kiritimati")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("text", "now", "zone", "moment"),
    [
        ("18:00", "2026-12-24T02:15:00+01:00", BERLIN, "2026-12-24T18:00:00+01:00"),
        (
            "18:00",
            "2026-12-24T23:00:00+01:00",
            BERLIN,
            "2026-12-24T18:00:00+01:00",
        ),  # passed: of this day, not the next
        ("8:30", "2026-12-24T23:00:00+00:00", KIRITIMATI, "2026-12-25T08:30:00+14:00"),
        ("18:00", "2026-10-25T00:30:00+02:00", BERLIN, "2026-10-25T18:00:00+01:00"),  # daylight saving ends
        ("02:30", "2026-10-25T00:30:00+02:00", BERLIN, "2026-10-25T02:30:00+02:00"),  # the first of the two
        ("02:30", "2027-03-28T00:30:00+01:00", BERLIN, "2027-03-28T03:30:00+02:00"),  # there is no such hour
        ("2026-12-24T18:00", "2026-12-23T00:00:00+00:00", BERLIN, "2026-12-24T18:00:00+01:00"),
        ("2026-12-24T18:00Z", "2026-12-23T00:00:00+00:00", BERLIN, "2026-12-24T18:00:00+00:00"),
    ],
)
def test_a_deadline_is_read_as_a_moment(text: str, now: str, zone: ZoneInfo, moment: str) -> None:
    assert parse_deadline(text).at(at(now), zone) == at(moment)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "18", "18:0", "2026-12-24", "2026-13-01T10:00", "10:00 Mars"])
def test_a_text_that_is_not_a_deadline_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a deadline; write for example 18:00"):
        parse_deadline(text)


def test_a_deadline_is_shown_as_it_was_written() -> None:
    assert str(parse_deadline("08:05")) == "08:05"
    assert str(parse_deadline("2026-12-24T18:00Z")) == "2026-12-24 18:00+00:00"


def test_the_time_left_is_never_negative() -> None:
    assert (TimeLimit(10, "").left_s(4), TimeLimit(10, "").left_s(11)) == (6, 0)
