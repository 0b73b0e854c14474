"""The snapshot: what was read stays what it was."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import stat

import polars as pl
import pytest

from bulk_cancel.errors import InputError, OutputError
from bulk_cancel.inputs import read_rows
from bulk_cancel.inputs.columns import Added
from support.small_files import files_of_at_most


@pytest.fixture
def table(uuid):
    lines = [["id", " Note ", "n"], [f" {uuid(1).upper()} ", '  "lead"\n,;', "00123"], ["bad", "\u00fc\t", ""]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return lines, text.getvalue().encode()


def test_the_original_text_is_untouched(staging, table):
    lines, content = table
    staged = staging.stage(staging.file("x.csv", content))
    frame = pl.read_parquet(staged.path)
    assert frame.columns == [*lines[0], *Added]
    assert [list(row) for row in frame.select(lines[0]).fill_null("").rows()] == lines[1:]


def test_only_its_owner_may_read_it(staging, table):
    staged = staging.stage(staging.file("x.csv", table[1]))
    assert stat.S_IMODE(staged.path.stat().st_mode) == 0o600


def test_nothing_else_is_left_behind(staging, table, stdin):
    stdin(table[1])
    staging.stage("-")
    assert [path.name for path in staging.folder.iterdir()] == ["snapshot.parquet"]


def test_the_digest_is_that_of_the_bytes_as_they_were(staging, table, stdin):
    content = table[1].decode().encode("utf-16")
    digest = hashlib.sha256(content).hexdigest()
    assert staging.stage(staging.file("x.csv", content)).digest == digest
    stdin(content)
    assert staging.stage("-").digest == digest
    assert staging.stage(staging.file("y.csv", table[1])).digest == hashlib.sha256(table[1]).hexdigest()


def test_rows_come_in_order_and_in_chunks(staging, uuid):
    staged = staging.stage(staging.file("x.csv", "id\n" + "".join(f"{uuid(no)}\n" for no in range(1000))))
    chunks = list(read_rows(staged, chunk=300))
    assert [row.row for rows in chunks for row in rows] == list(range(2, 1002))
    assert max(map(len, chunks)) <= 300


@pytest.mark.parametrize("change", ["grow", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_refused(staging, table, monkeypatch, change):
    from bulk_cancel.inputs import staging as module

    path = staging.file("x.csv", table[1])

    def write_and_change(*given):
        written(*given)
        match change:
            case "grow":
                path.write_bytes(table[1] + b"x,y,z\n")
            case "replace":
                staging.file("y.csv", table[1]).replace(path)
            case "remove":
                path.unlink()

    written = module.write_snapshot
    monkeypatch.setattr(module, "write_snapshot", write_and_change)
    with pytest.raises(InputError, match="changed while it was read"):
        staging.stage(path)
    assert not staging.snapshot.exists()


def test_a_later_change_of_the_input_does_not_matter(staging, table):
    path = staging.file("x.csv", table[1])
    staged = staging.stage(path)
    path.write_bytes(b"")
    assert [len(rows) for rows in read_rows(staged)] == [2]


@pytest.mark.parametrize(("packed", "size"), [(False, 5_000), (True, 5_000), (True, 300_000)])
def test_a_full_disk_is_no_fault_of_the_input_and_its_folder_is_named(staging, uuid, packed, size):
    content = b"id,note\n" + b"".join(f"{uuid(n)},{n * 7919 % 99991}\n".encode() for n in range(20_000))
    file = staging.file("x.csv.gz", gzip.compress(content)) if packed else staging.file("x.csv", content)
    with files_of_at_most(size), pytest.raises(OutputError) as refused:
        staging.stage(file)
    assert str(refused.value) == f"{staging.folder} cannot be written: File too large."
