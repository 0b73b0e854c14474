"""The small samples people are shown."""

from __future__ import annotations


def test_semicolons_umlauts_and_names_of_ones_own(staging, samples, uuid):
    rows = staging.rows(samples / "semicolon.csv", appointment_id="Termin-ID", reason="Grund")
    assert [(row.appointment_id, row.reason) for row in rows] == [(uuid(1), "Büro geschlossen"), (uuid(2), None)]


def test_quoted_fields_keep_line_breaks_and_quotes(staging, samples, uuid):
    rows = staging.rows(samples / "quoted.csv")
    assert [(row.row, row.appointment_id) for row in rows] == [(2, uuid(1)), (4, uuid(2))]
    assert rows[0].reason == 'Closed, sorry.\nPlease "rebook".'


def test_objects_with_mixed_types(staging, samples, uuid):
    rows = staging.rows(samples / "mixed.ndjson")
    assert [(row.appointment_id, row.cancel_all) for row in rows] == [
        (uuid(1), True),
        (uuid(2), False),
        (None, False),
        (uuid(3), False),
    ]
    assert rows[2].problems == 'appointment_id is not a UUID: "4711"'


def test_a_workbook_and_a_parquet_file_of_the_same(staging, samples, uuid):
    rows = staging.rows(samples / "closure.xlsx")
    assert rows == staging.rows(samples / "closure.parquet")
    assert [(row.appointment_id, row.attendee_id, row.entire_series, row.cancel_all) for row in rows] == [
        (uuid(1), None, False, True),
        (uuid(2), uuid(9), False, False),
        (uuid(3), None, True, False),
        (uuid(1), None, False, True),
    ]
    assert [row.first_row for row in rows] == [2, 3, 4, 2]


def test_one_good_row_among_wrong_ones_is_read(staging, samples, uuid):
    rows = staging.rows(samples / "wrong_rows.csv")
    assert [row.appointment_id for row in rows] == [uuid(1)] + [None] * 6
    assert [row.problems is None for row in rows] == [True] + [False] * 6
