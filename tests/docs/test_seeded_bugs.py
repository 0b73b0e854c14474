"""The list of seeded bugs keeps up with the program; `make seeded-bugs` runs it."""

from __future__ import annotations

import json

import pytest

from support.seeded_bugs import BUGS, ROOT, Bug
from world.bugs import MOST_HISTORIES, above


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_still_has_a_place_in_the_program_and_a_test(bug: Bug) -> None:
    place = ROOT / "src" / "bulk_cancel" / bug.file
    assert place.is_file(), f"{bug.file} has moved: say where to"
    assert place.read_text(encoding="utf-8").count(bug.old) == 1
    file, _, test = bug.test.partition("::")
    assert (ROOT / file).is_file(), f"{file} has moved: say where to"
    assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_bugs_that_the_world_catches_are_nine_in_ten_of_those_it_can() -> None:
    """`make world-bugs` plays these seeds."""
    caught = json.loads((ROOT / "tests" / "world" / "caught.json").read_text(encoding="utf-8"))
    can = {bug.name for bug in BUGS if above(bug)}
    assert set(caught) <= can
    assert max(caught.values()) <= MOST_HISTORIES
    assert len(caught) * 10 >= len(can) * 9
