"""The table of docs/input.md, line by line: each file is made or taken, read, and comes to what the line says."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import zipfile
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from bulk_cancel.errors import InputError
from bulk_cancel.inputs import InputOptions, read_rows, stage_input

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "unit" / "inputs" / "cases"
ID = "3f2b8c1e-0000-4000-8000-{:012x}".format
A, B = ID(1), ID(2)


def case(name):
    return name, (CASES / name).read_bytes()


def csv(text, encoding="utf-8"):
    return "x.csv", text.encode(encoding)


def sheet(*rows, change=lambda book: None):
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    change(book)
    book.save(file)
    return "x.xlsx", file.getvalue()


def hide_row(book):
    book.active.row_dimensions[2].hidden = True


def hide_column(book):
    book.active.column_dimensions["B"].hidden = True


def add_hidden_sheet(book):
    book.create_sheet("old").append(["id"])
    book["old"].append([B])
    book["old"].sheet_state = "hidden"


def merge(book):
    book.active.merge_cells("B2:B3")


def parquet(**columns):
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return "x.parquet", file.getvalue()


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("xl/workbook.xml", " ")
    return "x.xlsx", file.getvalue()


RAW = bytes.fromhex(A.replace("-", ""))
SKIP = {"hidden_rows": "skip"}
#: Beginning of a line -> files, options, and what comes of each: its rows as (row, reason) or "invalid", or a refusal.
LINES = {
    "rows hidden": [
        (sheet(["id"], [A], [B], change=hide_row), {}, "1 row is hidden"),
        (sheet(["id"], [A], [B], change=hide_row), SKIP, [(3, None)]),
        (sheet(["id"], [A], [B], change=hide_row), {"hidden_rows": "include"}, [(2, None), (3, None)]),
    ],
    "a hidden column": [(sheet(["id", "reason"], [A, "ill"], change=hide_column), {}, [(2, "ill")])],
    "a hidden sheet": [(sheet(["id"], [A], change=add_hidden_sheet), {}, [(2, None)])],
    "`#N/A`": [(sheet(["id", "attendee_id", "x"], [A, "#NV"], [B, None, "#N/A"]), {}, [(2, "invalid"), (3, None)])],
    "a formula": [(sheet(["id", "reason"], [A, "=B9"]), {}, [(2, "invalid")])],
    "a merged cell": [(sheet(["id", "reason"], [A, "ill"], [B], change=merge), {}, [(2, "ill"), (3, "ill")])],
    "a title": [
        (sheet(["Closure"], [], ["id"], [A]), {}, [(4, None)]),
        (csv(f"Closure;;\nid;reason\n{A};ill\n"), {}, [(3, "ill")]),
    ],
    "a column without": [
        (sheet(["id"], [A, "call"]), {}, [(2, None)]),
        (csv(f"id,,\n{A},,\n"), {}, [(2, None)]),
    ],
    "dates and times": [(sheet(["id", "reason"], [A, dt.date(2026, 11, 24)]), {}, [(2, "2026-11-24")])],
    "a first line `sep=;`": [(csv(f"sep=;\nid;reason\n{A};a,b\n"), {}, [(2, "a,b")])],
    "pipes": [(csv(f"id|reason\n{A}|a,b;c\n"), {}, [(2, "a,b;c")])],
    '`="007"`': [(csv(f'id,reason\n="{A}","=""007"""\n'), {}, [(2, "007")])],
    "separators missing": [
        (csv(f"id,reason,note\n{A},ill\n{B}\n"), {}, [(2, "ill"), (3, "invalid")]),
    ],
    "more separators": [(csv(f"id,reason\n{A},ill,,\n{B},ill,x\n"), {}, [(2, "ill"), (3, "invalid")])],
    "a quote that is not closed": [
        (csv(f'id,reason\n{A},"ill\n{B},gone"\n{ID(3)},x\n'), {}, [(2, "invalid"), (3, "x")]),
    ],
    "text in another": [
        (csv(f"id;reason\n{A};früh\n", "cp1252"), {}, "not UTF-8 text"),
        (csv(f"id;reason\n{A};früh\n", "cp1252"), {"encoding": "cp1252"}, [(2, "früh")]),
    ],
    "UTF-16": [
        (csv(f"id\treason\n{A}\tfrüh\n", "utf-16"), {}, [(2, "früh")]),
        (csv(f"id,reason\n{A},früh\n", "utf-8-sig"), {"encoding": "cp1252"}, [(2, "früh")]),
    ],
    "zero-width": [(csv(f"\u200bid,'reason'\n\u200b\u00a0{A}\ufeff,ill\n'{B},x\n"), {}, [(2, "ill"), (3, "x")])],
    "ids in braces": [
        (csv(f"id\n{{{A}}}\nurn:uuid:{B}\n{ID(3).upper()}\n{ID(4).replace('-', '')}\n{ID(5).replace('-', '‑')}\n"),
         {}, [(2, None), (3, None), (4, None), (5, None), (6, None)]),
    ],
    "a link": [(csv(f"id\nhttps://meetergo.com/{A}\n"), {}, [(2, "invalid")])],
    "yes and no": [(csv(f"id;cancel_all\n{A};WAHR\n{B};FAUX\n{ID(3)};Sí\n{ID(4)};1,0\n{ID(5)};1.0\n"), {},
                    [(2, None), (3, None), (4, None), (5, None), (6, None)])],
    "`x`": [(csv(f"id,cancel_all\n{A},x\n{B},-\n{ID(3)},N/A\n{ID(4)},NULL\n"), {},
             [(2, "invalid"), (3, "invalid"), (4, "invalid"), (5, "invalid")])],
    "a JSON list": [(("x.json", json.dumps([{"id": A, "reason": "ill"}]).encode()), {}, [(1, "ill")])],
    "Parquet ids": [
        (parquet(id=[RAW], reason=[b"ill"], cancel_all=[1.0]), {}, [(2, "ill")]),
        (case("p01_uuid_flba16.parquet"), {}, [(2, None), (3, None), (4, None)]),
    ],
    "a folder": [],  # test_formats.py::test_a_folder_of_part_files_is_read_in_the_order_of_their_names
    "anything else in such": [],  # test_formats.py::test_what_a_folder_holds_beside_its_parts_is_refused_and_named
    "more than 4,096": [
        (csv("id," + ",".join(f"c{no}" for no in range(5000)) + "\n"), {}, "at most 4,096 are read"),
        (csv("id\n" + "x" * (17 << 20)), {}, "longer than 16 MiB"),
        (case("oneline.csv.zst"), {}, "unpacks to more than"),
        (case("hugeref.xlsx"), {}, "the sheet claims a row"),
    ],
    "a workbook with a password": [
        (("x.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") * 99), {}, "not a readable workbook"),
        (zipped(), {}, "packed in a way that no office program uses"),
        (("x.xls", b""), {}, "the format of this file is not known"),
        (("x.xlsb", b""), {}, "the format of this file is not known"),
    ],
}  # fmt: skip


def lines():
    table = (
        (ROOT / "docs" / "input.md").read_text(encoding="utf-8").partition("| in the file |")[2].partition("\n\n")[0]
    )
    return [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()[2:]]


def test_each_line_of_the_table_has_its_files_here() -> None:
    unheld = [line for line in lines() if sum(line.startswith(beginning) for beginning in LINES) != 1]
    assert unheld == []
    assert len(lines()) == len(LINES)


@pytest.mark.parametrize("beginning", LINES)
def test_a_line_of_the_table_is_true(beginning: str, tmp_path: Path) -> None:
    for (name, content), options, wanted in LINES[beginning]:
        path = tmp_path / name
        path.write_bytes(content)
        if isinstance(wanted, str):
            with pytest.raises(InputError, match=re.escape(wanted)):
                read(path, options)
        else:
            assert read(path, options) == wanted, (name, options)


def read(path, options):
    staged = stage_input(
        str(path), InputOptions({}, None, cancel_all=False, **options), path.parent / "snapshot.parquet"
    )
    return [(row.row, "invalid" if row.problems else row.reason) for rows in read_rows(staged) for row in rows]
