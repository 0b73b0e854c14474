"""A rerun of the very same input shares the rows of the run before; whatever is unclear takes the full path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from bulk_cancel.again import Again, find_again
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.model import Entry
from bulk_cancel.core.states import State, next_state
from bulk_cancel.engine.plan import Plan, make_plan
from bulk_cancel.inputs import read_rows
from bulk_cancel.job import Job
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.ledger.sqlite import SqliteLedger
from bulk_cancel.ops.logs import make_log
from bulk_cancel.places import SNAPSHOT
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Wanted, World
from bulk_cancel.sources import open_source
from support.given import AT, HISTORIES, uuid
from support.places import tmp_path as tmp_path
from support.shell_types import Shell

ENVIRON = {"MEETERGO_API_URL": "http://127.0.0.1:9/v4", "MEETERGO_TOKEN": "x"}
STATES = tuple(State)
USER = uuid(900)


class Place:
    """A folder with an input, a ledger and the results of a run that staged the input."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger, self.input = folder, folder / "ledger.db", folder / "in.csv"
        self.input.write_text("".join(_lines()), encoding="utf-8")
        self.now = folder / "now"
        self.now.mkdir()

    def job(self, **changes: object) -> Job:
        """Return the job of the input."""
        return Job(**{"input": str(self.input), "ledger": str(self.ledger), "reason": "closed"} | changes)

    def stage(self, job: Job | None = None, out: str = "first", *, finish: bool = True) -> int:
        """Stage a job's input as a run does, and leave its snapshot in the run's folder."""
        job, folder = job or self.job(), self.folder / out
        folder.mkdir(exist_ok=True)
        source = open_source(job, ENVIRON, make_log(quiet=True), folder)
        with self.opened() as ledger:
            about = (job.label, source.digest, str(folder), "", source.options_digest)
            run_no = ledger.begin_run(RunStart(f"run-{out}", AT, TimeBase(None, 0.0), *about))
            for rows in source.rows(None).filled_chunks():
                ledger.stage(run_no, rows, AT)
            if finish:
                ledger.start_run(run_no)
        return run_no

    def vary(self, run_no: int) -> None:
        """Bring a target into each state."""
        with self.opened() as ledger:
            for number, state in enumerate(STATES, 1):
                (work,) = ledger.find_targets(uuid(number))
                was, attempts = work.state, 0
                for event in HISTORIES[state]:
                    attempts += event == "intent"
                    ledger.append(run_no, [Entry(work.target_id, event, was, attempts, AT)])
                    was = next_state(was, event)

    @contextmanager
    def opened(self) -> Iterator[SqliteLedger]:
        """Open the ledger."""
        ledger = SqliteLedger.open(self.ledger)
        yield ledger
        ledger.close()

    def again(self, **changes: object) -> Again | None:
        """Ask whether the job may share what is there."""
        (self.now / SNAPSHOT).unlink(missing_ok=True)
        return find_again(self.job(**changes), ENVIRON, self.now)


def _lines() -> Iterator[str]:
    yield "appointment_id,user_id,cancel_entire_series,attendee_id\n"
    for number in range(1, 31):
        user = USER if number % 3 else ""
        series, attendee = ("yes", "") if number in (12, 25) else ("", uuid(700) if number % 7 == 0 else "")
        yield f"{uuid(number)},{user},{series},{attendee}\n"
    yield f"nonsense,,,\n{uuid(1)},{USER},,\n{uuid(4)},{USER},,\n,,,x\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def full_plan(place: Place, again: Again, ledger: SqliteLedger) -> Plan:
    return make_plan(read_rows(again.source.staged), ledger.states_of, place.job().pace)


def test_the_plan_from_the_ledger_is_the_plan_of_every_row(place: Place) -> None:
    place.vary(place.stage())
    again = place.again()
    assert again is not None
    with place.opened() as ledger:
        plan, full = again.plan(ledger), full_plan(place, again, ledger)
    assert plan == full
    assert list(plan.settled) == list(full.settled), "it is shown in this order"
    assert (plan.rows_with_user, plan.rows_without_user) == (full.rows_with_user, full.rows_without_user)
    assert len(plan.first) == 10
    assert {state for state in STATES if plan.settled[state]} == {
        State.CANCELLED, State.ALREADY_CANCELLED, State.NOT_FOUND, State.REJECTED,
    }  # fmt: skip


def test_it_is_so_of_a_fresh_and_of_a_shared_run_as_well(place: Place) -> None:
    run_no = place.stage()
    for number in range(2):
        again = place.again()
        assert again is not None
        with place.opened() as ledger:
            assert again.plan(ledger) == full_plan(place, again, ledger)
            start = RunStart(f"again-{number}", AT, TimeBase(None, 0.0), out=str(place.folder / "other"))
            again.share(ledger, start)
        if not number:
            place.vary(run_no)


def test_the_user_of_a_row_counts_and_not_that_of_an_earlier_request(place: Place) -> None:
    """A target that is done keeps the request of then."""
    place.vary(place.stage())
    place.input.write_text(place.input.read_text().replace(USER, ""), encoding="utf-8")
    place.stage(out="second")
    again = place.again()
    assert again is not None
    with place.opened() as ledger:
        assert again.plan(ledger) == full_plan(place, again, ledger)


def _changed_bytes(place: Place) -> None:
    """As many as before, at the same time."""
    before = place.input.stat()
    place.input.write_text(place.input.read_text().replace(uuid(30), uuid(31)), encoding="utf-8")
    os.utime(place.input, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert place.input.stat().st_size == before.st_size


def _other_input_since(place: Place) -> None:
    other = place.folder / "other.csv"
    other.write_text(f"appointment_id\n{uuid(2)}\n", encoding="utf-8")
    place.stage(place.job(input=str(other)), out="second")


def _killed_staging_since(place: Place) -> None:
    other = place.folder / "other.csv"
    other.write_text(f"appointment_id\n{uuid(2)}\n", encoding="utf-8")
    place.stage(place.job(input=str(other)), out="second", finish=False)


def _no_snapshot(place: Place) -> None:
    (place.folder / "first" / SNAPSHOT).unlink()


def _half_a_snapshot(place: Place) -> None:
    snapshot = place.folder / "first" / SNAPSHOT
    snapshot.write_bytes(snapshot.read_bytes()[:-100])


def _a_link_for_a_snapshot(place: Place) -> None:
    snapshot = place.folder / "first" / SNAPSHOT
    snapshot.rename(place.folder / "elsewhere.parquet")
    snapshot.symlink_to(place.folder / "elsewhere.parquet")


def _another_ledger(place: Place) -> None:
    place.ledger.unlink()


def _no_input(place: Place) -> None:
    place.input.unlink()


@pytest.mark.parametrize(
    "change",
    [
        _changed_bytes, _other_input_since, _killed_staging_since, _no_snapshot, _half_a_snapshot,
        _a_link_for_a_snapshot, _another_ledger, _no_input,
    ],
)  # fmt: skip
def test_nothing_is_shared_after(place: Place, change: Callable[[Place], None]) -> None:
    place.stage()
    assert place.again() is not None
    change(place)
    assert place.again() is None
    assert not (place.now / SNAPSHOT).exists()


def test_a_snapshot_of_other_options_is_not_taken(place: Place) -> None:
    place.stage()
    other = Place.__new__(Place)
    other.folder, other.ledger, other.input = place.folder, place.folder / "another.db", place.input
    other.now = place.now
    other.stage(other.job(reason="moved"), out="elsewhere")
    (place.folder / "elsewhere" / SNAPSHOT).replace(place.folder / "first" / SNAPSHOT)
    assert place.again() is None


@pytest.mark.parametrize(
    "option",
    [
        {"reason": "moved"}, {"reason": None}, {"cancel_all": True}, {"map": {"user_id": "attendee_id"}},
        {"live": True}, {"reason": "For {user_id}"}, {"input": "-"}, {"input": "s3://bucket/in.csv"},
        {"expect_digest": "sha256:0"},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_is_shared_with(place: Place, option: dict[str, object]) -> None:
    place.stage()
    assert place.again(**option) is None


def test_the_same_bytes_under_another_kind_of_name_are_another_input(place: Place) -> None:
    place.stage()
    copy = shutil.copy(place.input, place.folder / "in.tsv")
    assert place.again(input=str(copy)) is None
    renamed = shutil.copy(place.input, place.folder / "renamed.csv")
    assert place.again(input=str(renamed)) is not None


@pytest.mark.parametrize("option", [{"live": True}, {"reason": "For {appointment_id}"}], ids=str)
def test_a_run_whose_rows_more_than_the_file_decides_is_not_shared(place: Place, option: dict[str, object]) -> None:
    place.stage(place.job(**option))
    assert place.again() is None
    assert place.again(**option) is None


def test_another_program_reads_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.stage()
    monkeypatch.setattr("bulk_cancel.sources.version", lambda: "99.0")
    assert place.again() is None


def test_what_was_true_at_a_glance_is_asked_again_under_the_lock(place: Place) -> None:
    place.stage()
    again = place.again()
    assert again is not None
    _other_input_since(place)
    with place.opened() as ledger:
        assert again.plan(ledger) is None


def test_a_snapshot_whose_rows_cannot_be_read_is_not_shared(place: Place) -> None:
    place.stage()
    again = place.again()
    assert again is not None
    (place.now / SNAPSHOT).write_bytes(b"PAR1")
    with place.opened() as ledger:
        assert again.plan(ledger) is None


def test_a_ledger_that_holds_other_rows_than_the_snapshot_is_not_shared(place: Place) -> None:
    place.stage()
    again = place.again()
    assert again is not None
    connection = apsw.Connection(str(place.ledger))
    connection.execute("DELETE FROM input_rows WHERE row = 5")
    connection.close()
    with place.opened() as ledger:
        assert again.plan(ledger) is None


def shared(folder: Path) -> list[bool]:
    """Of each run with an input, the oldest first: does it share the rows of another?"""
    connection = apsw.Connection(str(folder / "ledger.db"))
    found = connection.execute("SELECT rows_of <> run_no FROM runs WHERE input_digest <> '' ORDER BY run_no").fetchall()
    connection.close()
    return [bool(row[0]) for row in found]


@pytest.fixture
def run(shell: Shell, sandbox: Sandbox) -> Callable[..., dict[str, Any]]:
    """Run the same input with these words; return the summary with the rows of the result files."""
    world = World.of([Wanted() for _ in range(6)], seed=7)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    lines = [f"{appointment},note" for appointment in world.appointments]
    text = "\n".join(["appointment_id,text", *lines, lines[0], "bad,x", ""])
    (shell.folder / "in.csv").write_text(text, encoding="utf-8")

    def run(out: str, *words: str) -> dict[str, Any]:
        done = shell.run("in.csv", "--ledger", "ledger.db", "--out", out, *words)
        assert done.code == 3, done.stderr
        return {**done.summary, "files": shell.rows(f"{out}/results.csv")}

    return run


@pytest.mark.parametrize("out", ["first", "second"], ids=["into the same folder", "into another folder"])
def test_a_rerun_sends_nothing_twice_and_reports_the_same(
    shell: Shell, sandbox: Sandbox, run: Callable[..., dict[str, Any]], out: str
) -> None:
    first, second, third = run("first"), run(out), run("third")
    assert shared(shell.folder) == [False, True, True]
    assert first["counts"] == second["counts"] == third["counts"]
    assert first["files"] == second["files"] == third["files"]
    assert (first["requests"]["posts"], second["requests"]["posts"], third["requests"]["posts"]) == (6, 0, 0)
    assert not sandbox.truth().doubled
    for folder in {"first", out, "third"}:
        assert (shell.folder / folder / SNAPSHOT).stat().st_mode & 0o777 == 0o600


def test_a_rerun_finds_the_snapshot_of_any_run_that_shares_it(shell: Shell, run: Callable[..., dict[str, Any]]) -> None:
    run("first")
    run("second")
    shutil.rmtree(shell.folder / "first")
    run("third")
    shutil.rmtree(shell.folder / "second")
    shutil.rmtree(shell.folder / "third")
    run("fourth")
    assert shared(shell.folder) == [False, True, True, False]


def test_a_rerun_sends_what_is_left(shell: Shell, sandbox: Sandbox, run: Callable[..., dict[str, Any]]) -> None:
    refused = shell("run", "in.csv", "--yes", "--ledger", "ledger.db", "--out", "first", MEETERGO_TOKEN="rgo-wrong")
    assert refused.code not in (0, 3)
    assert run("second")["counts"]["cancelled"] == 7
    assert shared(shell.folder) == [False, True]
    assert sandbox.truth().post_count == 6


def test_other_options_are_another_input(shell: Shell, run: Callable[..., dict[str, Any]]) -> None:
    run("first")
    run("second", "--reason", "moved")
    run("third")
    assert shared(shell.folder) == [False, False, False]
