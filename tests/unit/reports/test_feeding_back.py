"""The correction files are inputs: the real reader takes them, and going round does not change them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bulk_cancel.core.model import Target
from bulk_cancel.core.states import State
from bulk_cancel.inputs import InputOptions, StagedInput, read_rows, stage_input
from bulk_cancel.ledger.port import RowRecord
from bulk_cancel.reports.records import write_records

Make = Callable[..., Any]

OPTIONS = InputOptions({}, None, cancel_all=False)
ID = "6f0e8f5e-0000-4000-8000-{:012}".format
CELLS = ['say "no", please', "two\nlines\r\nthree", "=1+1", "00123", "", "tab\tin", "Zoë; 北京", "'x"]


def write_input(path: Path, header: Sequence[str], extra: Sequence[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerow(["appointment_id", "cancel_all", "reason", *header])
        writer = csv.writer(file)
        for number, cell in enumerate(CELLS):
            writer.writerow([ID(number), "yes", "-5 people: moved", *[cell + mark for mark in extra]])
        writer.writerow(["no id", "", "", *extra])
    return path


def carried_out(staged: StagedInput, record: Make, state: State, detail: str) -> list[RowRecord]:
    return [
        record(
            row.row,
            state if row.appointment_id else None,
            problems=row.problems,
            detail=detail,
            target=Target(row.appointment_id, row.attendee_id, row.entire_series) if row.appointment_id else None,
            reason=row.reason,
            cancel_all=row.cancel_all,
            user_id=row.user_id,
            account=row.account or "",
        )
        for chunk in read_rows(staged)
        for row in chunk
    ]


def rows_after(records: Sequence[RowRecord], after: int, limit: int) -> Sequence[RowRecord]:
    return [one for one in records if one.row > after][:limit]


def one_round(source: Path, folder: Path, record: Make, state: State) -> tuple[StagedInput, Path]:
    """Read a file, let every valid row come to `state`, write the result files."""
    staged = stage_input(str(source), OPTIONS, folder / "input.parquet")
    records = carried_out(staged, record, state, f"={state} {folder.name}")
    write_records(staged.path, partial(rows_after, records), folder / "out")
    return staged, folder / "out"


HEADERS = [
    ["customer", "note"],
    ["status", "row"],
    ["detail", "settled_at"],
    ["a;b;c;d;e;f;g;h", "i\tj\tk\tl"],
    ["", 'the "x", y\nz'],
    ["x" * 300, "appointment ids"],
    ["bulk_cancel_statuses", "STATUS"],
]
#: Each header, and each state; the long sweeps have each header in each state.
ROUNDS = [(header, State.REJECTED, "failed.csv") for header in HEADERS]
ROUNDS += [
    pytest.param(header, state, name, marks=[pytest.mark.long] * (header != ["status", "row"]))
    for state, name in ((State.UNKNOWN, "unknown.csv"), (State.PENDING, "unprocessed.csv"))
    for header in HEADERS
]


@pytest.mark.parametrize(("header", "state", "name"), ROUNDS)
def test_running_a_correction_file_repeatedly_changes_only_the_details(
    tmp_path: Path, record: Make, header: list[str], state: State, name: str
) -> None:
    source = write_input(tmp_path / "first.csv", header, ["", "!"])
    staged, out = one_round(source, tmp_path / "1", record, state)
    wanted = [row._replace(row=0, first_row=0) for chunk in read_rows(staged) for row in chunk if not row.problems]
    before = pl.read_csv(out / name, infer_schema=False)
    for number in ("2", "3"):
        staged, out = one_round(out / name, tmp_path / number, record, state)
        again_asked = [row._replace(row=0, first_row=0) for chunk in read_rows(staged) for row in chunk]
        assert again_asked == [row._replace(asked=True) for row in wanted]
        again = pl.read_csv(out / name, infer_schema=False)
        assert again.columns == before.columns
        assert again.drop("bulk_cancel_row", "bulk_cancel_detail").equals(
            before.drop("bulk_cancel_row", "bulk_cancel_detail")
        )
        assert set(again["bulk_cancel_detail"]) == {f"'={state} {number}"}
        assert again["bulk_cancel_row"].to_list() == [str(row) for row in range(2, len(CELLS) + 2)]


def test_the_results_of_a_second_round_say_what_happened_in_it(tmp_path: Path, record: Make) -> None:
    source = write_input(tmp_path / "first.csv", ["customer"], ["x"])
    _, out = one_round(source, tmp_path / "1", record, State.REJECTED)
    _, out = one_round(out / "failed.csv", tmp_path / "2", record, State.CANCELLED)
    results = pl.read_parquet(out / "results.parquet")
    assert set(results["status"]) == {"cancelled"}
    assert set(results["bulk_cancel_status"]) == {"rejected"}
    assert not (out / "failed.csv").exists()


def test_the_invalid_rows_can_be_corrected(tmp_path: Path, record: Make) -> None:
    source = write_input(tmp_path / "first.csv", ["customer"], ["=x"])
    _, out = one_round(source, tmp_path / "1", record, State.CANCELLED)
    text = (out / "invalid.csv").read_text()
    assert text.splitlines()[1] == 'no id,,,=x,,,,10,invalid,"appointment_id is not a UUID: ""no id"""'
    (tmp_path / "corrected.csv").write_text(text.replace("no id", ID(77), 1))
    staged = stage_input(str(tmp_path / "corrected.csv"), OPTIONS, tmp_path / "2" / "input.parquet")
    assert [row.problems for chunk in read_rows(staged) for row in chunk] == [None]


def test_results_too_can_be_fed_in_again(tmp_path: Path, record: Make) -> None:
    source = write_input(tmp_path / "first.csv", ["customer"], ["x"])
    _, out = one_round(source, tmp_path / "1", record, State.REJECTED)
    for number in ("2", "3"):
        _, out = one_round(out / "results.csv", tmp_path / number, record, State.REJECTED)
    columns = pl.read_csv(out / "failed.csv", infer_schema=False).columns
    assert len(columns) == len(set(columns))


def test_the_ledgers_own_columns_can_be_fed_in_again(tmp_path: Path, record: Make) -> None:
    target = Target(ID(1), ID(2))
    records = [
        record(2, State.FAILED, target=target, reason="=ill, sorry", user_id=ID(3)),
        record(3, State.FAILED, target=Target(ID(4))),
    ]
    write_records(None, lambda after, limit: [one for one in records if one.row > after][:limit], tmp_path)
    staged = stage_input(
        str(tmp_path / "failed.csv"), InputOptions({}, None, cancel_all=True), tmp_path / "again" / "input.parquet"
    )
    ((one, other),) = read_rows(staged)
    assert (one.appointment_id, one.attendee_id, one.reason, one.user_id) == (ID(1), ID(2), "=ill, sorry", ID(3))
    assert (other.cancel_all, other.problems) == (False, None)


def test_a_nul_in_a_cell_does_not_make_a_correction_file_unreadable(tmp_path: Path, record: Make) -> None:
    pl.DataFrame({"id": [ID(1)], "note": ["a\0b"]}).write_parquet(tmp_path / "input.parquet")
    _, out = one_round(tmp_path / "input.parquet", tmp_path / "1", record, State.REJECTED)
    assert pl.read_parquet(out / "results.parquet")["note"].item() == "a\0b"
    staged, _ = one_round(out / "failed.csv", tmp_path / "2", record, State.REJECTED)
    assert pl.read_parquet(staged.path)["note"].item() == "a\N{REPLACEMENT CHARACTER}b"


DIALECTS = {
    "semicolons": b"appointment_id;reason;note\n%s;ill, really;x|y\nno id;;\n",
    "tabs": b"appointment_id\treason\tnote\n%s\till; really\tx\nno id\t\t\n",
    "pipes": b"appointment_id|reason|note\n%s|ill|x\nno id||\n",
    "CRLF": b"appointment_id,reason,note\r\n%s,ill,x\r\nno id,,\r\n",
    "byte order mark": b"\xef\xbb\xbfappointment_id;reason;note\r\n%s;ill;x\r\nno id;;\r\n",
    "sep=": b"sep=;\r\nappointment_id;reason;note\r\n%s;ill;x\r\nno id;;\r\n",
}


@pytest.mark.parametrize("habit", DIALECTS)
def test_correction_files_keep_the_dialect_of_the_input(tmp_path: Path, record: Make, habit: str) -> None:
    content = DIALECTS[habit] % ID(1).encode()
    source = tmp_path / "first.csv"
    source.write_bytes(content)
    beginning = content.partition(b"appointment_id")[0]
    separator, end = content.partition(b"reason")[2][:1], b"\r\n" if b"\r\n" in content else b"\n"
    reason = content.partition(ID(1).encode() + separator)[2].split(separator)[0].decode()
    for number in ("1", "2", "3"):
        staged, out = one_round(source, tmp_path / number, record, State.UNKNOWN)
        for name in ("results.csv", "unknown.csv", "invalid.csv"):
            written = (out / name).read_bytes()
            assert written.startswith(beginning + b"appointment_id" + separator + b"reason"), name
            assert written.count(end) == written.count(b"\n"), name
        (row, _) = next(read_rows(staged))
        assert (row.appointment_id, row.reason) == (ID(1), reason)
        source = out / "results.csv"


def test_correction_files_of_another_encoding_have_a_byte_order_mark_and_are_read_again(
    tmp_path: Path, record: Make
) -> None:
    source = tmp_path / "first.csv"
    source.write_bytes(f"appointment_id;reason\r\n{ID(1)};Büro zu\r\n".encode("cp1252"))
    for number in ("1", "2"):
        options = InputOptions({}, None, cancel_all=False, encoding="cp1252")
        staged = stage_input(str(source), options, tmp_path / number / "input.parquet")
        records = carried_out(staged, record, State.REJECTED, "said the server: “no”")
        (rejected,) = records
        write_records(staged.path, partial(rows_after, [rejected]), tmp_path / number)
        source = tmp_path / number / "failed.csv"
        assert source.read_bytes().startswith(b"\xef\xbb\xbfappointment_id;reason;")
        assert [row.reason for rows in read_rows(staged) for row in rows] == ["Büro zu"]


@pytest.mark.parametrize("reason", ["#N/A", '="=1"', "ill\u200b", "\ufeffill", "#REF!"])
def test_a_correction_file_is_read_as_the_input_was(tmp_path: Path, record: Make, reason: str) -> None:
    source = tmp_path / "first.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["appointment_id", "reason", "attendee_id"], [f"{{{ID(1)}}}", reason, "#N/A"]])
    rounds = []
    for number in ("1", "2", "3"):
        staged, out = one_round(source, tmp_path / number, record, State.REJECTED)
        rounds.append([row for rows in read_rows(staged) for row in rows])
        source = out / "results.csv"
    assert rounds[0] == rounds[1] == rounds[2]
