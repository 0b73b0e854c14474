"""Rows of one series over whole runs, in virtual time: what the first cancel took along is never sent again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.core.model import Answer, Target
from support.office import Office
from support.plans import uuid
from support.scripted import NO_ANSWER, active, cancelled

FIRST, SECOND = uuid(1), uuid(2)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Whose first cancel takes both rows along, as a cancel of their whole series does."""
    office = Office(tmp_path)
    office.line.on_read = lambda target: (cancelled if office.line.posts else active)(target)
    return office


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "series.csv"
    path.write_text(f"id,cancel_entire_series\n{FIRST},yes\n{SECOND},yes\n", encoding="utf-8")
    return path


def test_a_second_row_of_a_series_is_read_before_it_is_sent(office: Office, source: Path) -> None:
    summary = office.run(source)
    assert (summary.counts["cancelled"], summary.counts["rejected"], len(office.line.posts)) == (1, 1, 1)


def test_a_series_waits_while_another_one_is_open(office: Office, source: Path, tmp_path: Path) -> None:
    def lost(target: Target) -> Answer:
        return NO_ANSWER if target.appointment_id == FIRST else cancelled(target)

    office.line.on_cancel = lost
    office.line.on_read = active
    first = office.run(source)
    assert (first.exit_code, first.counts["unknown"], first.counts["pending"]) == (4, 1, 1)
    office.line.on_read = cancelled
    office.played.now += 616
    second = office.run(source)
    assert second.exit_code == 3
    assert (second.counts["unknown"], second.counts["rejected"], second.counts["pending"]) == (1, 1, 0)
    assert "look at the series" in (tmp_path / "out" / "unknown.csv").read_text("utf-8"), "a person has to"
    assert len(office.line.posts) == 1


def test_a_series_waits_while_a_row_that_it_may_include_has_no_outcome(office: Office, tmp_path: Path) -> None:
    """Whose cancel takes effect late: the series would have cancelled it before, and two mails would have been sent."""
    source = tmp_path / "mixed.csv"
    source.write_text(f"id,cancel_entire_series\n{FIRST},\n{SECOND},yes\n", encoding="utf-8")
    office.line.on_cancel = lambda target: cancelled(target) if target.entire_series else NO_ANSWER
    office.line.on_read = active
    first = office.run(source)
    assert (first.exit_code, first.counts["unknown"], first.counts["pending"]) == (4, 1, 1)
    office.line.on_read = lambda target: active(target) if target.entire_series else cancelled(target)
    second = office.run(source)
    assert (second.exit_code, second.counts["cancelled"]) == (0, 2)
    assert [one for _, one in office.line.posts] == [FIRST, SECOND]
