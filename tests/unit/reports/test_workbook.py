"""results.xlsx holds the texts as they are, and nothing in it is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import polars as pl
import pytest

from bulk_cancel.core.moments import show_moment
from bulk_cancel.core.states import State
from bulk_cancel.errors import ConfigError, ReportError
from bulk_cancel.reports import chunks, workbook
from bulk_cancel.reports.records import Wanted, write_records
from bulk_cancel.reports.workbook import WorkbookFile, require_excel, why_no_workbook

BERLIN = ZoneInfo("Europe/Berlin")

Make = Callable[..., Any]
HOSTILE = ["=1+1", "+49 30 1234", "@home", "https://example.com", "00123", '<b>"&', "two\nlines", "x" * 40_000, None]


def sheet_of(path: Path) -> Any:
    return openpyxl.load_workbook(path).active


def test_every_cell_is_what_the_other_results_say(
    run_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 4)
    run = run_of([*list(State)[:-2], None], {"note": HOSTILE})
    write_records(run.snapshot(tmp_path), run.rows, tmp_path, Wanted(excel=True, zone=BERLIN))
    sheet = sheet_of(tmp_path / "results.xlsx")
    header, *rows = sheet.iter_rows(values_only=True)
    parquet = pl.read_parquet(tmp_path / "results.parquet")
    assert list(header) == parquet.columns
    shown = [(*row[1:-2], show_moment(row[-2], BERLIN) or None, row[-1]) for row in parquet.iter_rows()]
    assert [row[1:] for row in rows] == shown
    assert {row[-2] for row in rows} == {"2026-11-18 12:06 CET"}
    assert [row[0] for row in rows] == [*HOSTILE[:-2], "x" * 32_766 + "…", None]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    assert not sheet._hyperlinks
    assert len(rows) == len(parquet)
    assert (tmp_path / "results.xlsx").stat().st_mode & 0o777 == 0o600


def test_the_workbook_has_a_frozen_header_a_filter_and_readable_columns(run_of: Make, tmp_path: Path) -> None:
    run = run_of([State.CANCELLED, State.REJECTED])
    write_records(run.snapshot(tmp_path), run.rows, tmp_path, Wanted(excel=True))
    sheet = sheet_of(tmp_path / "results.xlsx")
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:H3"
    assert sheet.column_dimensions["A"].width > 30


def test_the_same_rows_make_the_same_bytes(run_of: Make, tmp_path: Path) -> None:
    run = run_of([State.CANCELLED, State.REJECTED])
    for name in ("one", "two"):
        write_records(run.snapshot(tmp_path), run.rows, tmp_path / name, Wanted(excel=True))
    assert (tmp_path / "one/results.xlsx").read_bytes() == (tmp_path / "two/results.xlsx").read_bytes()


def test_a_workbook_of_before_does_not_stay(run_of: Make, tmp_path: Path) -> None:
    run = run_of([State.CANCELLED])
    write_records(run.snapshot(tmp_path), run.rows, tmp_path, Wanted(excel=True))
    write_records(run.snapshot(tmp_path), run.rows, tmp_path)
    assert not (tmp_path / "results.xlsx").exists()


def test_too_much_for_a_sheet_is_told_and_the_rest_is_written(
    run_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert why_no_workbook(1_048_575) == ""
    assert "1,048,576 rows, and a sheet holds 1,048,575" in why_no_workbook(1_048_576)
    monkeypatch.setattr(workbook, "MOST_COLUMNS", 6)
    run = run_of([State.CANCELLED])
    assert "8 columns" in write_records(run.snapshot(tmp_path), run.rows, tmp_path, Wanted(excel=True))
    assert not (tmp_path / "results.xlsx").exists()
    assert (tmp_path / "results.csv").exists()


def test_a_workbook_that_the_disk_refuses_is_an_error(tmp_path: Path) -> None:
    file = WorkbookFile(tmp_path / "a.xlsx", {"a": "a"})
    (tmp_path / "a.xlsx").mkdir()
    with pytest.raises(ReportError, match="cannot be written"):
        file.close()


def test_without_the_extra_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        require_excel()
    assert 'pip install ".[excel]"' in caught.value.advice


def test_a_sheet_tells_who_began_the_run_and_why(run_of: Make, tmp_path: Path) -> None:
    run = run_of([State.CANCELLED])
    facts = (("Ticket", "=OPS-7"), ("Approved by", "Ada"))
    write_records(run.snapshot(tmp_path), run.rows, tmp_path, Wanted(excel=True, facts=facts))
    sheet = openpyxl.load_workbook(tmp_path / "results.xlsx")["run"]
    assert [[cell.value for cell in row] for row in sheet] == [["Ticket", "=OPS-7"], ["Approved by", "Ada"]]
