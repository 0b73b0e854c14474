"""A moment as people read it and as programs do: never without its zone, and never two moments as one."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_cancel.core.moments import formatted, moment_of, parse_zone, show_moment, write_moment

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
#: 2000 to 2037: until then the rules of every zone are written out.
SECONDS = st.integers(946_684_800, 2_114_380_800)


@pytest.mark.parametrize(
    ("moment", "zone", "shown"),
    [
        ("2026-12-24T08:30:00.000Z", "Europe/Berlin", "2026-12-24 09:30 CET"),
        ("2026-12-24T08:30:00", "Europe/Berlin", "2026-12-24 09:30 CET"),  # without an offset it is UTC
        ("2026-12-24T03:30:00-05:00", "Europe/Berlin", "2026-12-24 09:30 CET"),
        ("2026-07-24T08:30:00Z", "Europe/Berlin", "2026-07-24 10:30 CEST"),
        ("2026-10-25T00:30:00Z", "Europe/Berlin", "2026-10-25 02:30 CEST"),  # this hour comes twice
        ("2026-10-25T01:30:00Z", "Europe/Berlin", "2026-10-25 02:30 CET"),
        ("2027-03-28T00:59:00Z", "Europe/Berlin", "2027-03-28 01:59 CET"),  # the hour after it is skipped
        ("2027-03-28T01:00:00Z", "Europe/Berlin", "2027-03-28 03:00 CEST"),
        ("2026-12-24T08:30:00Z", "America/Sao_Paulo", "2026-12-24 05:30 UTC-03:00"),  # it has no other name
        ("2026-12-24T08:30:00Z", "UTC", "2026-12-24 08:30 UTC"),
        ("9999-12-31T23:59:59Z", "Pacific/Kiritimati", "9999-12-31 23:59 UTC"),  # there it is the year 10000
        ("0001-01-01T00:00:00Z", "UTC", "0001-01-01 00:00 UTC"),
        ("0999-12-31T23:59:59Z", "UTC", "0999-12-31 23:59 UTC"),
        (0.0, "Europe/London", "1970-01-01 01:00 BST"),
        (1e30, "UTC", "9999-12-31 23:59 UTC"),
        ("at noon\x1b[31m", "UTC", "at noon"),
        (None, "UTC", ""),
    ],
)
def test_a_time_for_people_has_its_zone(moment: float | str | None, zone: str, shown: str) -> None:
    assert show_moment(moment, ZoneInfo(zone)) == shown


@pytest.mark.parametrize(
    ("form", "written"),
    [("%d.%m.%Y", "02.01.0044"), ("%F", "0044-01-02"), ("%%Y %Y", "%Y 0044"), ("100%", "100%"), ("%y", "44")],
)
def test_every_year_has_four_digits(form: str, written: str) -> None:
    assert formatted(date(44, 1, 2), form) == written


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        ("2026-12-24T08:30:00.123Z", "2026-12-24T09:30:00+01:00"),
        (1_795_348_800.9, "2026-11-22T13:00:00+01:00"),
        ("soon", "soon"),
        (None, ""),
    ],
)
def test_a_time_for_programs_has_its_offset(moment: float | str | None, written: str) -> None:
    assert write_moment(moment, BERLIN) == written


def test_without_a_zone_times_are_in_this_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert show_moment("2026-12-24T08:30:00Z") == "2026-12-24 14:15 UTC+05:45"
    finally:
        monkeypatch.undo()
        time.tzset()


@given(SECONDS, SECONDS | st.integers(-7200, 7200), ZONES)
@example(1_792_888_200, 3600, BERLIN)  # 02:30 in summer and, an hour later, in winter
@example(1_775_316_600, 1800, ZoneInfo("Australia/Lord_Howe"))
def test_two_different_minutes_are_never_shown_alike(at: int, other: int, zone: ZoneInfo) -> None:
    """Also not those of the hour that comes twice."""
    minute, another = at // 60 * 60, (at + other if other < 10_000 else other) // 60 * 60
    assert (show_moment(minute, zone) == show_moment(another, zone)) is (minute == another)


@given(SECONDS, ZONES)
def test_what_is_written_for_programs_is_the_moment(at: int, zone: ZoneInfo) -> None:
    assert moment_of(write_moment(at, zone)) == at


@given(SECONDS, ZONES)
def test_what_people_read_is_what_a_clock_on_the_wall_shows(at: int, zone: ZoneInfo) -> None:
    offset = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    on_the_wall = datetime.fromtimestamp(at, UTC) + offset
    assert show_moment(at, zone).startswith(f"{on_the_wall:%Y-%m-%d %H:%M} ")


@pytest.mark.parametrize("name", ["", "Berlin", "../../etc/passwd", "Europe", "/etc/localtime", "Mars/Olympus", "a\0b"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        parse_zone(name)
