"""The page and the workbook of a run, as a user gets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openpyxl

from bulk_cancel.sandbox.people import made_id
from support.shell import Shell

ROWS = f"id,reason,name\n{made_id('nobody')},Closed,Erika Mustermann\nnot-an-id,Closed,Max Mustermann\n"

Write = Callable[[str, str], Path]


def sheet_rows(path: Path) -> int:
    return int(openpyxl.load_workbook(path).active.max_row)


def test_a_run_leaves_a_page_without_names(shell: Shell, write: Write) -> None:
    assert shell.run(write("a.csv", ROWS).name, "--out", "out", "--ledger", "l.db").code == 3
    page = shell.folder / "out" / "report.html"
    text = page.read_text(encoding="utf-8")
    assert "0 of 2 rows are done. 2 rows need a person." in text
    assert made_id("nobody") in text
    assert "Mustermann" not in text
    assert str(shell.folder) not in text
    assert page.stat().st_mode & 0o777 == 0o600
    assert not (shell.folder / "out" / "results.xlsx").exists()


def test_the_workbook_is_written_on_request_and_again(shell: Shell, write: Write) -> None:
    assert shell.run(write("a.csv", ROWS), "--out", "out", "--ledger", "l.db", "--excel").code == 3
    assert sheet_rows(shell.folder / "out" / "results.xlsx") == 3
    assert shell("report", "--ledger", "l.db", "--out", "again").code == 0
    assert (shell.folder / "again" / "report.html").exists()
    assert not (shell.folder / "again" / "results.xlsx").exists()
    assert shell("report", "--ledger", "l.db", "--out", "again", "--excel").code == 0
    assert sheet_rows(shell.folder / "again" / "results.xlsx") == 3


def test_a_plan_has_a_page_for_its_approver(shell: Shell, write: Write) -> None:
    planned = shell("plan", write("a.csv", ROWS), "--look", "never", "--out", "audit", "--ledger", "l.db")
    assert planned.code == 3
    assert planned.stdout.splitlines()[-1] == "To look at it before you approve: audit/plan.html"
    text = (shell.folder / "audit" / "plan.html").read_text(encoding="utf-8")
    assert "1 cancellation would be sent. Nothing is sent for 1 row." in text
    assert "Mustermann" not in text
