"""Files as people make them: each of them, and what is right for it. `cases/` has the smallest of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.errors import InputError
from bulk_cancel.inputs import InputOptions, read_rows, stage_input

CASES = Path(__file__).parent / "cases"
#: The ids of the first rows, in order.
IDS = (
    "20fe3bbf-ff89-5c0a-a071-0adf77f3c43a",
    "1047c175-c19d-5b0f-bcda-ded59bcb4623",
    "a4903ee4-5bde-55f7-8985-0de127cd8088",
    "9ea932d7-fa86-5dc5-8e7f-acf8cb635ad0",
    "85add24d-53a6-54d5-9040-71981740b7ea",
    "d1030793-a312-5b1f-8b30-63d356a91e90",
    "e85970a9-3392-59cf-b705-8b42bc57643c",
    "6aee449d-5d8a-5579-a6d0-26be03c05eb9",
    "81f77d80-a898-5345-a3f0-ef529681c7f8",
    "4cd9e441-2e06-58c5-8a05-eb5d234cea94",
)


class Case:
    """A case as it is read with some options."""

    def __init__(self, name, folder, cancel_all, **options):
        options = InputOptions({}, None, cancel_all, **options)
        staged = stage_input(str(CASES / name), options, folder / "input.parquet")
        self.notes = staged.notes
        self.rows = [row for rows in read_rows(staged) for row in rows]

    @property
    def ids(self):
        return [row.appointment_id for row in self.rows]


@pytest.fixture
def case(tmp_path):
    return lambda name, cancel_all=False, **options: Case(name, tmp_path, cancel_all, **options)


def refusal_of(case, name):
    with pytest.raises(InputError) as refused:
        case(name)
    return f"{str(refused.value).removeprefix(f'{CASES / name}: ')} | {refused.value.advice}"


def test_hidden_rows_are_never_cancelled_unseen(case):
    said = refusal_of(case, "x01_filtered.xlsx")
    assert said.startswith("7 rows are hidden in the sheet, by hand or by a filter: rows 5, 6, 7, 8, 9 and more | ")
    assert "--hidden-rows skip" in said
    assert "--hidden-rows include" in said


def test_hidden_rows_are_skipped_or_included_when_told(case):
    skipped, included = (case("x01_filtered.xlsx", hidden_rows=what) for what in ("skip", "include"))
    assert skipped.ids == list(IDS[:3])
    assert skipped.notes == ("7 rows are hidden and left out (rows 5, 6, 7, 8, 9 and more).",)
    assert included.ids == list(IDS)
    assert included.notes == ("7 rows are hidden and taken like the rest (rows 5, 6, 7, 8, 9 and more).",)


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("x20_attendee_na.xlsx", [None, "attendee_id is an error of the sheet: #N/A"]),
        (
            "x20c_reason_na.xlsx",
            ["reason is an error of the sheet: #NAME?", "cancel_entire_series is an error of the sheet: #REF!"],
        ),
    ],
)
def test_an_error_is_never_taken_for_empty(case, name, problems):
    read = case(name, cancel_all=True)
    assert [row.problems for row in read.rows] == problems
    assert not any(row.cancel_all for row in read.rows)


def test_a_note_beside_the_table_is_left_out_and_named_once(case):
    read = case("x30_note_adjacent.xlsx")
    assert read.ids == list(IDS[:2])
    assert read.notes == ("Column 3 (C) has no name and is left out.",)


@pytest.mark.parametrize(("name", "header", "rows"), [("x02_title_row.xlsx", 3, [4]), ("a06_title.csv", 3, [4, 5])])
def test_a_title_above_the_column_names_is_told(case, name, header, rows):
    read = case(name)
    assert [row.row for row in read.rows] == rows
    assert read.ids == list(IDS[: len(rows)])
    assert f"Row {header} has the names of the columns" in read.notes[0]


def test_a_merged_reason_holds_for_all_of_its_rows(case):
    assert [(row.row, row.reason) for row in case("x03_merged_reason.xlsx").rows] == [
        (2, "water damage"),
        (3, "water damage"),
        (4, "water damage"),
    ]


@pytest.mark.parametrize(
    "name", ["a01_sep_semicolon.csv", "a02_excel_formula_text.csv", "a05_trailing.csv", "p01_uuid_flba16.parquet"]
)
def test_ids_in_an_unusual_form_are_read_without_a_note(case, name):
    read = case(name)
    assert read.ids[:2] == list(IDS[:2])
    assert read.notes == ()
    assert [row.row for row in read.rows][:2] == [2, 3]


def test_ids_with_what_is_not_seen_around_them_are_read(case):
    read = case("a03_invisible.csv").rows
    assert [row.row for row in read if row.problems] == [15]  # a link, which names more than an appointment
    assert [row.appointment_id for row in read[:10]] == list(IDS)
    assert case("a03c_header_zwsp.csv").ids == [IDS[0]]


def test_a_file_that_is_not_utf8_names_the_likely_encoding_and_is_read_with_it(case):
    assert "--encoding cp1252" in refusal_of(case, "a04_cp1252.csv")
    read = case("a04_cp1252.csv", encoding="cp1252")
    assert [row.reason for row in read.rows] == ["Büro geschlossen, bitte neu buchen"] * 2


def test_missing_and_surplus_separators_at_the_end_are_nothing(case):
    read = case("a05c_trailing_short.csv")
    assert [row.problems for row in read.rows] == [None] * 3
    assert [row.reason for row in read.rows] == ["closed"] * 3


def test_yes_and_no_in_the_languages_a_spreadsheet_writes(case):
    read = case("a15_bools_locale.csv").rows
    assert [row.cancel_all for row in read] == [True, False, True, True, True, False, True, False, False, False]
    assert [row.row for row in read if row.problems] == [7, 9, 10, 11]  # x, N/A, -, NULL
    assert [row.cancel_all for row in case("p03b_float_flag.parquet").rows][:2] == [True, False]


def test_the_row_of_ndjson_is_its_line(case):
    read = case("a13i_bools.ndjson").rows
    assert [row.row for row in read] == [1, 2, 3, 4, 5]
    assert [row.cancel_all for row in read] == [True, True, True, False, True]


def test_two_thousand_columns_are_read(case):
    assert len(case("cols2000.csv").rows) == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hugeref.xlsx", "the sheet claims a row 4,294,967,295"),
        ("oneline.csv.zst", "the file unpacks to more than"),
        ("bigintnest.ndjson", 'line 1: "x" cannot be read'),
        ("esc.csv", r'no column holds the appointment ids; the columns are "id\x1b]0;PWNED\x07\x1b[31m", "x\x1b[2J"'),
    ],
)
def test_an_unreadable_file_is_refused_in_a_printable_sentence(case, name, sentence):
    said = refusal_of(case, name)
    assert sentence in said
    assert said.isprintable()


@pytest.mark.parametrize("name", ["office.ods", "office.xlsx"])
def test_a_workbook_made_with_libreoffice_is_read_as_a_person_reads_it(case, name):
    assert "2 rows are hidden in the sheet, by hand or by a filter: rows 6, 7" in refusal_of(case, name)
    read = case(name, cancel_all=True, hidden_rows="skip")
    assert [(row.row, row.reason, row.problems) for row in read.rows] == [
        (4, "Wasserschaden", None),
        (5, "Wasserschaden", None),
        (8, None, "attendee_id is an error of the sheet: #N/A"),
        (9, "zu früh", None),
        (10, "zwei Zeilen\nText", None),
    ]
    assert read.notes == (
        "Row 3 has the names of the columns; the row above it is not read.",
        "2 rows are hidden and left out (rows 6, 7).",
        'The column "user_id" is hidden in the sheet, and read.',
        "Column 7 (G) has no name and is left out.",
    )
    included = case(name, hidden_rows="include").rows
    assert [(row.row, row.reason) for row in included[2:4]] == [(6, "Wasserschaden"), (7, "krank")]
