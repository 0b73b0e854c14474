"""docs/plan-file.md says what the program writes, or the build fails."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from bulk_cancel.core.actions import Action
from bulk_cancel.plan_files import PlanFile
from bulk_cancel.plan_files.fields import HEADER_FIELDS, LINE_FIELDS

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "plan-file.md").read_text("utf-8")


def named(section: str) -> set[str]:
    """The names in the first column of the tables of a section."""
    cells = re.findall(r"^\|([^|]*)\|", DOCS.split(f"### {section}\n")[1].split("\n##")[0], re.MULTILINE)
    return set(re.findall(r"`(\w+)`", " ".join(cells)))


def test_the_example_is_what_is_written(small: PlanFile) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)
    assert example == small.path.read_text("ascii")


def test_every_field_and_action_is_explained() -> None:
    assert named("The header") == {"format", "version", *HEADER_FIELDS}
    assert named("A line") == {*LINE_FIELDS, *(action.value for action in Action)}


def test_the_digest_is_made_as_described(plan: PlanFile) -> None:
    lines = plan.path.read_bytes().splitlines(keepends=True)
    assert hashlib.sha256(b"".join(lines[:-1])).hexdigest() == json.loads(lines[-1])["digest"] == plan.digest
