"""docs/threat-model.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.reference import page

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda name: Path(name).stem)
def test_a_guard_is_shown_by_a_test_that_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), (file, test)


def test_every_line_names_a_test_or_says_that_nothing_stands_against_it() -> None:
    tables = re.findall(r"^\|.*\| shown by \|\n\|[-| ]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert len(tables) == 6
    lines = [line for table in tables for line in table.splitlines()]
    unheld = [line for line in lines if "`tests/" not in line.rsplit(" | ", 1)[-1]]
    assert [line.split(" | ")[2].partition(" ")[0] for line in unheld] == ["nothing.", "**`sslmode=verify-full`**"]


def test_no_option_takes_a_credential() -> None:
    options = re.findall(r"--[\w-]+", page())
    assert "--ledger" in options
    assert not [option for option in options if re.search("token|secret|key|credential|password", option)]
