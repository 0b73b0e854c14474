"""The file: its columns, harmless cells, whole or not at all, the same bytes for the same appointments."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest

from bulk_cancel.core.model import Appointment, Contact
from bulk_cancel.errors import OutputError, UsageError
from bulk_cancel.inputs import InputOptions, read_rows, stage_input
from bulk_cancel.reports import found_file as module
from bulk_cancel.reports.found_file import Layout, check_kind, found_csv, write_found
from support.find import BERLIN

ID, HOST = "44444444-4444-4444-8444-444444444444", "11111111-1111-4111-8111-111111111111"
PLAIN = Layout(BERLIN)
FULL = Layout(BERLIN, with_cancelled=True, with_contacts=True)
COLUMNS = "appointment_id,start,end,location,host_ids,meeting_type_id,meeting,group_booking,attendee_count,paid"
ONE = Appointment(
    ID,
    is_cancelled=False,
    attendee_ids=frozenset({"a", "b"}),
    start="2027-03-28T00:30:00.000Z",
    end="2027-03-28T03:00:00+01:00",
    meeting_type_id="t",
    paid=True,
    group_booking=False,
    host_ids=(HOST, ID),
    location='Berlin "office", 2nd',
    meeting="Consultation",
    contacts=(
        Contact(attendee_id="a", name="Ann", email="ann@x.invalid", phone=""),
        Contact(attendee_id="b", name="Bea", email="", phone="+49 1"),
    ),
)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_columns_of_the_found_file() -> None:
    assert found_csv([], PLAIN) == COLUMNS + "\n"
    assert found_csv([], FULL) == COLUMNS + ",is_cancelled,attendee_names,attendee_emails,attendee_phones\n"
    assert rows(found_csv([ONE], FULL)) == [
        {
            "appointment_id": ID,
            "start": "2027-03-28T01:30:00+01:00",
            "end": "2027-03-28T04:00:00+02:00",
            "location": 'Berlin "office", 2nd',
            "host_ids": f"{HOST} {ID}",
            "meeting_type_id": "t",
            "meeting": "Consultation",
            "group_booking": "false",
            "attendee_count": "2",
            "paid": "true",
            "is_cancelled": "false",
            "attendee_names": "Ann; Bea",
            "attendee_emails": "ann@x.invalid; ",
            "attendee_phones": "; '+49 1",
        }
    ]


def test_unknown_values_are_empty_cells() -> None:
    (row,) = rows(found_csv([Appointment(ID, is_cancelled=False, end="soon")], FULL))
    known = {"appointment_id": ID, "end": "soon", "paid": "false", "is_cancelled": "false"}
    assert row == dict.fromkeys(row, "") | known


def test_a_time_that_no_calendar_has_stays_as_it_is() -> None:
    (row,) = rows(found_csv([Appointment(ID, is_cancelled=False, end="9999-12-31T23:59:59+00:00")], PLAIN))
    assert row["end"] == "9999-12-31T23:59:59+00:00"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\t=x", "'=x"), ("\rx", "x"),
        ("＝1", "'＝1"), ("a; =1", "a; '=1"), ("a,-1", "a,'-1"), ("a=b-c", "a=b-c"), ("2-3 rooms", "2-3 rooms"),
    ],
)  # fmt: skip
def test_csv_cells_that_would_run_as_formulas_are_made_harmless(text: str, cell: str, tmp_path: Path) -> None:
    odd = Appointment(text, is_cancelled=False, location=text, meeting=text, meeting_type_id=text, host_ids=(text,))
    (row,) = rows(found_csv([odd], PLAIN).replace("\r", "\x01"))
    assert row["location"] == row["meeting"] == row["meeting_type_id"] == cell.replace("\r", "\x01")
    write_found([odd], PLAIN, tmp_path / "a.parquet")
    assert pl.read_parquet(tmp_path / "a.parquet")["location"].item() == text.strip()


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx", "A.CSV"])
def test_a_file_is_private_the_same_every_time_and_an_input(name: str, tmp_path: Path) -> None:
    file = tmp_path / "made" / name
    write_found([ONE], FULL, file)
    before = file.read_bytes()
    file.chmod(0o644)
    write_found([ONE], FULL, file)
    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [name]
    staged = stage_input(str(file), InputOptions({}, None, False), tmp_path / "input.parquet")
    ((row,),) = read_rows(staged)
    assert (row.appointment_id, row.problems) == (ID, None)


def test_types_survive_in_parquet(tmp_path: Path) -> None:
    write_found([ONE], FULL, tmp_path / "a.parquet")
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame.schema == pl.Schema(FULL.columns)
    assert frame["attendee_phones"].item() == "; +49 1"


def test_formulas_are_texts_in_a_workbook(tmp_path: Path) -> None:
    odd = Appointment(ID, is_cancelled=False, location="=1+1", meeting="https://x.invalid")
    write_found([odd], PLAIN, tmp_path / "a.xlsx")
    staged = stage_input(str(tmp_path / "a.xlsx"), InputOptions({}, None, False), tmp_path / "input.parquet")
    kept = pl.read_parquet(tmp_path / "input.parquet")
    assert (kept["location"].item(), kept["meeting"].item()) == ("=1+1", "https://x.invalid")
    assert staged.digest


@pytest.mark.parametrize("name", ["a", "a.txt", "a.csv.gz", "a.json", ".csv", "a.xls"])
def test_other_kinds_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="an unknown ending"):
        check_kind(Path(name))


def test_a_found_file_survives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    file.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(OutputError, match=r"a\.csv cannot be written: .*No space left"):
        write_found([ONE], PLAIN, file)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert file.read_text() == "before"


def test_a_folder_in_the_way_is_an_error_with_words(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError, match=r"a\.csv cannot be written"):
        write_found([ONE], PLAIN, tmp_path / "a.csv")


def test_a_sheet_that_is_too_small_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 1)
    with pytest.raises(OutputError, match="does not hold 2 rows"):
        write_found([ONE, ONE], PLAIN, tmp_path / "a.xlsx")
