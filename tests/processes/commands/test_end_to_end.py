"""The main job on real input against the sandbox: what is said, written, recorded and done must agree."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from bulk_cancel.core.states import State
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Appointment, Kind, Wanted, World
from support.shell import Shell
from support.worlds import post_count

GOOD = 300


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    """300 appointments to cancel, and some that nobody names."""
    world = World.of([Wanted() for _ in range(GOOD)] + [Wanted(Kind.CANCELLED), Wanted(Kind.GROUP), Wanted()], seed=7)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="refuse"))
    return world


def listed(world: World) -> list[Appointment]:
    return list(world.appointments.values())


def rows_of(world: World) -> list[dict[str, str]]:
    """The good rows, and bad ones of every kind among them."""
    ids = [appointment.id for appointment in listed(world)]
    rows = [{"appointment_id": id_, "reason": "closed", "ref": f"{n:05}"} for n, id_ in enumerate(ids[:GOOD])]
    bad = ["not-a-uuid", "", "../x", ids[0], ids[GOOD], ids[GOOD + 1], "00000000-0000-4000-8000-000000000000"]
    rows[10:10] = [{"appointment_id": id_, "reason": "", "ref": "=1+1"} for id_ in bad]
    rows.append({"appointment_id": ids[5], "reason": "x" * 501, "ref": "long"})
    return rows


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


EXPECTED = {
    "cancelled": GOOD + 1,  # the repeated row carries its target's status
    "already_cancelled": 1,
    "not_found": 1,
    "rejected": 1,  # a group booking without attendee or cancel_all
    "failed": 0,
    "unknown": 0,
    "pending": 0,
    "skipped": 0,
    "invalid": 4,
}


def test_summary_files_ledger_and_server_agree(
    shell: Shell, sandbox: Sandbox, world: World, write: Callable[..., Path]
) -> None:
    source = write("closure.csv", as_csv(rows_of(world)))
    result = shell.run(source, "--out", "out", "--ledger", "ledger.db")

    assert result.code == 3, result.stderr
    assert result.summary["counts"] == EXPECTED
    assert result.summary == json.loads((shell.folder / "out/summary.json").read_text())
    assert result.summary["rows"] == GOOD + 8

    applied = sandbox.truth().applied
    assert applied == {appointment.id: 1 for appointment in listed(world)[:GOOD]}

    assert Counter(row["status"] for row in shell.rows("out/results.csv")) == {k: v for k, v in EXPECTED.items() if v}
    assert [row["appointment_id"] for row in shell.rows("out/results.csv")] == [
        row["appointment_id"] for row in rows_of(world)
    ]
    assert {row["ref"] for row in shell.rows("out/failed.csv")} == {"=1+1"}
    assert len(shell.rows("out/invalid.csv")) == 4
    assert not (shell.folder / "out/unknown.csv").exists()
    assert pl.read_parquet(shell.folder / "out/results.parquet")["ref"].to_list()[0] == "00000"

    ledger = SqliteLedger.open_to_read(shell.folder / "ledger.db")
    assert ledger.verify() == []
    counts = ledger.counts(ledger.runs()[0].run_no)
    assert counts[State.CANCELLED] == GOOD + 1
    ledger.close()

    posts = post_count(sandbox.truth())
    again = shell.run(source, "--ledger", "ledger.db")
    assert again.code == 3
    assert again.summary["counts"] == EXPECTED
    assert post_count(sandbox.truth()) == posts, "a rerun sends nothing"


def test_a_corrected_file_is_a_new_input(
    shell: Shell, sandbox: Sandbox, world: World, write: Callable[..., Path]
) -> None:
    shell.run(write("closure.csv", as_csv(rows_of(world))), "--out", "out", "--ledger", "ledger.db")
    failed = shell.rows("out/failed.csv")
    group = listed(world)[GOOD + 1].id
    corrected = [{**row, "cancel_all": "yes"} for row in failed if row["appointment_id"] == group]
    result = shell.run(write("corrected.csv", as_csv(corrected)), "--ledger", "ledger.db")
    assert result.code == 0, result.stderr
    assert sandbox.truth().applied[group] == 1


#: That all of these have the same rows is shown in tests/unit/inputs.
FORMATS = [
    "csv",
    "xlsx",
    "-",
    *(pytest.param(kind, marks=pytest.mark.long) for kind in ("tsv", "csv.gz", "parquet", "ndjson")),
]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_ledger(kind: str, shell: Shell, sandbox: Sandbox, world: World) -> None:
    rows = rows_of(world)[:40]
    stdin = _write(shell.folder, kind, rows)
    source = "-" if kind == "-" else f"input.{kind}"
    result = shell.run(source, "--ledger", "ledger.db", stdin=stdin)
    assert result.code == 3, result.stderr
    ledger = SqliteLedger.open_to_read(shell.folder / "ledger.db")
    run_no = ledger.runs()[0].run_no
    found = [(row.row, row.target, row.state, row.reason) for row in ledger.rows(run_no, 0, 100)]
    ledger.close()
    assert len(found) == 40
    first = 1 if kind == "ndjson" else 2  # a line is a row: none is the header
    assert [row for row, *_ in found] == list(range(first, first + 40))
    assert Counter(state for *_, state, _ in found) == {
        State.CANCELLED: 34,
        State.ALREADY_CANCELLED: 1,
        State.REJECTED: 1,
        State.NOT_FOUND: 1,
        None: 3,
    }


def _write(folder: Path, kind: str, rows: list[dict[str, str]]) -> str | None:
    path, frame = folder / f"input.{kind}", pl.DataFrame(rows)
    if kind == "-":
        return as_csv(rows)
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "xlsx":
        frame.write_excel(path)
    elif kind == "ndjson":
        frame.write_ndjson(path)
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(as_csv(rows).encode()))
    else:
        path.write_text(as_csv(rows, "\t" if kind == "tsv" else ","), encoding="utf-8", newline="")
    return None


def test_the_servers_own_limit_is_never_met(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    """Two runs, one right after the other, at exactly the server's numbers: no 429."""
    world = World.of([Wanted() for _ in range(400)], seed=3)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=200, burst=80))
    ids = [appointment.id for appointment in listed(world)]
    for name, part in (("first", ids[:200]), ("second", ids[200:])):
        source = write(f"{name}.csv", as_csv([{"appointment_id": id_} for id_ in part]))
        result = shell("run", source, "--yes", "--json", "--rate", "200/s", "--burst", "80", "--ledger", "ledger.db")
        assert result.code == 0, result.stderr
    assert sandbox.truth().throttled == 0
    assert len(sandbox.truth().applied) == 400


def test_report_writes_the_files_again(shell: Shell, world: World, write: Callable[..., Path]) -> None:
    source = write("closure.csv", as_csv(rows_of(world)))
    shell.run(source, "--out", "out", "--ledger", "ledger.db")
    before = (shell.folder / "out/results.csv").read_bytes()
    source.unlink()
    result = shell("report", "--ledger", "ledger.db", "--out", "again")
    assert result.code == 0, result.stderr
    assert (shell.folder / "again/results.csv").read_bytes() == before


def test_a_plan_sends_and_writes_nothing(
    shell: Shell, sandbox: Sandbox, world: World, write: Callable[..., Path]
) -> None:
    source = write("closure.csv", as_csv(rows_of(world)))
    planned = shell("plan", source, "--look", "never", "--json", "--ledger", "ledger.db")
    assert planned.code == 3
    assert planned.summary["actions"] == {"cancel": GOOD + 3, "invalid": 4, "same": 1}
    assert not (shell.folder / "ledger.db").exists()
    shell.run(source, "--ledger", "ledger.db")
    before, posts = (shell.folder / "ledger.db").read_bytes(), post_count(sandbox.truth())
    planned = shell("run", source, "--dry-run", "--json", "--ledger", "ledger.db")
    assert planned.summary["actions"] == {"invalid": 4, "nothing": GOOD + 3, "same": 1}
    assert (shell.folder / "ledger.db").read_bytes() == before
    assert post_count(sandbox.truth()) == posts


def test_a_series_takes_its_siblings_along(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted(Kind.SERIES) for _ in range(4)], seed=5)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    rows = [{"appointment_id": appointment.id, "cancel_entire_series": "yes"} for appointment in listed(world)]
    result = shell.run(write("series.csv", as_csv(rows)), "--ledger", "ledger.db")
    assert result.code == 3, "an occurrence that is cancelled says nothing of the series that its row means"
    counts = result.summary["counts"]
    assert (counts["cancelled"], counts["rejected"], counts["already_cancelled"]) == (1, 3, 0)
    assert set(sandbox.truth().applied.values()) == {1}, "nobody gets a second mail"


def test_an_attendee_is_removed_and_the_others_stay(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted(Kind.GROUP)], seed=5)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    group = listed(world)[0]
    rows = [{"appointment_id": group.id, "attendee_id": group.attendee_ids[0]}]
    result = shell.run(write("one.csv", as_csv(rows)), "--ledger", "ledger.db")
    assert result.code == 0, result.stderr
    assert sandbox.appointment(group.id).attendee_ids == group.attendee_ids[1:]
