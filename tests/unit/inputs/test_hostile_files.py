"""Files that claim, hide or break things: rows or a sentence come of them, in bounded memory, and nothing else."""

from __future__ import annotations

import gzip
import multiprocessing
import sys
import zipfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from bulk_cancel.errors import InputError
from bulk_cancel.inputs import InputOptions, read_rows, stage_input
from bulk_cancel.inputs.unpack import zstd_module
from support import peak_memory
from support.examples import examples

CASES = sorted((Path(__file__).parent / "cases").glob("[!.]*.[!f]*"))
ID = "3f2b8c1e-0000-4000-8000-{:012x}".format
MOST_MEGABYTES = 500
BOOK = '<workbook xmlns:r="r"><sheets><sheet name="A" r:id="r1"/></sheets></workbook>'
RELATIONS = '<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
NAMES = "".join(
    f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text", "style")
)

numbers = st.sampled_from(
    ["", "0", "1", "2", "3", "7", "-1", "1048576", "1048577", "4294967295", "9" * 5000, "x", "1.5"]
)
references = st.sampled_from(
    ["A1", "A2", "B2", "C3", "XFD1048576", "XFE1", "ZZZZZZ9", "A0", "", "A1:A9", "A2:B1048576"]
)
values = st.sampled_from([ID(1), ID(2), "id", "reason", "#N/A", "0", "1", "", "x" * 40_000, "_x000A_", "&#1;", "&amp;"])
attributes = st.dictionaries(
    st.sampled_from(["r", "t", "s", "hidden", "ht", "min", "max", "width", "ref"]),
    numbers | references | st.sampled_from(["s", "str", "inlineStr", "b", "e", "n", "d", "true"]),
    max_size=4,
)


def tag(name, inner):
    def written(given, parts):
        listed = "".join(f" {key}='{value}'" for key, value in given.items())
        return f"<{name}{listed}>{''.join(parts)}</{name}>"

    return st.builds(written, attributes, st.lists(inner, max_size=5))


cell = tag("c", st.one_of(tag("v", values), tag("f", values), tag("is", tag("t", values)), tag("t", values)))
sheets = st.lists(
    st.one_of(tag("row", cell), tag("row", cell), tag("col", values), tag("mergeCell", values)), max_size=12
).map("".join)
blocks = st.lists(st.one_of(st.binary(max_size=6), st.just(b""), st.just(b"\0" * 9)), max_size=4)


def staged(path, folder, **options):
    """Return the rows, or None for a refusal. Any other exception is a failure."""
    try:
        found = stage_input(str(path), InputOptions({}, None, cancel_all=True, **options), folder / "snapshot.parquet")
    except InputError as refused:
        assert "\n" not in str(refused)  # noqa: PT017 - both ways are right
        return None
    return [row for rows in read_rows(found) for row in rows]


def write_xlsx(path, sheet):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", RELATIONS)
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return path


def write_ods(path, rows):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        table = f'<table:table table:name="A">{rows}</table:table>'
        archive.writestr("content.xml", f"<office:document-content{NAMES}>{table}</office:document-content>")
    return path


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sheet=sheets)
@example(sheet=f"<row><c s='-1'><v>{ID(1)}</v></c></row>")
def test_any_sheet_gives_rows_or_a_sentence(tmp_path, sheet):
    staged(write_xlsx(tmp_path / "x.xlsx", f"<worksheet>{sheet}</worksheet>"), tmp_path, hidden_rows="include")


@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=st.sampled_from(CASES), place=st.floats(0, 1), length=st.integers(0, 40), put=st.binary(max_size=8))
def test_any_damage_to_any_case_gives_rows_or_a_sentence(tmp_path, case, place, length, put):
    whole = case.read_bytes()
    at = int(place * len(whole))
    path = tmp_path / case.name
    path.write_bytes(whole[:at] + put + whole[at + length :])
    staged(path, tmp_path, hidden_rows="skip")


visible = st.lists(st.tuples(st.booleans(), st.sampled_from(["", "#N/A", ID(9)])), min_size=1, max_size=30)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=visible, kind=st.sampled_from(["xlsx", "ods"]))
def test_no_hidden_row_and_no_error_is_ever_cancelled(tmp_path, rows, kind):
    path = tmp_path / f"x.{kind}"
    write_xlsx(path, as_xlsx(rows)) if kind == "xlsx" else write_ods(path, as_ods(rows))
    found = staged(path, tmp_path, hidden_rows="skip") or []
    seen = [(number, attendee) for number, (hidden, attendee) in enumerate(rows, 2) if not hidden]
    assert [row.row for row in found] == [number for number, _ in seen]
    sent = {row.row: (row.attendee_id, row.cancel_all) for row in found if row.problems is None}
    assert sent == {number: (attendee or None, not attendee) for number, attendee in seen if attendee != "#N/A"}
    if any(hidden for hidden, _ in rows):
        assert staged(path, tmp_path) is None


def as_xlsx(rows):
    def text(value):
        return f'<c t="{"e" if value.startswith("#") else "str"}"><v>{value}</v></c>'

    header = f"<row>{text('id')}{text('attendee_id')}</row>"
    body = "".join(
        f'<row hidden="{int(hidden)}">{text(ID(no))}{text(attendee)}</row>'
        for no, (hidden, attendee) in enumerate(rows)
    )
    return f"<worksheet><sheetData>{header}{body}</sheetData></worksheet>"


def as_ods(rows):
    def text(value):
        kind = ' calcext:value-type="error" office:string-value=""' if value.startswith("#") else ""
        return f'<table:table-cell office:value-type="string"{kind}><text:p>{value}</text:p></table:table-cell>'

    def row(*values, hidden=False):
        visibility = ' table:visibility="filter"' if hidden else ""
        return f"<table:table-row{visibility}>{''.join(map(text, values))}</table:table-row>"

    return row("id", "attendee_id") + "".join(
        row(ID(no), attendee, hidden=hidden) for no, (hidden, attendee) in enumerate(rows)
    )


def test_values_stored_under_a_merged_cell_are_not_read(tmp_path):
    """No spreadsheet shows it, and some programs leave it in the file."""
    rows = {
        1: {"A": "id", "B": "reason", "C": "user_id"},
        2: {"A": ID(1), "B": "seen", "C": ID(7)},
        3: {"A": ID(2), "B": "under", "C": ID(8)},
        4: {"B": "under", "C": ID(9)},
        5: {"A": ID(4), "B": "own", "C": ID(5)},
        6: {"A": ID(5), "C": ID(6)},
        7: {"B": "under"},
        8: {"A": ID(7), "B": "own", "C": ID(6)},
    }
    cells = "".join(
        f'<row r="{no}">' + "".join(f'<c r="{at}{no}" t="str"><v>{cell}</v></c>' for at, cell in row.items()) + "</row>"
        for no, row in rows.items()
    )
    merges = "".join(f'<mergeCell ref="{ref}"/>' for ref in ("B2:C4", "B6:B7"))
    path = write_xlsx(
        tmp_path / "x.xlsx",
        f"<worksheet><sheetData>{cells}</sheetData><mergeCells>{merges}</mergeCells></worksheet>",
    )
    found = [(row.row, row.appointment_id, row.reason, row.user_id) for row in staged(path, tmp_path)]
    assert found == [
        (2, ID(1), "seen", None),
        (3, ID(2), "seen", None),
        (5, ID(4), "own", ID(5)),
        (6, ID(5), None, ID(6)),
        (8, ID(7), "own", ID(6)),
    ]


def hostile_files(folder):
    """Write small files that claim to be large, or are once they are unpacked."""
    endless = f"id\n{ID(1)}\n".encode() + b"a" * (100 << 20)
    (folder / "endless.csv.gz").write_bytes(gzip.compress(endless, 1))
    (folder / "endless.csv.zst").write_bytes(zstd_module().compress(endless))
    (folder / "endless.ndjson.gz").write_bytes(gzip.compress(b'{"id": "' + b"a" * (100 << 20), 1))
    (folder / "endless.json").write_bytes(b'[{"id": "' + b"a" * (20 << 20))
    (folder / "quotes.csv").write_bytes(b'id,reason\nx,"' + b'"\n' * (10 << 20))
    (folder / "columns.csv").write_text(
        "id," + ",".join(f"c{no}" for no in range(4000)) + "\n" + ("x" + "," * 4000) * 1
    )
    (folder / "commas.csv").write_bytes(b"id" + b"," * (1 << 19) + b"\n")
    (folder / "short.csv").write_text("id,reason\n" + "x\n" * 3_000_000)
    (folder / "keys.ndjson").write_text("".join(f'{{"id": "x", "k{no}": 1}}\n' for no in range(20_000)))
    cells = "".join("<c><v>1</v></c>" for _ in range(16_384))
    write_xlsx(folder / "wide.xlsx", f"<worksheet><sheetData>{f'<row>{cells}</row>' * 200}</sheetData></worksheet>")
    write_xlsx(folder / "spaces.xlsx", "<worksheet>" + " " * (150 << 20))
    write_xlsx(folder / "merges.xlsx", "<worksheet>" + '<mergeCell ref="A1:A9"/>' * 300_000 + "</worksheet>")
    number = '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="16384"/>'
    name = '<table:table-cell office:value-type="string"><text:p>id</text:p></table:table-cell>'
    repeated = f'<table:table-row table:number-rows-repeated="1048575">{number}</table:table-row>'
    write_ods(folder / "repeated.ods", repeated)
    write_ods(folder / "same.ods", f"<table:table-row>{name}</table:table-row>{repeated}")


@pytest.mark.long
@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak of a process since it was begun")
@pytest.mark.timeout(400)
def test_hostile_files_take_at_most_500_megabytes(tmp_path):
    """In a process for each file, whose memory can be told."""
    hostile_files(tmp_path)
    paths = [*tmp_path.iterdir(), *(case for case in CASES if case.suffix in (".csv", ".zst", ".xlsx", ".ndjson"))]
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([stage_input.__module__])
    with forks.Pool(1, maxtasksperchild=1) as pool:
        peaks = pool.map(partial(peak_memory.megabytes_to_read, folder=tmp_path / "out"), paths, chunksize=1)
    taken = {path.name: peak for path, peak in zip(paths, peaks, strict=True)}
    assert {name: size for name, size in taken.items() if size > MOST_MEGABYTES} == {}
