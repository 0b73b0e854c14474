"""The list of seeded bugs keeps up with the program and with its documentation; `make seeded-bugs` runs it."""

from __future__ import annotations

from support.seeded_bugs import BUGS, ROOT


def test_each_bug_still_has_a_place_in_the_program() -> None:
    for bug in BUGS:
        assert (ROOT / "src" / "bulk_cancel" / bug.file).read_text(encoding="utf-8").count(bug.old) == 1, bug.name


def test_the_documentation_lists_the_bugs() -> None:
    table = [f"| {bug.name} | `{bug.test.removeprefix('tests/')}` |" for bug in BUGS]
    lines = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line in table] == table
