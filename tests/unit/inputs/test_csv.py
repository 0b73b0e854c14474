"""CSV as it is found in the wild: the right rows, or one clear sentence with the line."""

from __future__ import annotations

import pytest

from bulk_cancel.errors import InputError


def reasons(rows):
    return [(row.row, row.reason) for row in rows]


@pytest.fixture
def table(uuid):
    return f"id,reason\n{uuid(1)},one\n{uuid(2)},two\n"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda text: text.encode(), id="plain"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no line end at the end"),
        pytest.param(lambda text: text.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(lambda text: text.replace("\n", "\r\n", 1).encode(), id="CRLF in the header only"),
        pytest.param(lambda text: text.replace("\n", "\r").encode(), id="CR only"),
        pytest.param(lambda text: text.replace(",", ";").encode(), id="semicolons"),
        pytest.param(lambda text: text.replace(",", "\t").encode(), id="tabs"),
        pytest.param(lambda text: text.encode("utf-16"), id="UTF-16"),
        pytest.param(lambda text: b"\xfe\xff" + text.encode("utf-16-be"), id="UTF-16, big end first"),
        pytest.param(lambda text: text.replace("reason", '"reason"').encode("utf-8-sig"), id="quoted header"),
        pytest.param(lambda text: ('"id"' + text[2:]).encode("utf-8-sig"), id="quote right after the mark"),
    ],
)
def test_the_same_rows_however_written(staging, table, written):
    assert reasons(staging.csv_rows(written(table))) == [(2, "one"), (3, "two")]


def test_a_separator_counts_only_outside_quotes(staging, uuid):
    rows = staging.csv_rows(f'"id";"why, when, where, who"\n{uuid(1)};a,b,c\n')
    assert [row.appointment_id for row in rows] == [uuid(1)]


def test_a_tsv_is_separated_by_tabs_whatever_its_header_says(staging, uuid):
    rows = staging.rows(staging.file("x.tsv", f"id\treason\tplace, street, town\n{uuid(1)}\twhy\tx\n"))
    assert reasons(rows) == [(2, "why")]


def test_a_quoted_field_may_span_lines_and_counts_as_one_row(staging, uuid):
    rows = staging.csv_rows(f'id,reason\n{uuid(1)},"first\nsecond, ""third"""\n{uuid(2)},next\n')
    assert reasons(rows) == [(2, 'first\nsecond, "third"'), (3, "next")]


def test_a_quoted_header_may_span_lines(staging, uuid):
    rows = staging.csv_rows(f'"id","re\nason","b\r\nc"\r\n{uuid(1)},"why",\r\n')
    assert reasons(rows) == [(2, "why")]  # white space in a header does not count


def test_blank_rows_are_dropped_and_counted(staging, uuid):
    rows = staging.csv_rows(f"\n \nid,reason\n\n{uuid(1)},one\n,\n\r\n  \n{uuid(2)},two\n\n,,\n")
    assert reasons(rows) == [(5, "one"), (9, "two")]


def test_blank_lines_of_a_file_with_one_column(staging, uuid):
    rows = staging.csv_rows(f"id\n\n{uuid(1)}\n\n{uuid(2)}\n\n")
    assert [row.row for row in rows] == [3, 5]


def test_ragged_rows_are_invalid_and_the_others_still_count(staging, uuid):
    rows = staging.csv_rows(f"id,city,reason\n{uuid(1)},Bonn\n{uuid(2)},Bonn,two\n{uuid(3)},Bonn,three,x\n{uuid(4)}\n")
    assert [(row.row, row.problems) for row in rows] == [
        (2, "row has 2 fields, the header has 3"),
        (3, None),
        (4, "row has 4 fields, the header has 3"),
        (5, "row has 1 field, the header has 3"),
    ]
    assert [row.appointment_id for row in rows] == [None, uuid(2), None, None]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_row_that_swallows_others_says_so(staging, uuid, line_end, separator):
    lines = ["id,reason", f'{uuid(1)},"closed', f"{uuid(2)},holiday", f'{uuid(3)},today"', f"{uuid(4)},four"]
    rows = staging.csv_rows(line_end.join(lines).replace(",", separator) + line_end)
    assert [row.appointment_id for row in rows] == [None, uuid(4)]
    assert "holds further rows, which were not read" in rows[0].problems


def test_rows_are_swallowed_by_any_cell_and_by_the_only_one_of_a_line(staging, uuid):
    rows = staging.csv_rows(f'note,id\n"see,{uuid(1)}\nb,{uuid(2)}\nc",{uuid(3)}\nd,{uuid(4)}\n')
    assert [(row.appointment_id, row.problems is None) for row in rows] == [(None, False), (uuid(4), True)]
    (alone,) = staging.csv_rows(f'id,reason\n{uuid(1)},"a\n{uuid(2)}\n"\n')
    assert "further rows" in alone.problems


@pytest.mark.parametrize("note", ["two\nlines", "two\nlines about {id} in a sentence", "{id}\nand nothing else"])
def test_a_cell_of_several_lines_is_no_swallowed_row(staging, uuid, note):
    (row,) = staging.csv_rows(f'id,note\n{uuid(1)},"{note.format(id=uuid(2))}"\n')
    assert row.problems is None


def test_ragged_rows_are_seen_between_quoted_ones(staging, uuid):
    rows = staging.csv_rows(f'id,reason\n"{uuid(1)}","a,\nb"\n"{uuid(2)}"\n"{uuid(3)}","c","d"\n')
    assert [(row.row, row.problems) for row in rows] == [
        (2, None),
        (3, "row has 1 field, the header has 2"),
        (4, "row has 3 fields, the header has 2"),
    ]


def test_a_short_row_does_not_hide_behind_a_long_one(staging, uuid):
    rows = staging.csv_rows(f"id,reason\n{uuid(1)}\n{uuid(2)},two,2\n")
    assert all(row.problems for row in rows)


def test_too_many_ragged_rows_mean_another_separator(staging, monkeypatch, uuid):
    monkeypatch.setattr("bulk_cancel.inputs.csv_records.MAX_RAGGED", 3)
    with pytest.raises(InputError, match=r"the first is row 2 with 1$"):
        staging.csv_rows("id,reason\n" + f"{uuid(1)};why\n" * 4)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b"\n\n \n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"id,reason", "a header but no rows"),
        (b"id,reason\r\n", "a header but no rows"),
        (b"id,reason\n\n,\n", "a header but no rows"),
        (b"id,reason\nx,a\nx,M\xfcller\n", r"line 3 is not UTF-8 text \(byte 0xFC\)"),
        (b"id,gr\xfc\xdfe\nx,a\n", r"line 1 is not UTF-8 text \(byte 0xFC\)"),
        (b"id,reason\nx,caf\xc3", r"line 2 is not UTF-8 text \(byte 0xC3\)"),
        (b"id,reason\nx,a\0b\n", "line 2 holds a NUL byte"),
        ("id,reason\nx,a\n".encode("utf-16-le"), "line 1 holds a NUL byte"),
        ("id,reason\nx,a\n".encode("utf-32"), "UTF-32"),
        ("id,reason\nx,a\n".encode("utf-16")[:-1], "not whole UTF-16 text"),
        (b'id,reason\nx,a\nx,"open\nx,b\nx,c\n', "a quote is opened on line 3"),
        (b'id,reason\n"x"y,a\n', "a quote is opened on line 2"),
        (b'id,reason\nx,"open\nx,"again\n', "a quote is opened on line 2"),
        (b'id,reason\nx,"a""\nx,b\n', "a quote is opened on line 2"),
        (b'id,reason\nx,5" pipe\nx,6" pipe\n', "line 2 has a quote inside a field"),
        (b'id,reason\n"x", "spaced"\n', "line 2 has a quote inside a field"),
        (b'id,rea"son\nx,a\n', "quote"),
        (b"id,reason\nx,a\rx,b\nx,c\n", "line 2 holds a lone carriage return"),
        (b"id,reason\rx,a\rx,b\nx,c\r", "line 3 holds a line feed"),
        (b"id,reason,reason\nx,a,b\n", r'columns 2 and 3 have the same header "reason"'),
        (b"name,reason\nx,a\n", r'no column holds the appointment ids; the columns are "name", "reason"'),
    ],
)
def test_an_unreadable_csv_is_refused_in_one_sentence(staging, content, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        staging.csv_rows(content)
    assert str(refused.value).startswith(f"{staging.folder / 'input.csv'}: ")
    assert "\n" not in str(refused.value)


def test_lines_are_counted_through_quoted_fields_and_many_blocks(staging, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.BLOCK", 7)
    with pytest.raises(InputError, match="line 42 holds a NUL byte"):
        staging.csv_rows(b"id,reason\n" + b'x,"a\n,""b"\n' * 20 + b"x,\0\n")


@pytest.mark.parametrize("block", [1, 2, 3, 5, 8, 13])
def test_the_size_of_a_read_block_does_not_matter(staging, monkeypatch, uuid, block):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.BLOCK", block)
    content = f'\ufeffid,reason\r\n{uuid(1)},"é,\r\n""x"""\r\n\r\n{uuid(2)}\r\n{uuid(3)},ü'
    assert reasons(staging.csv_rows(content)) == [(2, 'é,\n"x"'), (4, None), (5, "ü")]


def test_an_endless_record_is_refused(staging, monkeypatch):
    monkeypatch.setattr("bulk_cancel.inputs.unpack.BLOCK", 64)
    monkeypatch.setattr("bulk_cancel.inputs.csv_records.MAX_RECORD", 1000)
    with pytest.raises(InputError, match="the record on line 2 is longer than"):
        staging.csv_rows(b"id,reason\nx," + b"a" * 5000)
    with pytest.raises(InputError, match="a quote is opened on line 3"):
        staging.csv_rows(b'id,reason\nx,a\nx,"' + b"a\n" * 5000)


def test_records_that_polars_cuts_in_another_way_are_refused(staging, monkeypatch, uuid):
    """The belt to the braces: should polars and the check ever differ, no row is used."""
    monkeypatch.setattr("bulk_cancel.inputs.delimited._scan", _scan_without_the_last_row)
    with pytest.raises(InputError, match="the text has 3 records, but 2 were read"):
        staging.csv_rows(f"id\n{uuid(1)}\n{uuid(2)}\n")


def _scan_without_the_last_row(path, layout):
    import polars as pl

    return pl.LazyFrame({"id": ["x"], "__bc_row": [2]})
