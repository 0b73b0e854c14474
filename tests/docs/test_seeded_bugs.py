"""The list of seeded bugs keeps up with the program; `make seeded-bugs` runs it."""

from __future__ import annotations

import pytest

from support.seeded_bugs import BUGS, ROOT, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_still_has_a_place_in_the_program_and_a_test(bug: Bug) -> None:
    place = ROOT / "src" / "bulk_cancel" / bug.file
    assert place.is_file(), f"{bug.file} has moved: say where to"
    assert place.read_text(encoding="utf-8").count(bug.old) == 1
    file, _, test = bug.test.partition("::")
    assert (ROOT / file).is_file(), f"{file} has moved: say where to"
    assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
