"""The same data in every format gives the same rows."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import sys
import zlib
from pathlib import Path
from select import select
from types import SimpleNamespace

import polars as pl
import pytest
import xlsxwriter

from bulk_cancel.errors import InputError, InputMissingError
from bulk_cancel.inputs import reading, unpack
from bulk_cancel.inputs.formats import Kind, Packing, format_of
from bulk_cancel.inputs.parquet import open_parquet

COLUMNS = ["Appointment ID", "reason", "attendee_id", "cancel_all", "number", "note"]


@pytest.fixture
def records(uuid):
    return [
        [uuid(1).upper(), "closed", None, "yes", "00123", "a, b; c\td"],
        [uuid(2), None, uuid(8), None, "1", 'said "no"'],
        [None, None, None, None, None, None],
        [uuid(2), "line\nbreak", uuid(9), "no", "  lead", "ü 😀"],
        ["nonsense", "x" * 501, None, "maybe", None, None],
        [uuid(1), "closed", None, "yes", None, None],
        [uuid(3), None, None, None, None, "x"],
        [uuid(3), None, uuid(7), None, None, "x"],
    ]


def as_csv(records, separator):
    lines = [COLUMNS, *records]
    quoted = [['"' + (cell or "").replace('"', '""') + '"' for cell in line] for line in lines]
    return "".join(separator.join(line) + "\n" for line in quoted).encode()


def as_ndjson(records):
    objects = [{name: cell for name, cell in zip(COLUMNS, cells, strict=True) if cell} for cells in records]
    objects[0] = dict(zip(COLUMNS, records[0], strict=True))  # the first one tells the order of the columns
    lines = [json.dumps(one) if one else "" for one in objects]
    return "\n".join(["", *lines, ""]).encode()  # a row is a line: no line stands for a header


def as_list(records):
    """A list has no header either: its rows begin at 1, so that an item that says nothing stands before the others."""
    objects = [{}, *(dict(zip(COLUMNS, cells, strict=True)) for cells in records)]
    return b"\xef\xbb\xbf\n " + json.dumps(objects, indent=1, ensure_ascii=False).encode()


def write_excel(path, records):
    with xlsxwriter.Workbook(path, {"strings_to_numbers": False}) as workbook:
        sheet = workbook.add_worksheet()
        for row, cells in enumerate([COLUMNS, *records]):
            for column, cell in enumerate(cells):
                if cell is not None:
                    sheet.write_string(row, column, cell)


def write_parquet(path, records):
    pl.DataFrame(records, schema=dict.fromkeys(COLUMNS, pl.String), orient="row").write_parquet(path)


def write_zstd(path, content):
    """Let polars pack: a table of one column whose cells are the lines, written as they are."""
    lines = pl.LazyFrame({"line": content.decode().split("\n")[:-1]})
    lines.sink_csv(path, include_header=False, quote_style="never", compression="zstd", check_extension=False)


WRITERS = {
    "x.csv": lambda path, records: path.write_bytes(as_csv(records, ",")),
    "X.CSV": lambda path, records: path.write_bytes(as_csv(records, ";")),
    "x.tsv": lambda path, records: path.write_bytes(as_csv(records, "\t")),
    "x.csv.gz": lambda path, records: path.write_bytes(gzip.compress(as_csv(records, ";"))),
    "x.tsv.gz": lambda path, records: path.write_bytes(gzip.compress(as_csv(records, "\t"))),
    "x.csv.zst": lambda path, records: write_zstd(path, as_csv(records, ",")),
    "x.tsv.zst": lambda path, records: write_zstd(path, as_csv(records, "\t")),
    "x.ndjson": lambda path, records: path.write_bytes(as_ndjson(records)),
    "x.jsonl": lambda path, records: path.write_bytes(b"\xef\xbb\xbf" + as_ndjson(records).rstrip(b"\n")),
    "x.ndjson.gz": lambda path, records: path.write_bytes(gzip.compress(as_ndjson(records))),
    "x.jsonl.zst": lambda path, records: write_zstd(path, as_ndjson(records)),
    "x.json": lambda path, records: path.write_bytes(as_list(records)),
    "x.parquet": write_parquet,
    "x [1]*.parquet": write_parquet,
    "x.xlsx": write_excel,
}


@pytest.fixture
def expected(staging, records):
    return staging.rows(staging.file("expected.csv", as_csv(records, ",")))


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(staging, records, expected, name):
    path = staging.folder / name
    WRITERS[name](path, records)
    staged = staging.stage(path)
    assert staging.rows(path) == expected
    assert staged.columns == tuple(COLUMNS)


def test_standard_input_gives_the_same_rows(staging, records, expected, stdin):
    stdin(as_csv(records, ";"))
    assert staging.rows("-") == expected


def test_a_pause_of_the_writer_is_no_end_of_a_pipe_that_does_not_block(staging, records, expected, monkeypatch):
    content = as_csv(records, ";")
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    parts = iter((content[:40], content[40:]))

    def wait(*waiting_for: object) -> None:
        """Whoever writes goes on only when the program waits for it."""
        part = next(parts, None)
        os.write(writer, part) if part else os.close(writer)
        select(*waiting_for)

    with open(reader, "rb") as piped:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(unpack.select, "select", wait)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=piped))
        assert staging.rows("-") == expected


def test_a_terminal_that_hangs_up_is_an_input_that_cannot_be_read(staging, monkeypatch):
    answers = iter([b"id\n"])

    def read(_size):
        if (answer := next(answers, None)) is None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return answer

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=read)))
    with pytest.raises(InputError, match=r"^standard input: cannot be read: Input/output error$"):
        staging.stage("-")


def test_rows_are_numbered_as_in_a_spreadsheet(expected):
    assert [row.row for row in expected] == [2, 3, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("source", "kind", "packing"),
    [
        ("a.csv", Kind.CSV, Packing.NONE),
        ("-", Kind.CSV, Packing.NONE),
        ("dir.xlsx/a.b.TSV.GZ", Kind.TSV, Packing.GZIP),
        ("./a.jsonl.zst", Kind.NDJSON, Packing.ZSTD),
        ("s3://bucket/a.csv.zst?versionId=1.2", Kind.CSV, Packing.ZSTD),
        ("az://container/a.parquet", Kind.PARQUET, Packing.NONE),
    ],
)
def test_the_name_tells_the_format(source, kind, packing):
    assert format_of(source) == (kind, packing)


@pytest.mark.parametrize(
    "name", ["a", "a.txt", "a.xls", "a.gz", "a.parquet.gz", "a.xlsx.zst", "csv", ".csv.", "a.csv~"]
)
def test_a_file_with_an_unknown_ending_is_refused(staging, name):
    with pytest.raises(InputError, match="not known") as refused:
        staging.stage(staging.file(name, b"id\nx\n"))
    assert ".parquet" in refused.value.advice


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.xlsx", "none.ndjson.gz", "none/none.csv"])
def test_a_missing_file_is_told_apart(staging, name):
    with pytest.raises(InputMissingError, match="does not exist"):
        staging.stage(staging.folder / name)


@pytest.mark.parametrize("name", ["_delta_log", ".hoodie", "_temporary"])
def test_a_table_whose_log_says_which_files_count_is_no_folder_of_parts(staging, uuid, name):
    folder = staging.folder / "table"
    (folder / name).mkdir(parents=True)
    pl.DataFrame({"id": [uuid(1)]}).write_parquet(folder / "part-0.parquet")
    with pytest.raises(
        InputError, match=f'table: "{name}" in this folder says that not all of its Parquet files count'
    ):
        staging.stage(folder)


def test_a_folder_without_parquet_files_is_no_input(staging):
    (staging.folder / "x.parquet").mkdir()
    with pytest.raises(InputError, match="not a file, nor a folder of Parquet files"):
        staging.stage(staging.folder / "x.parquet")


@pytest.mark.parametrize("name", ["x.parquet", "parts"])
def test_a_folder_of_part_files_is_read_in_the_order_of_their_names(staging, uuid, name):
    folder = staging.folder / name
    folder.mkdir()
    for no in (2, 0, 1):
        pl.DataFrame({"id": [uuid(no)], f"only {no}": ["x"]}).write_parquet(folder / f"part-{no:05}.parquet")
    (folder / "_SUCCESS").touch()
    (folder / "_metadata.parquet").write_bytes(b"not read")
    staged = staging.stage(folder)
    assert [(row.row, row.appointment_id) for row in staging.rows(folder)] == [(2, uuid(0)), (3, uuid(1)), (4, uuid(2))]
    assert staged.columns == ("id", "only 0", "only 1", "only 2")
    (folder / "part-00001.parquet").rename(folder / "part-00009.parquet")
    assert staging.stage(folder).digest != staged.digest


def test_parts_are_parquet_files_in_any_case_and_what_spark_leaves_beside_them_is_no_data(staging, uuid):
    folder = staging.folder / "day.csv"  # a folder is no CSV, whatever its name
    folder.mkdir()
    for no, name in enumerate(("A.PARQUET", "b.Parquet", "c.parquet")):
        pl.DataFrame({"id": [uuid(no)]}).write_parquet(folder / name)
    for name in ("_SUCCESS", ".c.parquet.crc", "c.parquet.crc", "_metadata", ".DS_Store"):
        (folder / name).write_bytes(b"not read")
    for name in ("_committed", ".spark-staging", "empty"):
        (folder / name).mkdir()
    (folder / "_committed" / "d.parquet").write_bytes(b"not read")
    assert [row.appointment_id for row in staging.rows(folder)] == [uuid(0), uuid(1), uuid(2)]


@pytest.mark.parametrize(
    "name", ["day=1/a.parquet", "b.parquet/_SUCCESS", "b.parquet.gz", "b.csv", "b.parquet.bak", "parquet", "b"]
)
@pytest.mark.parametrize("parts", [("a.parquet",), ()])
def test_what_a_folder_holds_beside_its_parts_is_refused_and_named(staging, uuid, name, parts):
    folder = staging.folder / "days"
    (folder / name).parent.mkdir(parents=True)
    pl.DataFrame({"id": [uuid(1)]}).write_parquet(folder / name)
    for part in parts:
        pl.DataFrame({"id": [uuid(2)]}).write_parquet(folder / part)
    first = re.escape(name.partition("/")[0])
    with pytest.raises(InputError, match=rf'days: "{first}" in this folder is no Parquet part') as refused:
        staging.stage(folder)
    assert "alone into a folder" in refused.value.advice
    (folder / "zzz.csv").touch()
    with pytest.raises(InputError, match=rf'"{first}" and 1 more in this folder are no Parquet part'):
        staging.stage(folder)


def test_a_pipe_or_a_dead_link_under_the_name_of_a_part_is_refused(staging):
    folder = staging.folder / "days"
    folder.mkdir()
    (folder / "a.parquet").symlink_to("gone")
    with pytest.raises(InputError, match=r'"a\.parquet" in this folder is no Parquet part'):
        staging.stage(folder)
    (folder / "a.parquet").unlink()
    os.mkfifo(folder / "a.parquet")
    with pytest.raises(InputError, match=r'"a\.parquet" in this folder is no Parquet part'):
        staging.stage(folder)


def test_a_part_whose_name_is_not_utf_8_is_refused(staging):
    folder = staging.folder / "days"
    folder.mkdir()
    (folder / os.fsdecode(b"b\xfcro.parquet")).touch()
    with pytest.raises(InputError, match=r'ro\.parquet" in this folder is no Parquet part'):
        staging.stage(folder)


@pytest.mark.parametrize("name", ["days", "days/day=1"])
def test_a_folder_that_cannot_be_listed_is_refused(staging, monkeypatch, name):
    (staging.folder / "days" / "day=1").mkdir(parents=True)
    listed = Path.iterdir

    def refuse(path):
        if path == staging.folder / name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match="days: the folder cannot be listed: Permission denied"):
        staging.stage(staging.folder / "days")


def test_a_file_that_comes_into_the_folder_while_it_is_read_is_noticed(staging, uuid, monkeypatch):
    folder = staging.folder / "days"
    folder.mkdir()
    pl.DataFrame({"id": [uuid(1)]}).write_parquet(folder / "a.parquet")

    def open_and_add(path):
        table = open_parquet(path)
        (folder / "b.csv").touch()
        return table

    monkeypatch.setattr(reading, "open_parquet", open_and_add)
    with pytest.raises(InputError, match="the file changed while it was read"):
        staging.stage(folder)


@pytest.mark.parametrize("name", ["x.parquet", "x.xlsx", "x.csv.gz", "x.csv.zst", "x.ndjson"])
def test_other_bytes_under_a_known_name_are_refused(staging, name):
    with pytest.raises(InputError, match=re.escape(name)) as refused:
        staging.stage(staging.file(name, b"neither this nor that\n" * 20))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["x.parquet", "x.xlsx", "x.csv.gz", "x.csv.zst", "x.ndjson"])
def test_an_empty_file_with_a_known_ending_is_refused(staging, name):
    with pytest.raises(InputError, match=re.escape(name)):
        staging.stage(staging.file(name, b""))


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst", "x.parquet", "x.xlsx"])
def test_a_file_cut_short_is_refused(staging, records, name):
    path = staging.folder / name
    WRITERS[name](path, [*records, *(["", zlib.compress(bytes([no] * no)).hex()] + [""] * 4 for no in range(250))])
    whole = path.read_bytes()
    for part in (len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:part])
        with pytest.raises(InputError, match=re.escape(name)):
            staging.stage(path)
