"""What counts as a change since the plan."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from bulk_cancel.core.actions import Expectation, why_changed
from bulk_cancel.core.model import Appointment
from support.plans import seen, uuid

START = "2026-12-01T09:00:00Z"
HOSTS = (uuid(801), uuid(802))
PLANNED = Expectation(START, HOSTS)
OTHER = "rescheduled from 2026-12-01 10:00 CET to"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("expected", "shown", "why"),
    [
        (PLANNED, seen(2), ""),
        (PLANNED, seen(2, host_ids=HOSTS[::-1]), ""),
        (PLANNED, seen(2, start="2026-12-01T10:00:00+01:00"), ""),
        (PLANNED, seen(2, start="2026-12-01T09:00:00"), ""),
        (PLANNED, seen(2, end="2026-12-01T11:00:00Z", location="elsewhere", paid=True), ""),
        (PLANNED, seen(2, start="2026-12-02T09:00:00Z"), f"{OTHER} 2026-12-02 10:00 CET"),
        (PLANNED, seen(2, start="2026-12-01T09:00:00+01:00"), f"{OTHER} 2026-12-01 09:00 CET"),
        (PLANNED, seen(2, start=None), ""),
        (PLANNED, seen(2, host_ids=None), ""),
        (PLANNED, seen(2, start="soon\x1b[2J"), f"{OTHER} soon"),
        (PLANNED, seen(2, host_ids=HOSTS[:1]), "other hosts than planned"),
        (PLANNED, seen(2, host_ids=()), "other hosts than planned"),
        (Expectation(START, ()), seen(2), "other hosts than planned"),
        (Expectation("soon", HOSTS), seen(2, start="soon"), ""),
        (Expectation("soon", HOSTS), seen(2), "rescheduled from soon to 2026-12-01 10:00 CET"),
        (Expectation(None, HOSTS), seen(2, start="2027-01-01T09:00:00Z"), ""),
        (Expectation(), seen(2, host_ids=()), ""),
    ],
)
def test_each_change_since_the_approval_is_named(expected: Expectation, shown: Appointment, why: str) -> None:
    assert why_changed(expected, shown, BERLIN) == why
