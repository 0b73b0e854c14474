"""The plan tells how the input was read, and where the reasons in the mails come from."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from support.shell import Shell

ID = "3f2b8c1e-0000-4000-8000-00000000000{}".format


@pytest.fixture
def closure(shell: Shell) -> Path:
    book = openpyxl.Workbook()
    rows = [["Closure"], ["Termin", "Grund", "room"], [ID(1), "ill", "7"], [ID(2), None, "8"], [ID(3), None, "9"]]
    for row in rows:
        book.active.append(row)
    book.active.row_dimensions[5].hidden = True
    book.active.column_dimensions["B"].hidden = True
    book.save(shell.folder / "closure.xlsx")
    return shell.folder / "closure.xlsx"


MAPPED = ("--map", "appointment_id=TERMIN", "--map", "reason=grund", "--look", "never")


def test_hidden_rows_are_refused_with_65_and_both_options_named(shell: Shell, closure: Path) -> None:
    result = shell("plan", closure, "--look", "never", *MAPPED)
    assert result.code == 65
    assert "1 row is hidden in the sheet, by hand or by a filter: row 5" in result.stderr
    assert "--hidden-rows skip" in result.stderr


def test_the_plan_tells_what_it_read_and_where_reasons_come_from(shell: Shell, closure: Path) -> None:
    result = shell("plan", closure, "--look", "never", *MAPPED, "--hidden-rows", "skip", "--out", "out")
    assert result.code == 0, result.stderr
    for said in (
        "Row 2 has the names of the columns; the row above it is not read.",
        "1 row is hidden and left out (row 5).",
        'The column "Grund" is hidden in the sheet, and read.',
        "1  with the reason that the row has",
        "1  (no reason): their mails give none",
        "(no reason)",
    ):
        assert said in result.stdout
    assert "is hidden in the sheet" in (shell.folder / "out" / "plan.html").read_text(encoding="utf-8")
    assert "is hidden in the sheet" in (shell.folder / "out" / "plan.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("reason", "told"), [("closed", "[given reason] closed"), ("room {room} is closed", "[given reason] room 8 is")]
)
def test_a_given_reason_is_told_apart_from_a_rows_own(shell: Shell, closure: Path, reason: str, told: str) -> None:
    words = (*MAPPED, "--hidden-rows", "include", "--reason", reason)
    document = shell("plan", closure, "--look", "never", *words, "--json").summary
    assert document["reasons"] == {"own": 1, "given": 2, "none": 0}
    assert len(document["notes"]) == 3
    screen = shell("plan", closure, "--look", "never", *words, COLUMNS="120").stdout
    assert f"{ID(2)}  {told}" in screen
    assert f"{ID(1)}  ill" in [line.split("  ", 2)[-1].strip() for line in screen.splitlines()]


def test_a_blank_that_meets_an_error_of_the_sheet_makes_its_row_invalid(shell: Shell, closure: Path) -> None:
    book = openpyxl.load_workbook(closure)
    book.active["C4"] = "#N/A"
    book.save(closure)
    result = shell(
        "plan", closure, "--look", "never", *MAPPED, "--hidden-rows", "skip", "--reason", "room {room}", COLUMNS="140"
    )
    assert result.code == 3
    assert "the reason needs {room}, which is an error of the sheet: #N/A" in result.stdout
