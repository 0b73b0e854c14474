"""Days in a zone, what fits a selection, and that each appointment counts once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bulk_cancel.core.model import Appointment
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.selection import Days, Fit, Gathering, Selection, judge

DAY = date(2026, 12, 24)
DAYS = Days(DAY, DAY, ZoneInfo("Europe/Berlin"))
HOST, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
TYPE = "33333333-3333-4333-8333-33333333333a"
FITTING = Appointment(
    "44444444-4444-4444-8444-444444444444",
    is_cancelled=False,
    start="2026-12-24T09:00:00.000Z",
    location="Berlin office, 2nd floor",
    channel="local",
    host_ids=(HOST,),
    meeting_type_id=TYPE,
)


@pytest.mark.parametrize(
    ("first", "last", "zone", "bounds"),
    [
        ("2026-12-24", "2026-12-24", "Europe/Berlin", ("2026-12-23T23:00:00.000Z", "2026-12-24T22:59:59.999Z")),
        ("2026-12-24", "2026-12-26", "UTC", ("2026-12-24T00:00:00.000Z", "2026-12-26T23:59:59.999Z")),
        ("2027-03-28", "2027-03-28", "Europe/Berlin", ("2027-03-27T23:00:00.000Z", "2027-03-28T21:59:59.999Z")),
        ("2026-10-25", "2026-10-25", "Europe/Berlin", ("2026-10-24T22:00:00.000Z", "2026-10-25T22:59:59.999Z")),
        ("2027-03-27", "2027-03-29", "Europe/Berlin", ("2027-03-26T23:00:00.000Z", "2027-03-29T21:59:59.999Z")),
        ("2026-12-24", "2026-12-24", "Asia/Kathmandu", ("2026-12-23T18:15:00.000Z", "2026-12-24T18:14:59.999Z")),
        ("1970-01-02", "2999-12-31", "Pacific/Kiritimati", ("1970-01-02T10:40:00.000Z", "2999-12-31T09:59:59.999Z")),
    ],
)
def test_the_bounds_are_local_midnights(first: str, last: str, zone: str, bounds: tuple[str, str]) -> None:
    assert Days(date.fromisoformat(first), date.fromisoformat(last), ZoneInfo(zone)).bounds() == bounds


@pytest.mark.parametrize(
    ("day", "zone", "minutes"),
    [
        ("2027-03-28", "Europe/Berlin", 23 * 60),
        ("2026-10-25", "Europe/Berlin", 25 * 60),
        ("2018-11-04", "America/Sao_Paulo", 23 * 60),  # its midnight does not exist
        ("2018-02-17", "America/Sao_Paulo", 25 * 60),  # its last hour comes twice
        ("2018-02-18", "America/Sao_Paulo", 24 * 60),
        ("2026-10-25", "Atlantic/Azores", 25 * 60),  # its midnight comes twice
        ("2024-11-03", "America/Havana", 25 * 60),
        ("2010-11-06", "America/St_Johns", 24 * 60 + 59),  # goes on for 59 minutes after the next day has begun
        ("2010-11-07", "America/St_Johns", 24 * 60 + 1),
        ("1919-03-31", "America/Toronto", 23 * 60 + 30),  # begins at 00:30
        ("2011-12-30", "Pacific/Apia", 0),  # was left out
        ("2011-12-31", "Pacific/Apia", 24 * 60),
        ("2026-04-05", "Australia/Lord_Howe", 24 * 60 + 30),
    ],
)
def test_a_day_is_what_a_calendar_in_the_zone_shows(day: str, zone: str, minutes: int) -> None:
    days = Days(date.fromisoformat(day), date.fromisoformat(day), ZoneInfo(zone))
    noon = datetime.combine(days.first, datetime.min.time(), UTC) + timedelta(hours=12)
    around = [(noon + timedelta(minutes=n)).timestamp() for n in range(-2 * 1440, 2 * 1440)]
    shown = [at for at in around if datetime.fromtimestamp(at, days.zone).date() == days.first]
    earliest, latest = (moment_of(bound) or 0 for bound in days.bounds())

    assert [at for at in around if days.hold(at)] == shown
    assert all(earliest <= at <= latest for at in shown)
    assert len(shown) == minutes
    assert latest - earliest <= (minutes + 24 * 60 if minutes == 0 else minutes + 60) * 60


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+00:00", "1700-01-01T00:00:00Z"])
def test_starts_at_the_ends_of_time_are_in_no_days(start: str) -> None:
    assert judge(Selection(DAYS), replace(FITTING, start=start)) is Fit.OTHER


@pytest.mark.parametrize(
    ("start", "fit"),
    [
        ("2026-12-23T23:00:00Z", Fit.ACTIVE),
        ("2026-12-24T00:00:00.000+01:00", Fit.ACTIVE),
        ("2026-12-24T22:59:59.9999Z", Fit.ACTIVE),
        ("2026-12-24T09:00:00", Fit.ACTIVE),  # without an offset it is UTC
        ("2026-12-23T22:59:59.999Z", Fit.OTHER),  # the server's bounds are not trusted
        ("2026-12-24T23:00:00Z", Fit.OTHER),
        ("2026-12-23T23:30:00", Fit.ACTIVE),
        (None, Fit.UNREADABLE),
        ("tomorrow", Fit.UNREADABLE),
    ],
)
def test_an_appointment_belongs_to_the_day_of_its_start(start: str | None, fit: Fit) -> None:
    assert judge(Selection(DAYS), replace(FITTING, start=start, end="2026-12-23T23:00:00Z")) is fit


@pytest.mark.parametrize(
    ("start", "end", "fit"),
    [
        ("2026-12-23T22:30:00Z", "2026-12-23T23:00:00.001Z", Fit.REACHES_IN),
        ("2026-12-22T09:00:00Z", "2026-12-25T09:00:00Z", Fit.REACHES_IN),
        ("2026-12-23T22:30:00Z", "2026-12-23T23:00:00Z", Fit.OTHER),  # it ends as the day begins
        ("2026-12-23T22:30:00Z", None, Fit.UNREADABLE),
        ("2026-12-22T22:30:00Z", None, Fit.OTHER),
        ("2026-12-24T23:00:00Z", None, Fit.OTHER),
    ],
)
def test_what_began_before_the_day_may_reach_into_it(start: str, end: str | None, fit: Fit) -> None:
    before = replace(FITTING, start=start, end=end)
    assert judge(Selection(DAYS), before) is fit
    assert judge(Selection(DAYS), replace(before, is_cancelled=True)) is Fit.OTHER
    assert judge(Selection(DAYS, location="Hamburg"), before) is Fit.OTHER


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        (Selection(DAYS, location="BERLIN"), True),
        (Selection(DAYS, location="office, 2"), True),
        (Selection(DAYS, location="Hamburg"), False),
        (Selection(DAYS, channel="Local"), True),
        (Selection(DAYS, channel="loc"), False),
        (Selection(DAYS, host_ids=(OTHER, HOST)), True),
        (Selection(DAYS, host_ids=(OTHER,)), False),  # as a server would answer that does not know the filter
        (Selection(DAYS, meeting_type_id=TYPE), True),
        (Selection(DAYS, meeting_type_id=OTHER), False),
        (Selection(DAYS, "berlin", (HOST,), False, TYPE, "local"), True),
        (Selection(DAYS, "berlin", (HOST,), False, TYPE, "video"), False),
    ],
)
def test_an_appointment_has_to_fit_every_criterion(selection: Selection, fits: bool) -> None:
    assert judge(selection, FITTING) is (Fit.ACTIVE if fits else Fit.OTHER)


@pytest.mark.parametrize("asked", [{"location": "a"}, {"channel": "local"}, {"meeting_type_id": TYPE}])
def test_what_an_appointment_does_not_tell_does_not_fit(asked: dict[str, str]) -> None:
    silent = replace(FITTING, location=None, channel=None, meeting_type_id=None, host_ids=())
    assert judge(Selection(DAYS, **asked), silent) is Fit.OTHER  # type: ignore[arg-type]
    assert judge(Selection(DAYS, host_ids=(HOST,)), silent) is Fit.ACTIVE


def test_a_location_is_compared_as_people_read_it() -> None:
    composed, decomposed = "Büro Köln, Hauptstraße", "BU\N{COMBINING DIAERESIS}RO KO\N{COMBINING DIAERESIS}LN"
    assert judge(Selection(DAYS, location=decomposed), replace(FITTING, location=composed)) is Fit.ACTIVE
    assert judge(Selection(DAYS, location="hauptSTRASSE"), replace(FITTING, location=composed)) is Fit.ACTIVE


def numbered(number: int, **changes: object) -> Appointment:
    return replace(FITTING, appointment_id=f"44444444-4444-4444-8444-{number:012}", **changes)  # type: ignore[arg-type]


def test_each_appointment_counts_once_as_it_was_read_last() -> None:
    gathering = Gathering(Selection(DAYS))
    gathering.take([numbered(1), numbered(2), numbered(3), numbered(4, start=None), numbered(1)])
    gathering.take([numbered(2, is_cancelled=True), numbered(3, start="2027-01-01T09:00:00Z"), numbered(4, start=None)])
    assert gathering.chosen(Fit.ACTIVE) == (numbered(1),)
    assert [gathering.count(fit) for fit in (Fit.ACTIVE, Fit.CANCELLED, Fit.UNREADABLE)] == [1, 1, 1]


def test_found_appointments_are_sorted_by_start_then_by_id() -> None:
    gathering = Gathering(Selection(DAYS))
    late, early = numbered(1, start="2026-12-24T10:00:00Z"), numbered(3, start="2026-12-24T10:30:00+01:00")
    also_early = numbered(2, start="2026-12-24T09:30:00.000Z", is_cancelled=True)
    gathering.take([late, early, also_early])
    assert gathering.chosen(Fit.ACTIVE) == (early, late)
    assert gathering.chosen(Fit.ACTIVE, Fit.CANCELLED) == (also_early, early, late)
