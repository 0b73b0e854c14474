"""The result files partition the input, carry it through untouched and appear together or not at all."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_cancel.core import columns as core_columns
from bulk_cancel.core.model import Status, Target, status_of
from bulk_cancel.core.states import State
from bulk_cancel.errors import Exit, InputError, LedgerError, ReportError
from bulk_cancel.inputs import columns as input_columns
from bulk_cancel.reports import chunks
from bulk_cancel.reports.records import CORRECTIONS, Wanted, write_records
from support.examples import examples

BERLIN = ZoneInfo("Europe/Berlin")

Make = Callable[..., Any]

EVERY_STATE = [*State, None]
OURS = ["row", "status", "detail", "http_status", "attempts", "settled_at", "mailed_reason"]
AWKWARD = [
    'say "no"',
    "two\nlines",
    "two\r\nlines",
    "a lone \r",
    "00123",
    "Zoë – 北京 🗓",
    "=1+1",
    "+49 30 1234",
    "-",
    "@home",
    "\ttab",
    " spaces ",
    "a,b;c",
    "'quoted'",
    "NULL",
    "",
    None,
]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 4)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


OTHER_ID = "6f0e8f5e-0000-4000-8000-000000000009"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_results_have_the_columns_of_the_input_and_then_ours(run_of: Make, record: Make, tmp_path: Path) -> None:
    run = run_of([State.CANCELLED], {"Customer": ["Zoë"], "id": ["a"]})
    write_records(run.snapshot(tmp_path), run.rows, tmp_path / "out", Wanted(zone=BERLIN))
    (row,) = read(tmp_path / "out" / "results.csv")
    assert row == {
        "Customer": "Zoë",
        "id": "a",
        "row": "2",
        "status": "cancelled",
        "detail": "",
        "http_status": "200",
        "attempts": "1",
        "settled_at": "2026-11-18T12:06:40+01:00",
        "mailed_reason": "We are closed.",
    }
    settled_at = "2026-11-18T12:06:40+01:00"
    parquet = pl.read_parquet(tmp_path / "out" / "results.parquet")
    assert parquet.columns == list(row)
    assert parquet.rows() == [("Zoë", "a", 2, "cancelled", None, 200, 1, settled_at, "We are closed.")]


def test_a_row_that_never_settled_has_empty_cells(run_of: Make, record: Make, tmp_path: Path) -> None:
    run = run_of([State.PENDING])
    pending = [record(2, State.PENDING, http_status=None, attempts=0, settled_at=None, mailed_reason="")]
    write_records(run.snapshot(tmp_path), lambda after, limit: pending[after:limit], tmp_path)
    assert (tmp_path / "results.csv").read_text().splitlines()[1] == "a0,2,pending,,,0,,"


@given(states=st.lists(st.sampled_from(EVERY_STATE), max_size=14), with_snapshot=st.booleans())
@examples(30)
def test_every_row_is_once_in_the_results_and_in_the_one_right_side_file(
    run_of: Make, states: list[State | None], with_snapshot: bool
) -> None:
    run = run_of(states)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        write_records(run.snapshot(Path(name)) if with_snapshot else None, run.rows, out)
        results = {row["row"]: row["status"] for row in read(out / "results.csv")}
        assert results == {str(row): status_of(state).value for row, state in enumerate(states, 2)}
        assert pl.read_parquet(out / "results.parquet")["row"].to_list() == list(range(2, len(states) + 2))
        written = {name for name, kinds in CORRECTIONS.items() if kinds & {*map(status_of, states)}}
        assert names(out) == {"results.csv", "results.parquet", *written}
        for file, statuses in CORRECTIONS.items():
            found = (
                {row["bulk_cancel_row"]: row["bulk_cancel_status"] for row in read(out / file)}
                if file in written
                else {}
            )
            assert found == {row: status for row, status in results.items() if status in statuses}
            assert (file in written) == bool(found)


def test_no_status_has_two_side_files_and_only_good_or_skipped_rows_have_none() -> None:
    inside = [status for statuses in CORRECTIONS.values() for status in statuses]
    assert len(inside) == len(set(inside))
    assert set(Status) - set(inside) == {Status.CANCELLED, Status.ALREADY_CANCELLED, Status.SKIPPED}


def test_the_cells_of_the_input_are_untouched_in_every_file(run_of: Make, tmp_path: Path) -> None:
    header = 'a "b", c;d'
    run = run_of([State.REJECTED] * len(AWKWARD), {header: AWKWARD, "note": AWKWARD[::-1]})
    write_records(run.snapshot(tmp_path), run.rows, tmp_path)
    for name in ("results.csv", "failed.csv"):
        rows = read(tmp_path / name)
        assert [row[header] for row in rows] == [cell or "" for cell in AWKWARD]
        assert [row["note"] for row in rows] == [cell or "" for cell in AWKWARD[::-1]]
    assert pl.read_parquet(tmp_path / "results.parquet")[header].to_list() == AWKWARD


cells = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(cells=st.lists(cells, min_size=1, max_size=9), header=st.text(st.characters(exclude_categories=["Cs"])))
@example(cells=["a"], header="")
@example(cells=["a"], header="*")
@example(cells=["a\0"], header="^.*$")
@examples(30)
def test_any_text_survives_in_the_results(run_of: Make, cells: list[str | None], header: str) -> None:
    if header.startswith(core_columns.PREFIX):
        return
    run = run_of([State.CANCELLED] * len(cells), {header: cells})
    with tempfile.TemporaryDirectory() as name:
        write_records(run.snapshot(Path(name)), run.rows, Path(name))
        assert pl.read_parquet(Path(name) / "results.parquet")[header].to_list() == cells
        with (Path(name) / "results.csv").open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file, strict=True)
        assert head[0] == header
        assert [row[0] for row in rows] == [cell or "" for cell in cells]


@pytest.mark.parametrize(
    ("detail", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM", "'@SUM"),
        ("\t=1", "'=1"),
        ("\r=1", "'=1"),
        ("no;=1", "no;'=1"),
        ('no; "=1', "no; \"'=1"),
        ("＝1", "'＝1"),
        ("a = b, c-d", "a = b, c-d"),
        ("red \x1b[31mtext\x00", "red text"),
    ],
)
def test_a_text_of_the_server_is_harmless_in_csv(
    record: Make, run_of: Make, tmp_path: Path, detail: str, cell: str
) -> None:
    run = run_of([State.REJECTED])
    rejected = [record(2, State.REJECTED, detail=detail)]
    write_records(run.snapshot(tmp_path), lambda after, limit: rejected[after:limit], tmp_path)
    assert read(tmp_path / "results.csv")[0]["detail"] == cell
    assert read(tmp_path / "failed.csv")[0]["bulk_cancel_detail"] == cell
    assert pl.read_parquet(tmp_path / "results.parquet")["detail"].item() == cell.replace("'", "")


def test_our_columns_give_way_to_columns_of_the_input(run_of: Make, tmp_path: Path) -> None:
    run = run_of([State.FAILED], {"status": ["open"], "row": ["x"], "bulk_cancel_row": ["9"], "id": ["a"]})
    write_records(run.snapshot(tmp_path), run.rows, tmp_path)
    (row,) = read(tmp_path / "results.csv")
    assert list(row)[:6] == ["status", "row", "bulk_cancel_row", "id", "bulk_cancel_row_2", "bulk_cancel_status"]
    assert list(row.values())[:6] == ["open", "x", "9", "a", "2", "failed"]
    assert read(tmp_path / "failed.csv") == [
        {
            "status": "open",
            "row": "x",
            "id": "a",
            "appointment_id": "6f0e8f5e-0000-4000-8000-000000000001",
            "attendee_id": "",
            "cancel_all": "false",
            "cancel_entire_series": "false",
            "reason": "",
            "user_id": "",
            "bulk_cancel_row": "2",
            "bulk_cancel_status": "failed",
            "bulk_cancel_detail": "",
        }
    ]


def test_without_a_snapshot_the_ledger_stands_in(record: Make, tmp_path: Path) -> None:
    target = Target("6f0e8f5e-0000-4000-8000-000000000001", "6f0e8f5e-0000-4000-8000-000000000002", entire_series=True)
    records = [
        record(2, State.REJECTED, target=target, cancel_all=True, reason="ill", user_id="u"),
        record(
            5, None, problems="appointment_id is empty", attempts=0, http_status=None, settled_at=None, mailed_reason=""
        ),
    ]
    write_records(None, lambda after, limit: [one for one in records if one.row > after][:limit], tmp_path)
    first, second = read(tmp_path / "results.csv")
    assert list(first) == [
        "appointment_id",
        "attendee_id",
        "cancel_all",
        "cancel_entire_series",
        "reason",
        "user_id",
        *OURS,
    ]
    assert list(first.values())[:7] == [target.appointment_id, target.attendee_id, "true", "true", "ill", "u", "2"]
    assert list(second.values()) == [""] * 6 + ["5", "invalid", "appointment_id is empty", "", "0", "", ""]
    assert names(tmp_path) == {"results.csv", "results.parquet", "failed.csv", "invalid.csv"}


def test_side_files_of_an_earlier_write_go_and_other_files_stay(run_of: Make, tmp_path: Path) -> None:
    before, after = run_of([State.REJECTED, State.UNKNOWN]), run_of([State.CANCELLED, State.UNKNOWN])
    snapshot = before.snapshot(tmp_path)
    (tmp_path / "notes.txt").touch()
    write_records(snapshot, before.rows, tmp_path)
    assert (tmp_path / "failed.csv").exists()
    write_records(snapshot, after.rows, tmp_path)
    assert names(tmp_path) == {"input.parquet", "notes.txt", "results.csv", "results.parquet", "unknown.csv"}


def test_folder_and_files_are_for_their_owner_only(run_of: Make, tmp_path: Path) -> None:
    run = run_of(EVERY_STATE)
    out = tmp_path / "runs" / "1"
    write_records(run.snapshot(tmp_path), run.rows, out)
    assert out.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in out.iterdir()] == [0o600] * 6


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_an_error_on_the_way_leaves_the_files_as_they_were(run_of: Make, tmp_path: Path, asked: int) -> None:
    run = run_of([State.REJECTED] * 9)
    write_records(run.snapshot(tmp_path), run.rows, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []

    def failing(after: int, limit: int) -> Any:
        calls.append(after)
        if len(calls) == asked:
            raise LedgerError("the ledger broke")
        return [*run_of([State.CANCELLED] * 9).rows(after, limit)]

    with pytest.raises(LedgerError, match="the ledger broke"):
        write_records(tmp_path / "input.parquet", failing, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([2, 3, 4, 5, 6, 7], "do not hold the same rows: one has more"),
        ([2, 3, 4, 5], "do not hold the same rows: one has more"),
        ([2, 3, 4], "do not hold the same rows: one has more"),
        ([2, 3, 4, 5, 7], "row 6 of the snapshot is row 7 of the ledger"),
        ([1, 2, 3, 4, 5], "row 2 of the snapshot is row 1 of the ledger"),
        ([], "one has more"),
    ],
)
def test_other_rows_than_the_snapshots_are_refused(
    run_of: Make, record: Make, tmp_path: Path, numbers: list[int], message: str
) -> None:
    snapshot = run_of([State.CANCELLED] * 5).snapshot(tmp_path)
    others = [record(number) for number in numbers]
    with pytest.raises(LedgerError, match=message):
        write_records(snapshot, lambda after, limit: [one for one in others if one.row > after][:limit], tmp_path / "o")
    assert names(tmp_path / "o") == set()


@pytest.mark.parametrize("other", [{"appointment_id": OTHER_ID}, {"attendee_id": OTHER_ID}])
def test_rows_that_name_others_than_the_snapshots_are_refused(
    run_of: Make, tmp_path: Path, other: dict[str, str]
) -> None:
    run = run_of([State.CANCELLED] * 5)
    snapshot = run.snapshot(tmp_path)
    others = [replace(one, target=replace(one.target, **other)) if one.row == 4 else one for one in run.records]
    with pytest.raises(LedgerError, match="row 4 of the snapshot names another appointment in the ledger"):
        write_records(snapshot, lambda after, limit: [one for one in others if one.row > after][:limit], tmp_path / "o")
    assert names(tmp_path / "o") == set()


def test_a_snapshot_that_is_none_is_refused(run_of: Make, tmp_path: Path) -> None:
    run = run_of([State.CANCELLED] * 9)
    damaged = run.snapshot(tmp_path)
    content = damaged.read_bytes()
    damaged.write_bytes(content[:4] + b"x" * 60 + content[64:])
    (tmp_path / "text.parquet").write_text("id\na\n")
    for path in (damaged, tmp_path / "text.parquet", tmp_path / "missing.parquet"):
        with pytest.raises(InputError, match="is not a snapshot of an input, or is damaged"):
            write_records(path, run.rows, tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_an_error_of_the_disk(run_of: Make, tmp_path: Path) -> None:
    run = run_of([State.CANCELLED])
    (tmp_path / "out").touch()
    with pytest.raises(ReportError, match="cannot be written to") as caught:
        write_records(run.snapshot(tmp_path), run.rows, tmp_path / "out", Wanted(zone=BERLIN))
    assert caught.value.exit_code is Exit.DISK
    assert "bulk-cancel report" in caught.value.advice


def test_the_ledger_is_asked_for_few_rows_at_a_time_and_in_the_callers_thread(run_of: Make, tmp_path: Path) -> None:
    import threading

    run = run_of([State.CANCELLED] * 10)
    asked, threads = [], set()

    def rows(after: int, limit: int) -> Any:
        asked.append((after, limit))
        threads.add(threading.get_ident())
        return run.rows(after, limit)

    write_records(run.snapshot(tmp_path), rows, tmp_path)
    assert asked == [(0, 4), (5, 4), (9, 2), (11, 1)]
    assert threads == {threading.get_ident()}


def test_inputs_and_core_name_the_columns_of_a_snapshot_alike() -> None:
    assert input_columns.Added.ROW == core_columns.ROW
    assert all(name.startswith(core_columns.PREFIX) for name in input_columns.Added)
    assert set(core_columns.FIELDS) == set(core_columns.MAPPABLE) == set(input_columns.ADDED_FOR)


def test_a_panic_of_polars_is_told_as_a_failure_of_the_disk_is(
    tmp_path: Path, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of([State.CANCELLED])
    snapshot = run.snapshot(tmp_path)

    def panic(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("no way")

    monkeypatch.setattr(pl.DataFrame, "write_csv", panic)
    with pytest.raises(ReportError, match="no way"):
        write_records(snapshot, run.rows, tmp_path / "out")


def test_a_report_replaces_files_and_removes_none(run_of: Make, tmp_path: Path) -> None:
    before = run_of([State.CANCELLED, State.REJECTED])
    write_records(before.snapshot(tmp_path), before.rows, tmp_path, Wanted(excel=True))
    workbook = (tmp_path / "results.xlsx").read_bytes()
    after = run_of([State.CANCELLED, State.CANCELLED])
    write_records(after.snapshot(tmp_path), after.rows, tmp_path, Wanted(keep=True))
    assert read(tmp_path / "failed.csv") == []
    assert (tmp_path / "failed.csv").read_text().startswith("id,")
    assert (tmp_path / "results.xlsx").read_bytes() == workbook
    assert "unknown.csv" not in names(tmp_path)
