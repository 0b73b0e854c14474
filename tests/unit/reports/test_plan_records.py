"""The files of a plan for an auditor."""

from __future__ import annotations

import csv
import gc
import json
import tracemalloc
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from bulk_cancel.core.actions import Action
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.errors import Exit, ReportError
from bulk_cancel.reports import plan_records as plan_records_module
from bulk_cancel.reports.plan_records import COLUMNS, PLAN_FILES, plan_records
from support.plans import ONE_OF_EACH, broken_off, line, many, seen, uuid

BERLIN = ZoneInfo("Europe/Berlin")


def write_plan_records(lines: Iterable[PlanLine], summary: Mapping[str, object], out: Path) -> None:
    with plan_records(out, BERLIN) as records:
        records.summary.update(summary)
        for each in lines:
            records.add(each)


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "plan.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_row_is_in_both_files(tmp_path: Path) -> None:
    write_plan_records(ONE_OF_EACH, {}, tmp_path / "audit")
    rows = rows_of(tmp_path / "audit")
    frame = pl.read_parquet(tmp_path / "audit" / "plan.parquet")
    assert list(rows[0]) == frame.columns == list(COLUMNS)
    assert [int(row["row"]) for row in rows] == frame["row"].to_list() == [each.row.row for each in ONE_OF_EACH]
    assert [row["action"] for row in rows] == [each.action.value for each in ONE_OF_EACH]
    assert {path.name for path in (tmp_path / "audit").iterdir()} == set(PLAN_FILES)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "audit").iterdir())


def test_a_row_tells_what_is_asked_and_what_was_seen(tmp_path: Path) -> None:
    looked = seen(2, paid=True)
    asked = replace(line(2, attendee_id=uuid(900), user_id=uuid(901)), seen=looked)
    write_plan_records([asked, *ONE_OF_EACH[3:]], {}, tmp_path)
    first, second, *_, last = rows_of(tmp_path)
    assert first == {
        "row": "2",
        "action": "cancel",
        "why": "would be cancelled",
        "appointment_id": uuid(2),
        "attendee_id": uuid(900),
        "cancel_entire_series": "false",
        "cancel_all": "false",
        "reason": "Closed",
        "user_id": uuid(901),
        "start": "2026-12-01T10:00:00+01:00",
        "end": "2026-12-01T10:30:00+01:00",
        "meeting_type_id": uuid(700),
        "host_ids": f"{uuid(801)} {uuid(802)}",
        "paid": "yes",
    }
    assert (second["cancel_entire_series"], second["start"], second["paid"]) == ("true", "", "")
    assert {name for name, cell in last.items() if cell} == {"row", "action", "why"}


def test_the_summary_counts_and_says_what_it_is_told(tmp_path: Path) -> None:
    with plan_records(tmp_path) as records:
        for each in ONE_OF_EACH:
            records.add(each)
        records.summary["requests"] = 3
    summary = json.loads((tmp_path / "plan.json").read_text("ascii"))
    assert (summary["schema_version"], summary["rows"], summary["requests"]) == (1, 12, 3)
    assert summary["actions"] == {action.value: 4 if action is Action.CANCEL else 1 for action in Action}


def test_no_text_of_the_server_is_a_formula(tmp_path: Path) -> None:
    looked = seen(2, start="=1+1", end="@x", meeting_type_id="-2", host_ids=("+1",))
    write_plan_records([replace(line(2, why="=cmd()", reason="=2"), seen=looked)], {}, tmp_path)
    (row,) = rows_of(tmp_path)
    texts = ("why", "reason", "start", "end", "meeting_type_id", "host_ids")
    assert [row[name] for name in texts] == ["'=cmd()", "'=2", "'=1+1", "'@x", "'-2", "'+1"]
    assert pl.read_parquet(tmp_path / "plan.parquet")["start"].to_list() == ["=1+1"]


def test_a_plan_without_lines_has_its_files(tmp_path: Path) -> None:
    write_plan_records((), {}, tmp_path)
    assert rows_of(tmp_path) == []
    assert (tmp_path / "plan.csv").read_text().strip() == ",".join(COLUMNS)
    assert pl.read_parquet(tmp_path / "plan.parquet").columns == list(COLUMNS)


def test_an_error_while_planning_leaves_what_was_there(tmp_path: Path) -> None:
    write_plan_records(ONE_OF_EACH, {}, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OSError, match="no network"):
        write_plan_records(broken_off(), {}, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_disk_that_refuses_is_told_for_a_plan(tmp_path: Path) -> None:
    (tmp_path / "audit").touch()
    with pytest.raises(ReportError) as caught:
        write_plan_records(ONE_OF_EACH, {}, tmp_path / "audit")
    assert caught.value.exit_code is Exit.DISK
    assert "plan again" in caught.value.advice


def test_the_same_lines_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_records_module, "_AT_A_TIME", 2000)
    for name in ("one", "two"):
        write_plan_records(many(6000), {"requests": 7}, tmp_path / name)
    for name in PLAN_FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_records_module, "_AT_A_TIME", 1000)

    def peak(count: int) -> int:
        gc.collect()  # empties the list of free tuples, too: Python keeps the first 2000
        tracemalloc.start()
        try:
            write_plan_records(many(count), {}, tmp_path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20_000) < 1.2 * peak(4000)
