"""Workbooks: what their cells say, and what a person sees of them."""

from __future__ import annotations

import datetime as dt
import subprocess
import zipfile
from pathlib import Path
from shutil import which

import openpyxl
import polars as pl
import pytest
import xlsxwriter

from bulk_cancel.errors import InputError
from bulk_cancel.inputs import InputOptions, read_rows, stage_input

CASES = Path(__file__).parent / "cases"
BOOK = '<workbook xmlns:r="r"><sheets><sheet name="A" r:id="r1"/></sheets></workbook>'
RELATIONS = '<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'


@pytest.fixture
def workbook(staging):
    """Write a workbook with openpyxl, by what is done to its one sheet."""

    def write(rows, change=lambda sheet: None, name="x.xlsx"):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        change(book.active)
        book.save(staging.folder / name)
        return staging.folder / name

    return write


@pytest.fixture
def sheet_xml(staging):
    """Write a workbook around the XML of a sheet's data."""

    def write(rows, after=""):
        path = staging.folder / "raw.xlsx"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", BOOK)
            archive.writestr("xl/_rels/workbook.xml.rels", RELATIONS)
            archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{rows}</sheetData>{after}</worksheet>")
        return path

    return write


def text(reference, value):
    return f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'


def cells(staging, source, **options):
    staged = stage_input(str(source), InputOptions({}, None, cancel_all=False, **options), staging.snapshot)
    return pl.read_parquet(staged.path).select(staged.columns).rows()


def problems(staging, source, **options):
    staged = stage_input(str(source), InputOptions({}, None, cancel_all=True, **options), staging.snapshot)
    return {row.row: row.problems for rows in read_rows(staged) for row in rows}


def test_numbers_dates_times_and_flags_are_text_as_a_sheet_shows_them(staging, uuid):
    path = staging.folder / "x.xlsx"
    values = {
        "whole": (12, None, "12"),
        "large": (123456789012345, None, "123456789012345"),
        "part": (0.1, None, "0.1"),
        "negative": (-2.50, None, "-2.5"),
        "flag": (True, None, "true"),
        "day": (dt.date(2026, 11, 24), "dd.mm.yyyy", "2026-11-24"),
        "moment": (dt.datetime.fromisoformat("2026-11-24T09:30"), "dd.mm.yyyy hh:mm", "2026-11-24T09:30:00"),
        "time": (dt.time(9, 30), "hh:mm", "09:30:00"),
        "hours": (1.5, "[h]:mm", "36:00:00"),
        "first": (1, "yyyy-mm-dd", "1900-01-01"),
        "money": (3, '#,##0.00 "days"', "3"),
        "red": (4, "[Red]0;[Blue]-0", "4"),
        "escaped": ("a_x0041_b", None, "a_x0041_b"),
    }
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["id", *values])
        sheet.write(1, 0, uuid(1))
        for column, (value, form, _) in enumerate(values.values(), 1):
            sheet.write(1, column, value, book.add_format({"num_format": form}) if form else None)
    (row,) = cells(staging, path)
    assert dict(zip(values, row[1:], strict=True)) == {name: shown for name, (_, _, shown) in values.items()}


def test_a_workbook_that_counts_from_1904_has_the_same_days(staging, uuid):
    path = staging.folder / "x.xlsx"
    with xlsxwriter.Workbook(path, {"date_1904": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["id", "day"])
        sheet.write(1, 0, uuid(1))
        sheet.write_datetime(1, 1, dt.datetime.fromisoformat("2026-11-24"), book.add_format({"num_format": "dd/mm/yy"}))
    assert cells(staging, path) == [(uuid(1), "2026-11-24")]


def test_a_formula_without_a_stored_value_is_no_empty_cell(staging, workbook, uuid):
    path = workbook([["id", "attendee_id", "reason", "note"], [uuid(1), "=A1", "x", "=A1"], [uuid(2), None, "=A1"]])
    assert problems(staging, path) == {
        2: "attendee_id is a formula without a stored value",
        3: "reason is a formula without a stored value",
    }


def test_a_formula_of_a_column_that_is_not_read_harms_nobody(staging, workbook, uuid):
    path = workbook([["id", "note"], [uuid(1), "=A1"], [uuid(2), "#N/A"]])
    assert problems(staging, path) == {2: None, 3: None}


def test_a_formula_with_an_empty_result_is_an_empty_cell(staging, sheet_xml, uuid):
    rows = f'<row r="1">{text("A1", "id")}{text("B1", "attendee_id")}</row>'
    rows += f'<row r="2">{text("A2", uuid(1))}<c r="B2" t="str"><f>IF(1=2,1,"")</f><v></v></c></row>'
    assert problems(staging, sheet_xml(rows)) == {2: None}


def test_rows_hidden_as_a_group_or_without_height_are_hidden(staging, workbook, sheet_xml, uuid):
    def group(sheet):
        sheet.row_dimensions.group(2, 2, hidden=True)

    with pytest.raises(InputError, match="1 row is hidden in the sheet, by hand or by a filter: row 2"):
        staging.stage(workbook([["id"], [uuid(1)], [uuid(2)]], group))
    rows = f'<row r="1">{text("A1", "id")}</row><row r="2" ht="0" customHeight="1">{text("A2", uuid(1))}</row>'
    with pytest.raises(InputError, match="1 row is hidden"):
        staging.stage(sheet_xml(rows))


def test_hidden_rows_without_content_are_nothing(staging, workbook, uuid):
    def hide(sheet):
        sheet.row_dimensions[3].hidden = sheet.row_dimensions[4].hidden = True

    assert problems(staging, workbook([["id"], [uuid(1)], [None], [" "]], hide)) == {2: None}


def test_a_merged_cell_holds_in_any_column_and_makes_no_row_of_its_own(staging, workbook, uuid):
    def merge(sheet):
        for cells in ("A2:A3", "B2:C5", "D3:D9"):
            sheet.merge_cells(cells)

    rows = [["id", "reason", "note", "user_id"], [uuid(1), "ill"], [None, None, None, uuid(5)], [uuid(2)], [uuid(3)]]
    staged = staging.stage(workbook(rows, merge))
    found = [(row.row, row.appointment_id, row.reason, row.user_id) for rows in read_rows(staged) for row in rows]
    assert [one[:3] for one in found[2:]] == [(4, uuid(2), "ill"), (5, uuid(3), "ill")]
    assert [one[0] for one in found] == [2, 3, 4, 5]
    assert [one[3] for one in found[2:]] == [uuid(5), uuid(5)]


def test_a_merge_that_begins_in_a_hidden_row_holds_below_it(staging, workbook, uuid):
    def change(sheet):
        sheet.merge_cells("B2:B3")
        sheet.row_dimensions[2].hidden = True

    path = workbook([["id", "reason"], [uuid(1), "ill"], [uuid(2)]], change)
    assert cells(staging, path, hidden_rows="skip") == [(uuid(2), "ill")]


def test_an_error_that_is_merged_is_an_error_in_all_its_rows(staging, workbook, uuid):
    path = workbook([["id", "attendee_id"], [uuid(1), "#N/A"], [uuid(2)]], lambda sheet: sheet.merge_cells("B2:B3"))
    assert set(problems(staging, path).values()) == {"attendee_id is an error of the sheet: #N/A"}


def test_a_column_that_is_hidden_and_read_is_named_and_another_is_not(staging, workbook, uuid):
    def hide(sheet):
        sheet.column_dimensions["B"].hidden = sheet.column_dimensions["C"].hidden = True

    staged = staging.stage(workbook([["id", "reason", "note"], [uuid(1), "x", "y"]], hide))
    assert staged.notes == ('The column "reason" is hidden in the sheet, and read.',)


def test_a_blank_of_the_reason_makes_a_hidden_column_one_that_is_read(staging, workbook, uuid):
    def hide(sheet):
        sheet.column_dimensions["B"].hidden = True

    path = workbook([["id", "room"], [uuid(1), "7"]], hide)
    options = InputOptions({}, None, cancel_all=False, blanks=("room",))
    assert stage_input(str(path), options, staging.snapshot).notes == (
        'The column "room" is hidden in the sheet, and read.',
    )


def test_a_stray_cell_at_the_end_of_a_sheet_costs_nothing(staging, workbook, uuid):
    def stray(sheet):
        sheet["XFD1048576"] = "x"

    staged = staging.stage(workbook([["id"], [uuid(1)]], stray))
    assert staged.notes == ("Column 16384 (XFD) has no name and is left out.",)
    assert [row.row for rows in read_rows(staged) for row in rows] == [2]


def test_a_workbook_with_macros_is_read_as_one_without(staging, workbook, uuid):
    assert problems(staging, workbook([["id"], [uuid(1)]], name="x.xlsm")) == {2: None}


def test_rich_texts_are_whole_and_their_reading_aids_are_left_out(staging, sheet_xml, uuid):
    rich = '<c r="B2" t="inlineStr"><is><r><t>Büro </t></r><r><t>zu</t></r><rPh><t>BUERO</t></rPh></is></c>'
    rows = f'<row r="1">{text("A1", "id")}{text("B1", "reason")}</row><row r="2">{text("A2", uuid(1))}{rich}</row>'
    assert cells(staging, sheet_xml(rows)) == [(uuid(1), "Büro zu")]


def test_cells_and_rows_without_references_are_read_in_order(staging, sheet_xml, uuid):
    rows = "<row><c t='inlineStr'><is><t>id</t></is></c></row>"
    rows += f"<row><c t='inlineStr'><is><t>{uuid(1)}</t></is></c></row>"
    assert problems(staging, sheet_xml(rows)) == {2: None}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ('<row r="3"></row><row r="2"></row>', "the sheet has row 2 after row 3"),
        ('<row r="1048577"></row>', "the sheet claims a row 1,048,577"),
        ('<row r="1"><c r="XFE1"><v>1</v></c></row>', "more columns than a sheet can"),
        ('<row r="1"><c r="ZZZZ1"><v>1</v></c></row>', "names a cell 'ZZZZ1', which no sheet has"),
        ('<row r="1"><c r="A1" t="s"><v>7</v></c></row>', "names a text that the workbook does not have"),
        ('<row r="1"><c r="A1" t="s"><v>x</v></c></row>', "not a readable workbook"),
        ('<row r="1"><c r="A1"><v>' + "1" * (2 << 20) + "</v></c></row>", "holds more text than a cell can"),
        ('<row r="1"><c r="' + "A" * (3 << 20), "a tag that does not end"),
        ("<x>" * 100_000, "tags within tags without end"),
        ("<row>", "the workbook is damaged"),
    ],
)
def test_an_impossible_sheet_is_refused_in_a_sentence(staging, sheet_xml, rows, sentence):
    with pytest.raises(InputError, match=sentence):
        staging.stage(sheet_xml(rows))


@pytest.mark.parametrize("member", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_entities_are_refused_wherever_they_are(staging, sheet_xml, member):
    path = sheet_xml("")
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, member: bomb.encode()}.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="declares a document type"):
        staging.stage(path)


def test_a_sheet_that_unpacks_to_more_than_a_sheet_is_refused(staging, sheet_xml, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.xml_pass.RATIO_COUNTS_FROM", 1 << 20)
    with pytest.raises(InputError, match="the workbook unpacks to more than"):
        staging.stage(sheet_xml(" " * (8 << 20)))


def test_more_texts_than_fit_in_memory_are_refused(staging, excel_texts, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.xlsx.MAX_SHARED_BYTES", 10_000)
    with pytest.raises(InputError, match="MiB of texts"):
        staging.stage(excel_texts(1000))


@pytest.fixture
def excel_texts(staging, uuid):
    def write(count):
        with xlsxwriter.Workbook(staging.folder / "x.xlsx") as book:
            book.add_worksheet().write_column(0, 0, ["id", *(uuid(no) for no in range(count))])
        return staging.folder / "x.xlsx"

    return write


def test_many_rows_go_through_in_parts(staging, excel_texts, uuid, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.parts.MAX_ROWS", 70)
    assert cells(staging, excel_texts(1000)) == [(uuid(no),) for no in range(1000)]


@pytest.mark.process
@pytest.mark.skipif(which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize("kind", ["ods", "xlsx"])
def test_libreoffice_here_writes_what_the_checked_in_workbook_holds(staging, kind):
    profile = f"-env:UserInstallation={(staging.folder / 'profile').as_uri()}"
    command = ["soffice", "--headless", profile, "--convert-to", kind, "--outdir", str(staging.folder)]
    subprocess.run([*command, str(CASES / "office.fods")], check=True, capture_output=True, timeout=100)
    made = staging.folder / f"office.{kind}"
    assert cells(staging, made, hidden_rows="skip") == cells(staging, CASES / made.name, hidden_rows="skip")
    assert problems(staging, made, hidden_rows="include") == problems(staging, CASES / made.name, hidden_rows="include")
