"""Formats with types of their own: Parquet, NDJSON, Excel."""

from __future__ import annotations

import datetime as dt
import json

import polars as pl
import pytest
import xlsxwriter

from bulk_cancel.errors import InputError


@pytest.fixture
def parquet(staging):
    def write(**columns):
        path = staging.folder / "input.parquet"
        pl.DataFrame(columns).write_parquet(path)
        return path

    return write


@pytest.fixture
def ndjson(staging):
    def write(*objects):
        lines = (one if isinstance(one, str) else json.dumps(one) for one in objects)
        return staging.file("input.ndjson", "\n".join(lines) + "\n")

    return write


@pytest.fixture
def excel(staging):
    def write(**sheets):
        path = staging.folder / "input.xlsx"
        with xlsxwriter.Workbook(path) as workbook:
            for name, (at, rows) in sheets.items():
                sheet = workbook.add_worksheet(name)
                for no, row in enumerate(rows, at):
                    sheet.write_row(no, at, row)
                if name.startswith("hidden"):
                    sheet.hide()
        return path

    return write


def originals(staging, source):
    staged = staging.stage(source)
    return pl.read_parquet(staged.path).select(staged.columns).rows()


def test_parquet_text_may_be_a_dictionary_or_null(staging, parquet, uuid):
    path = parquet(
        id=pl.Series([uuid(1)], dtype=pl.Categorical),
        reason=pl.Series([None], dtype=pl.Null),
        attendee_id=pl.Series([uuid(2)], dtype=pl.Enum([uuid(2)])),
    )
    assert staging.rows(path)[0][1:] == (
        uuid(1),
        uuid(2),
        False,
        False,
        None,
        None,
        2,
        None,
        None,
        False,
        False,
        False,
        False,
    )


@pytest.mark.parametrize(
    "values", [pl.Series([True, False, None]), pl.Series([1, 0, None]), pl.Series([1.0, 0.0, None])]
)
def test_parquet_flags_may_be_booleans_or_numbers(staging, parquet, uuid, values):
    path = parquet(id=[uuid(1), uuid(2), uuid(3)], cancel_all=values)
    assert [row.cancel_all for row in staging.rows(path)] == [True, False, False]


def test_another_whole_number_is_no_flag(staging, parquet, uuid):
    (row,) = staging.rows(parquet(id=[uuid(1)], cancel_all=[2]))
    assert row.problems == 'cancel_all is not a yes/no value: "2"'


@pytest.mark.parametrize(
    ("field", "values", "sentence"),
    [
        ("id", [17], 'column "id" holds Int64, text is needed'),
        ("id", [dt.date(2026, 1, 2)], 'column "id" holds Date, text is needed'),
        ("id", [["x"]], r'column "id" holds List\(String\), text is needed'),
        ("reason", [1.5], 'column "reason" holds Float64, text is needed'),
        ("reason", [{"a": "b"}], r'column "reason" holds Struct\(.*\), text is needed'),
        ("user_id", [True], 'column "user_id" holds Boolean, text is needed'),
        ("cancel_all", [dt.date(2026, 1, 2)], 'column "cancel_all" holds Date, yes or no is needed'),
    ],
)
def test_parquet_columns_of_another_type_are_refused(staging, parquet, uuid, field, values, sentence):
    with pytest.raises(InputError, match=sentence):
        staging.stage(parquet(**{"id": [uuid(1)]} | {field: values}))


def test_other_parquet_columns_are_carried_through_as_text(staging, parquet, uuid):
    path = parquet(
        id=[uuid(1), uuid(2)],
        date=[dt.date(2026, 11, 1), None],
        number=[12345678901234567, None],
        list=[[1, 2], None],
        struct=[{"a": "é"}, None],
        binary=[b"\xff\x00", None],
        duration=[dt.timedelta(minutes=90), None],
        array=pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2)),
    )
    assert originals(staging, path) == [
        (uuid(1), "2026-11-01", "12345678901234567", "[1,2]", '{"a":"é"}', "/wA=", "PT1H30M", "[1,2]"),
        (uuid(2), *[None] * 7),
    ]


def test_a_snapshot_is_not_taken_for_an_input(staging, parquet, uuid):
    staged = staging.stage(parquet(id=[uuid(1)]))
    again = staged.path.rename(staging.folder / "again.parquet")
    with pytest.raises(InputError, match='the header "__bc_row" is reserved'):
        staging.stage(again)


def test_ndjson_objects_may_differ_in_their_keys_and_types(staging, ndjson, uuid):
    path = ndjson(
        {"id": uuid(1), "cancel_all": True, "n": 1},
        {"n": "one", "id": uuid(2), "cancel_all": 0},
        "",
        {"id": 17, "list": [1, {"a": 2.50}]},
        '{"id": "' + uuid(3) + '", "n": 1.10, "big": 12345678901234567890123, "reason": null}',
        {},
    )
    assert [(row.row, row.appointment_id, row.cancel_all, row.problems) for row in staging.rows(path)] == [
        (1, uuid(1), True, None),
        (2, uuid(2), False, None),
        (4, None, False, 'appointment_id is not a UUID: "17"'),
        (5, uuid(3), False, None),
    ]
    assert originals(staging, path) == [
        (uuid(1), "true", "1", None, None, None),
        (uuid(2), "0", "one", None, None, None),
        ("17", None, None, '[1, {"a": 2.5}]', None, None),
        (uuid(3), None, "1.10", None, "12345678901234567890123", None),
    ]


def test_ndjson_is_read_in_parts_with_columns_of_their_own(staging, ndjson, uuid, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.parts.MAX_ROWS", 3)
    path = ndjson(*({"id": uuid(no), f"c{no % 4}": no} for no in range(10)))
    assert [row.row for row in staging.rows(path)] == list(range(1, 11))
    assert originals(staging, path)[9] == (uuid(9), None, "9", None, None)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "line 2 is not a JSON object"),
        ("[1]", "line 2 is not a JSON object"),
        ('"x"', "line 2 is not a JSON object"),
        ('{"id": "x"} {"id": "y"}', "line 2 is not a JSON object"),
        ('{"id": "x", "id": "y"}', "line 2 is not a JSON object: a key occurs twice"),
        ('{"id": "\\ud800"}', "line 2 is not UTF-8 text"),
        ('{"reason": ["a"]}', 'column "reason" holds a list or an object on line 2'),
        ('{"reason": {"a": 1}}', 'column "reason" holds a list or an object on line 2'),
        ("[" * 100_000, "line 2 is not a JSON object"),
    ],
)
def test_ndjson_lines_that_cannot_be_rows_are_refused(staging, ndjson, uuid, line, sentence):
    with pytest.raises(InputError, match=sentence):
        staging.stage(ndjson({"id": uuid(1)}, line))


def test_ndjson_in_another_encoding_is_refused(staging):
    with pytest.raises(InputError, match="line 2 is not UTF-8 text"):
        staging.stage(staging.file("x.ndjson", b'{"id": "x"}\n{"id": "\xfc"}\n'))


def test_excel_rows_keep_their_numbers_below_blank_ones(staging, excel, uuid):
    path = excel(A=(3, [["id", "cancel_all"], [uuid(1), True], [], [uuid(2), 0]]))
    assert [(row.row, row.cancel_all) for row in staging.rows(path)] == [(5, True), (7, False)]


def test_excel_cells_are_read_as_text(staging, excel, uuid):
    path = excel(A=(0, [["id", "number", "text"], [uuid(1), 123456789012, "00123"], [uuid(2), 1.5, "  x"]]))
    assert originals(staging, path) == [(uuid(1), "123456789012", "00123"), (uuid(2), "1.5", "  x")]


def test_the_sheet_with_ids_is_taken(staging, excel, uuid):
    path = excel(Notes=(0, [["Hello"]]), hidden=(0, [["id"], [uuid(9)]]), Rows=(0, [["id"], [uuid(1)]]), Empty=(0, []))
    assert [row.appointment_id for row in staging.rows(path)] == [uuid(1)]


def test_sheets_that_could_each_be_meant_are_refused(staging, excel, uuid):
    with pytest.raises(InputError, match="sheets A, B each have a column with the appointment ids"):
        staging.stage(excel(A=(0, [["id"], [uuid(1)]]), B=(0, [["id"], [uuid(2)]])))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [([], "no rows|no sheet|empty"), ([["id", "reason"]], "a header but no rows"), ([["x"], ["y"]], "no column holds")],
)
def test_workbooks_without_rows_are_refused(staging, excel, rows, sentence):
    with pytest.raises(InputError, match=sentence):
        staging.stage(excel(A=(0, rows)))


def test_parquet_ids_may_be_16_bytes_or_text_as_bytes(staging, parquet, uuid):
    raw = [bytes.fromhex(uuid(1).replace("-", "")), uuid(2).encode(), None]
    path = parquet(id=raw, reason=[b"closed", "geschloßen".encode(), None], attendee_id=[None, b"\xff\xfe", None])
    assert [(row.appointment_id, row.reason, row.problems) for row in staging.rows(path)] == [
        (uuid(1), "closed", None),
        (None, None, r'attendee_id is not a UUID: "\x00fffe"'),
    ]


def test_a_number_of_thousands_of_digits_in_a_list_is_refused(staging, ndjson, uuid):
    line = '{"id": "' + uuid(1) + '", "x": [' + "9" * 5000 + "]}"
    with pytest.raises(InputError, match='line 1: "x" cannot be read'):
        staging.stage(ndjson(line))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[{"id": "x"}', "the list is not whole JSON"),
        ('[{"id": "x"},', "item 2 of the list is not a JSON object"),
        ('[{"id": "x"} {"id": "y"}]', "the list is not whole JSON"),
        ('[{"id": "x"}] []', "something follows the end of the list"),
        ('[{"id": "x"}, 7]', "item 2 of the list is not a JSON object"),
        ('[{"id": ["x"]}]', 'column "id" holds a list or an object on item 1 of the list'),
        ("[]", "the file holds no objects"),
        ("[" * 100_000, "item 1 of the list is not a JSON object"),
        ('[{"id": "' + "x" * 3_000_000, "item 1 of the list is not a JSON object"),
    ],
)
def test_json_lists_that_cannot_be_rows_are_refused(staging, content, sentence):
    with pytest.raises(InputError, match=sentence):
        staging.stage(staging.file("x.json", content))


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_the_size_of_a_read_block_of_a_json_list_does_not_matter(staging, monkeypatch, uuid, block):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.BLOCK", block)
    content = json.dumps([{"id": uuid(1), "reason": "é\n\u2028"}, {}, {"id": uuid(2), "n": 12345}], ensure_ascii=False)
    path = staging.file("x.json", content)
    assert [(row.row, row.appointment_id, row.reason) for row in staging.rows(path)] == [
        (1, uuid(1), "é"),
        (3, uuid(2), None),
    ]
    assert originals(staging, path)[1][2] == "12345"
