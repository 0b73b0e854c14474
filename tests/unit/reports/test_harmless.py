"""One rule makes a cell harmless in every file for people."""

from __future__ import annotations

import csv
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.model import Appointment, Contact, Target
from bulk_cancel.core.text import harmless
from bulk_cancel.errors import OutputError
from bulk_cancel.reports.csv_file import harmless_texts
from bulk_cancel.reports.rebooking import REBOOKING, rebooking_list
from support.small_files import files_of_at_most

BERLIN = ZoneInfo("Europe/Berlin")

ID = "6f0e8f5e-0000-4000-8000-000000000001"
cells = st.text(st.sampled_from("=+-@＝;,|\t\r\n\"' ab1"), max_size=8)


@given(cells)
def test_python_and_polars_agree_on_what_is_harmless(cell: str) -> None:
    frame = pl.DataFrame({"a": [cell]}).select(harmless_texts("a"))
    assert frame.item() == harmless(cell)


@given(cells)
def test_a_harmless_cell_stays_unchanged(cell: str) -> None:
    assert harmless(harmless(cell)) == harmless(cell)


def test_the_rebooking_list_says_when_as_the_office_does(tmp_path: Path) -> None:
    seen = Appointment(ID, True, start="2026-12-24T08:30:00.000Z", end="noon", contacts=(Contact(ID, "Ann", "", ""),))
    with rebooking_list(tmp_path, BERLIN) as keep:
        keep(Target(ID), seen)
    (row,) = csv.DictReader((tmp_path / REBOOKING).read_text(encoding="utf-8").splitlines())
    assert (row["start"], row["end"]) == ("2026-12-24 09:30 CET", "noon")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1", "'=1"),
        ("+49 30 1", "'+49 30 1"),
        (';=WEBSERVICE("http://x")', ';\'=WEBSERVICE("http://x")'),
        ("Ann|@SUM(1)", "Ann|'@SUM(1)"),
        ("a\x1b[31m=b\u202e", "a=b"),
        ("Ann-Marie", "Ann-Marie"),
    ],
)
def test_no_text_of_a_booking_is_a_formula_in_the_rebooking_list(tmp_path: Path, text: str, cell: str) -> None:
    seen = Appointment(ID, is_cancelled=True, location=text, meeting=text, contacts=(Contact(ID, text, text, text),))
    with rebooking_list(tmp_path, BERLIN) as keep:
        keep(Target(ID), seen)
    (row,) = csv.DictReader((tmp_path / REBOOKING).read_text(encoding="utf-8").splitlines())
    assert {row[name] for name in ("location", "meeting", "name", "email", "phone")} == {cell}


def test_a_list_that_the_disk_refuses_is_named(tmp_path: Path) -> None:
    seen = Appointment(ID, is_cancelled=True, location="x" * 200, contacts=(Contact(ID, "Ann", "", ""),))
    with files_of_at_most(200), rebooking_list(tmp_path, BERLIN) as keep, pytest.raises(OutputError) as refused:
        keep(Target(ID), seen)
    assert str(refused.value) == f"{tmp_path / REBOOKING} cannot be written: File too large."
