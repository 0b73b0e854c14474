"""Worlds are repeatable and of the right mixture."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from bulk_cancel.sandbox.options import SandboxOptions
from bulk_cancel.sandbox.people import OWNER, made_id
from bulk_cancel.sandbox.world import Kind, World
from support.worlds import of_kind, single

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
A, B = (made_id(name) for name in "ab")


def test_the_same_seed_makes_the_same_world():
    assert World.generate(300, 4, NOW) == World.generate(300, 4, NOW)
    assert World.generate(300, 4, NOW) != World.generate(300, 5, NOW)


def test_ids_do_not_depend_on_the_moment():
    assert list(World.generate(50, 4, NOW).appointments) == list(World.generate(50, 4).appointments)


def test_every_kind_occurs_and_most_are_single():
    kinds = Counter(each.kind for each in World.generate(1000, 1, NOW).appointments.values())
    assert set(kinds) == set(Kind)
    assert kinds[Kind.SINGLE] > 500


def test_each_kind_of_appointment_is_generated_as_named():
    world = World.generate(1000, 2, NOW)
    assert all(each.start < NOW for each in of_kind(world, Kind.PAST))
    assert all(each.start > NOW for each in world.appointments.values() if each.kind is not Kind.PAST)
    assert all(len(each.attendee_ids) > 1 for each in of_kind(world, Kind.GROUP))
    assert all(each.cancellation for each in of_kind(world, Kind.CANCELLED))
    assert all(OWNER.id not in each.host_ids for each in of_kind(world, Kind.OTHER_HOST))
    assert all(len(each.host_ids) > 1 for each in of_kind(world, Kind.COHOSTED))
    first, second = of_kind(world, Kind.SERIES)[:2]
    assert (first.series_id, second.start - first.start) == (second.series_id, timedelta(weeks=1))


def test_a_world_of_given_ids_is_all_single():
    world = single([A, B])
    assert list(world.appointments) == [A, B]
    assert {each.kind for each in world.appointments.values()} == {Kind.SINGLE}


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        SandboxOptions(rate_per_s=0)
    with pytest.raises(ValueError, match="at least 1"):
        SandboxOptions(burst=0)
