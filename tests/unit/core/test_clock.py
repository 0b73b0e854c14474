"""Ages that no set clock can make older."""

from __future__ import annotations

import pytest

from bulk_cancel.core.clock import TimeBase

NOW = 1_000_000.0  # the wall clock, when the monotonic clock shows 500
HERE = TimeBase("this boot", NOW - 500)


@pytest.mark.parametrize(
    ("at", "recorded", "age"),
    [
        (NOW - 60, HERE, 60),
        (NOW + 60, HERE, 0),
        (NOW - 60 + 3600, TimeBase("this boot", HERE.offset_s + 3600), 60),  # the wall clock was an hour ahead
        (NOW - 60 - 3600, TimeBase("this boot", HERE.offset_s - 3600), 60),
        (NOW - 60, TimeBase("an earlier boot", 0), 60),
        (NOW - 9999, TimeBase("an earlier boot", 0), 500),  # certain is only: before this boot
        (NOW + 60, TimeBase("an earlier boot", 0), 0),
    ],
)
def test_the_age_of_a_moment_under_each_time_base(at: float, recorded: TimeBase, age: float) -> None:
    assert HERE.age_s(at, recorded, mono=500) == age


def test_without_a_boot_id_the_wall_clock_is_all_there_is() -> None:
    assert TimeBase(None, HERE.offset_s).age_s(NOW - 9999, TimeBase(None, 0), mono=500) == 9999
