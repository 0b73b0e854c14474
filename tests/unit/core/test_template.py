"""Reasons with blanks."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.model import Appointment
from bulk_cancel.core.template import NoZoneError, parse_template, seen_values

BERLIN = ZoneInfo("Europe/Berlin")

VALUES = {
    "bell": "a\x1b[31mb",
    "nul": "a\0b",
    "lost": "#N/A",
    "wrapped": '="007"',
    "location": "Berlin",
    "start": "2026-11-30T09:00:00+01:00",
    "empty": " ",
    "Termin Nr": "7",
    "late": "2026-11-30T23:30:00Z",
    "naive": "2026-11-30T09:00",
    "day": "2026-11-30",
    "noon": "12:00",
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("closed", "closed"),
        ("Our {location} office", "Our Berlin office"),
        ("on {start:%d %B %Y} at {start:%H:%M}", "on 30 November 2026 at 09:00"),
        ("at {start}", "at 2026-11-30 09:00 CET"),
        ("on {late:%d.%m.} at {late:%H:%M %Z}", "on 01.12. at 00:30 CET"),  # in UTC it is the day before
        ("at {naive:%H:%M} or {naive}", "at 09:00 or 2026-11-30T09:00"),  # as an office wrote it down
        ("on {day:%d.%m.}", "on 30.11."),
        ("at {noon}", "at 12:00"),
        ("{{not a blank}}", "{not a blank}"),
        ("no {Termin Nr}", "no 7"),
        ("  {location}  ", "Berlin"),
        ("no {wrapped}", "no 007"),
    ],
)
def test_blanks_are_filled_in(text: str, reason: str) -> None:
    assert parse_template(text, BERLIN).fill(VALUES) == reason


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{room}", r"needs \{room\}, which is not known"),
        ("{empty}", "not known"),
        ("{location:%d}", r"needs a date like 2026-12-01 in \{location\}: .* leave out the format, \{location\}$"),
        ("{bell}", "filled in, contains control characters"),
        ("{nul}", "filled in, contains control characters"),
        ("{lost}", r"needs \{lost\}, which is an error of the sheet: #N/A"),
        ("{location}" * 100, "filled in, has 600 characters"),
    ],
)
def test_what_cannot_be_filled_in_is_said(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_template(text, BERLIN).fill(VALUES)


@pytest.mark.parametrize("text", ["{start}", "{start:%H:%M}", "on {late:%d %B}"])
def test_a_moment_is_not_filled_in_without_a_zone(text: str) -> None:
    with pytest.raises(NoZoneError, match="no time zone is known for it"):
        parse_template(text).fill(VALUES)


@pytest.mark.parametrize("text", ["{naive:%H:%M}", "{day:%d %B}", "{naive}", "{location}"])
def test_a_blank_without_a_moment_needs_no_zone(text: str) -> None:
    assert parse_template(text).fill(VALUES) == parse_template(text, BERLIN).fill(VALUES)


def test_what_a_look_tells_without_an_offset_is_utc() -> None:
    seen = Appointment("a", False, start="2026-11-30T08:00:00", end="soon", location="Berlin")
    values = seen_values(seen)
    assert parse_template("{start:%H:%M}, {end}, {location}", BERLIN).fill(values) == "09:00, soon, Berlin"
    assert seen_values(None) == {}


@given(st.integers(946_684_800, 2_114_380_800), st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Gaza"]))
def test_a_mail_tells_local_time(at: int, name: str) -> None:
    """On every day of the year, those of 23 and of 25 hours among them."""
    zone = ZoneInfo(name)
    values = {"start": datetime.fromtimestamp(at, UTC).isoformat()}
    told = parse_template("{start:%Y-%m-%d %H:%M %Z}", zone).fill(values)
    assert told == f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M %Z}"


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a.b}", "{a[0]}", "{a!r}", "{0.__class__}", "{ }"])
def test_only_names_are_blanks(text: str) -> None:
    with pytest.raises(ValueError):
        parse_template(text)


@given(st.text(alphabet="ab {}:%!.[]", max_size=30))
def test_any_template_is_filled_in_or_refused(text: str) -> None:
    try:
        filled = parse_template(text).fill({"a": "1", "b": "2026-01-01"})
    except ValueError:
        return
    assert len(filled) <= 500
