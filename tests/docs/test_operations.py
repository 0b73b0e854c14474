"""docs/operations.md and the guide to unattended runs say what the files and the program do."""

from __future__ import annotations

import re
from typing import get_args

from bulk_cancel.errors import PERMANENT
from bulk_cancel.ops.notify import LONGEST_S
from bulk_cancel.settings.job import Occasion
from support.schedules import ROOT, SCHEDULE

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NIGHTLY = (ROOT / "docs" / "guides" / "nightly.md").read_text(encoding="utf-8")


def test_every_schedule_is_explained() -> None:
    for path in SCHEDULE.iterdir():
        assert path.name in TEXT + NIGHTLY, path.name


def test_the_permanent_codes() -> None:
    (codes,) = re.findall(r"only a person can mend \(([\d,\s]+)\)", NIGHTLY)
    assert [int(code) for code in codes.split(",")] == sorted(PERMANENT)


def test_the_occasions_and_the_patience() -> None:
    told = TEXT.split("## Telling people")[1]
    assert tuple(re.findall(r"^\| `(\w+)` \| ", told, re.MULTILINE)[1:5]) == get_args(Occasion)
    assert f"at most {LONGEST_S:g} seconds" in TEXT


def test_the_metrics_exist() -> None:
    source = (ROOT / "src/bulk_cancel/ops/metrics.py").read_text(encoding="utf-8")
    for name in re.findall(r"`(bulk_cancel_\w+)", TEXT):
        assert f'"{name}"' in source, name
