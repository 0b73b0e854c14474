"""What a cluster decides without any process: kept rules, how a run ends, what the rescue takes for dead."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from bulk_cancel.access.ledgers import LedgerDatabase
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.setup import set_up
from bulk_cancel.cluster import completion as ending
from bulk_cancel.cluster import dispatch, queue
from bulk_cancel.cluster import stalled as rescue
from bulk_cancel.cluster.approved_rows import approved_of, keep_approved
from bulk_cancel.cluster.chunk import ChunkResult, WorkerSetup
from bulk_cancel.cluster.queue import partition_of, workflow_id
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.commands.status import look_over
from bulk_cancel.core.actions import Action, Approved, Expectation, Look
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import Chunk, Target
from bulk_cancel.core.states import Event
from bulk_cancel.engine.clock import Clock, system_clock
from bulk_cancel.errors import ConfigError, Exit, LedgerLostError, LedgerUnreachableError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.execution.execute import RunFacts
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import NOBODY, START_ONE, ChunkRecord, is_untaken
from bulk_cancel.ops.progress import Display
from bulk_cancel.reports.pages.run_page import run_page
from bulk_cancel.settings.job import load_job
from support.given import move, row, staged, target

BERLIN = ZoneInfo("Europe/Berlin")

CLOCK = Clock(lambda: 50.0, TimeBase(None, 1000.0))


@pytest.fixture
def ledger(emptied_url: str) -> Iterator[PostgresLedger]:
    with closing(PostgresLedger.open(emptied_url)) as opened:
        yield opened


@dataclass
class Line:
    """A queue that notes what is asked of it."""

    pending: list[str] = field(default_factory=list)
    claimed_at: float = 0.0  #: when the pending ones were, by the database's clock
    known: dict[str, str] = field(default_factory=dict)  #: status by workflow
    done: list[tuple[str, str]] = field(default_factory=list)

    def stuck(self, longer_than_s: float, now: float) -> list[Any]:
        is_long_ago = self.claimed_at < now - longer_than_s
        return [type("Workflow", (), {"workflow_id": name}) for name in self.pending if is_long_ago]

    def failed(self, prefix: str) -> list[str]:
        return [name for name, status in self.known.items() if status == "ERROR" and name.startswith(prefix)]

    def resume(self, workflow: str) -> None:
        self.done.append(("resumed", workflow))

    def status(self, workflow: str) -> str | None:
        return self.known.get(workflow)

    def enqueue(self, run_id: str, chunk: ChunkRecord, *, why: str = "", delay_s: float = 0.0) -> None:
        name = workflow_id(run_id, chunk.chunk.chunk_no, why)
        if name not in self.known:  # twice is as once
            self.done.append(("enqueued", name))
            self.known[name] = "ENQUEUED"

    def enqueue_all(self, run_id: str, chunks: Any) -> None:
        for chunk in chunks:
            self.enqueue(run_id, chunk)

    def forget_old(self, now: float) -> None:
        return


def record(number: int, note: ChunkResult | None = None, account: str = "berlin") -> ChunkRecord:
    told = note.to_json() if note else ""
    return ChunkRecord(Chunk(1, number, 0, 9), account, 9, "one", 1, 0.0, note is not None, told)


def rescue_once(url: str, line: Any, silence_s: float, *, ahead_s: float = 0.0) -> list[tuple[str, str]]:
    """Look for the chunks of dead workers, on a machine whose clock is ahead of the database's."""
    log, clock = structlog.wrap_logger(logging.getLogger("test")), system_clock()
    clock = replace(clock, base=replace(clock.base, offset_s=clock.base.offset_s + ahead_s))
    setup = set_up(load_job("-", {}), log, Machine({"MEETERGO_API_URL": "http://127.0.0.1/v4"}, clock))
    rescue.rescue(lambda: PostgresLedger.open(url), line, WorkerSetup(setup, "one", silence_s))
    return list(line.done)


def planned(ledger: PostgresLedger) -> tuple[int, str]:
    """A run of three chunks, and one of series."""
    run_no = staged(ledger, *(row(number, number, entire_series=number == 8) for number in range(2, 9)))
    ledger.start_run(run_no)
    ledger.plan_chunks(run_no, 2)
    return run_no, ledger.runs(limit=1)[0].run_id


def test_run_settings_survive_the_ledger_unchanged(ledger: PostgresLedger) -> None:
    wanted = {"send_window": "08:00-20:00 Europe/Berlin", "max_errors": "5%", "late_within": "2h", "look": "each"}
    job = load_job("-", wanted)
    run_settings = replace(RunSettings.of(job, TimeLimit(60.0, "The time is over."), CLOCK, BERLIN), is_approved=True)
    run_settings.keep(ledger, 7)
    assert RunSettings.kept(ledger, 7) == run_settings
    limits = run_settings.limits_here(Clock(lambda: 5.0, TimeBase(None, 1040.0)), 3.0)
    assert limits.time == TimeLimit(20.0, "The time is over."), "the same moment on another machine's clock"
    assert limits.window == job.send_window
    assert limits.look is Look.EACH
    assert (limits.wait, limits.send_within_s, limits.late_within_s) == (False, 3.0, 7200.0)
    with pytest.raises(ConfigError, match="Run 8 was not begun with --engine dbos"):
        RunSettings.kept(ledger, 8)


@pytest.mark.parametrize("setting", [{"canary": "3"}, {"rebooking_list": True}])
def test_options_of_a_single_machine_are_refused_for_workers(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"--{next(iter(setting)).replace('_', '-')} cannot be used"):
        RunSettings.of(load_job("-", setting), None, CLOCK)


def test_the_end_and_the_page_of_a_closure_say_what_it_wants(ledger: PostgresLedger) -> None:
    """The worker that ends the run, and who writes its files anywhere, know the closure from the ledger alone."""
    check = "bulk-cancel closed --from 2026-12-24 --to 2026-12-24 --timezone Europe/Berlin"
    run_no, run_id = planned(ledger)
    settings = RunSettings.of(load_job("-", {}), None, CLOCK)
    replace(settings, closure=check).keep(ledger, run_no)
    move(ledger, run_no, target(ledger, 2), Event.INTENT, Event.CANCELLED)
    chunks = [replace(chunk, posts=1) for chunk in ledger.chunks(run_no)]
    ending.end(ledger, ledger.runs(run_id)[0], chunks, system_clock())
    (run,) = ledger.runs(run_id)
    assert json.loads(run.summary)["closure"] == check
    page = run_page(ledger, run, CLOCK.now())
    assert page.advice.endswith(f"can be booked again at once.\nThen check whether the days are closed.\nType: {check}")
    assert "Block the day now, if it is not blocked yet, in the dashboard" in page.advice


def test_approved_rows_of_a_chunk_survive_the_ledger_unchanged(ledger: PostgresLedger) -> None:
    seen = Expectation("2031-01-01T09:00:00Z", ("h1",), ("a1", "a2"))
    rows = [
        (2, Target("a"), Approved(Action.CANCEL, "would be cancelled", seen)),
        (1999, Target("b", "anna"), Approved(Action.SKIP, "it starts in 1 h: too late")),
        (2000, Target("c", entire_series=True), Approved(Action.READ_FIRST, "", Expectation(host_ids=()))),
    ]
    keep_approved(ledger, 7, rows)
    assert dict(approved_of(ledger, Chunk(7, 1, 1, 1999))) == {target: one for _, target, one in rows[:2]}
    assert Target("c", entire_series=True) in approved_of(ledger, Chunk(7, 2, 1999, 2500, series=True))
    assert not approved_of(ledger, Chunk(8, 1, 1, 5000))


def test_a_chunk_result_survives_the_ledger_unchanged() -> None:
    note = ChunkResult(exit_code=int(Exit.CREDENTIAL), message="refused", unknown=1, due_at=9.0)
    assert ChunkResult.from_json(note.to_json()) == note
    assert ChunkResult.from_json("") == ChunkResult()


def test_a_run_ends_with_the_gravest_of_its_halts_and_says_whose() -> None:
    stopped, refused = ChunkResult(exit_code=5, message="Stopped."), ChunkResult(exit_code=77, message="Refused.")
    end = ending.run_end([record(1, stopped), record(2, refused, "rome"), record(3, refused, "rome")], now=0.0)
    assert end.halt is not None
    assert (end.halt.exit_code, end.halt.message) == (Exit.CREDENTIAL, "Account rome: Refused.")


def test_unknown_outcomes_of_a_run_are_due_with_the_last_one() -> None:
    end = ending.run_end(
        [record(1, ChunkResult(unknown=2, due_at=30.0)), record(2, ChunkResult(unknown=1, due_at=20.0))], now=10.0
    )
    assert (end.halt, end.reconciled.unknown, end.reconciled.due_in_s) == (None, 3, 20.0)


def test_accounts_wait_for_themselves_and_series_for_all_series() -> None:
    assert partition_of("", series=False) == "*"
    assert partition_of("rome", series=False) == "rome"
    assert partition_of("rome", series=True) == partition_of("", series=True) == "*series"


def test_only_what_is_silent_is_taken_away(ledger: PostgresLedger, emptied_url: str) -> None:
    run_no, run_id = planned(ledger)
    ledger.take_chunk(run_no, 1, "one", 90.0)
    line = Line(pending=[f"{run_id}/1", f"{run_id}/2"], known={f"{run_id}/{n}": "PENDING" for n in (1, 2, 3, 4)})
    assert rescue_once(emptied_url, line, 60) == [("resumed", f"{run_id}/2")], "the second never gave a sign of life"


def test_what_was_claimed_just_now_stays_on_a_machine_whose_clock_is_ahead(
    ledger: PostgresLedger, emptied_url: str
) -> None:
    _, run_id = planned(ledger)
    line = Line(pending=[f"{run_id}/1"], claimed_at=time.time() - 30)
    line.known = {f"{run_id}/{n}": "PENDING" for n in (1, 2, 3, 4)}
    assert rescue_once(emptied_url, line, 60, ahead_s=3600) == []
    assert rescue_once(emptied_url, line, 20, ahead_s=-3600) == [("resumed", f"{run_id}/1")]


def test_a_chunk_without_a_workflow_is_enqueued_anew(ledger: PostgresLedger, emptied_url: str) -> None:
    """Its worker gave up while the database was away, and its workflow came to an end."""
    run_no, run_id = planned(ledger)
    ledger.take_chunk(run_no, 1, "one", 90.0)
    line = Line(known={f"{run_id}/1": "ERROR"} | {f"{run_id}/{n}": "ENQUEUED" for n in (2, 3, 4)})
    assert rescue_once(emptied_url, line, 0.0) == [("enqueued", f"{run_id}/1/rescue-1")]
    assert rescue_once(emptied_url, line, 0.0) == line.done[:1], "somebody is at it"
    line.known[f"{run_id}/1/rescue-1"] = "ERROR"
    assert rescue_once(emptied_url, line, 0.0)[1:] == [("enqueued", f"{run_id}/1/rescue-2")]


def test_a_chunk_whose_work_failed_before_anybody_had_it_is_enqueued_anew(
    ledger: PostgresLedger, emptied_url: str
) -> None:
    _, run_id = planned(ledger)
    line = Line(known={f"{run_id}/{n}": "ENQUEUED" for n in (1, 3)} | {f"{run_id}/2": "ERROR"})
    assert rescue_once(emptied_url, line, 60) == [("enqueued", f"{run_id}/2/rescue-1")]


def test_a_share_of_errors_is_one_of_the_run() -> None:
    assert RunSettings.of(load_job("-", {"max_errors": "5%"}), None, CLOCK).over(199).limits.max_errors == "9"
    assert RunSettings.of(load_job("-", {"max_errors": "7"}), None, CLOCK).over(199).limits.max_errors == "7"
    assert RunSettings.of(load_job("-", {}), None, CLOCK).over(199).limits.max_errors == ""


def test_series_follow_when_all_others_have_ended(ledger: PostgresLedger) -> None:
    run_no, run_id = planned(ledger)
    line: Any = Line()
    *others, series = ledger.chunks(run_no)
    assert [chunk.series for chunk in (*others, series)] == [False, False, False, True]
    for chunk in others:
        hold = ledger.take_chunk(run_no, chunk.chunk.chunk_no, "one", 90.0)
        assert hold is not None
        assert not ending.go_on(ledger, line, ledger.runs(run_id)[0], system_clock())
        assert line.done == []
        ledger.end_chunk(hold, ChunkResult().to_json())
    for _ in range(2):
        assert not ending.go_on(ledger, line, ledger.runs(run_id)[0], system_clock())
    assert set(line.done) == {("enqueued", f"{run_id}/4")}
    hold = ledger.take_chunk(run_no, 4, "one", 90.0)
    assert hold is not None
    ledger.end_chunk(hold, "")
    assert ending.go_on(ledger, line, ledger.runs(run_id)[0], system_clock())
    (run,) = ledger.runs(run_id)
    assert run.status == "ended"


def test_a_run_whose_chunks_nobody_had_enqueued_is_begun(ledger: PostgresLedger, emptied_url: str) -> None:
    """Who had begun it died after it was cut into chunks, with none or a few of them in the queue."""
    _, run_id = planned(ledger)
    line = Line(known={f"{run_id}/1": "SUCCESS"})
    assert rescue_once(emptied_url, line, 60) == [("enqueued", f"{run_id}/{n}") for n in (2, 3)]


def chunk_at(number: int, *, epoch: int = 0, owner: str = "", ended: bool = False, series: bool = False) -> ChunkRecord:
    return ChunkRecord(Chunk(1, number, 0, 9, series), "", 9, owner, epoch, None, ended, "")


@pytest.mark.parametrize(
    ("chunks", "untaken"),
    [
        ([], False),
        ([chunk_at(1)], True),
        ([chunk_at(1, epoch=1, owner="one"), chunk_at(2)], False),
        ([chunk_at(1, epoch=2, ended=True), chunk_at(2)], True),
        ([chunk_at(1, epoch=2), chunk_at(2, series=True)], False),  # it waits to come back, and the series for it
        ([chunk_at(1, epoch=2, ended=True, owner="one"), chunk_at(2, series=True)], True),
        ([chunk_at(1, epoch=2, ended=True)], False),
    ],
)
def test_a_run_is_untaken_when_nobody_is_at_it_or_was_at_what_comes_next(
    chunks: list[ChunkRecord], untaken: bool
) -> None:
    assert is_untaken(chunks) is untaken


def test_a_run_that_no_worker_takes_is_told_of_within_ten_seconds(
    ledger: PostgresLedger, emptied_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(ledger)
    (run,) = ledger.runs()
    seen = dispatch._Observed(emptied_url, run)
    seen.update()
    assert not seen.is_untaken
    later = time.monotonic() + 9
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: later)
    seen.update()
    assert (seen.is_untaken, seen.standing.note) == (True, NOBODY)
    assert ledger.take_chunk(run.run_no, 1, "one", 90.0)
    seen.update()
    assert (seen.is_untaken, seen.standing.note) == (False, "1 worker, 4 of 4 chunks open")
    seen.close()


def test_status_says_that_no_worker_has_taken_a_run(ledger: PostgresLedger, emptied_url: str) -> None:
    run_no = ledger.begin_run(RunStart("run-1", 0.0, CLOCK.base, input_digest="of an input"))
    ledger.stage(run_no, [row(number, number) for number in range(2, 10)], 0.0)
    ledger.start_run(run_no)
    ledger.plan_chunks(run_no, 2)
    seen = look_over(LedgerDatabase(emptied_url, Marks(Path("marks"))), Machine({}), 5)
    assert seen.runs[0].said == f"{NOBODY} 4 of 4 chunks left. {START_ONE}"
    assert seen.next == f"The run run-1: {seen.runs[0].said}"
    assert ledger.take_chunk(1, 1, "one", 90.0)
    assert NOBODY not in look_over(LedgerDatabase(emptied_url, Marks(Path("marks"))), Machine({}), 5).next


@pytest.mark.parametrize("when", ["opening the queue", "enqueueing", "watching"])
def test_a_database_that_is_lost_while_a_run_is_handed_out_is_temporary(
    ledger: PostgresLedger, emptied_url: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Its chunks are in the ledger: workers may be at them by now, so nothing promises that nothing was cancelled."""
    away = OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    def fail(*_: Any, **__: Any) -> None:
        raise away

    def lost(*_: Any, **__: Any) -> None:
        raise LedgerUnreachableError("gone")

    run_no = staged(ledger, row(2, 2))
    ledger.start_run(run_no)
    monkeypatch.setattr(queue, "DBOSClient", fail if when == "opening the queue" else lambda **_: FakeClient(fail))
    if when == "watching":
        monkeypatch.setattr(dispatch, "enqueue", lambda *_: None)
        monkeypatch.setattr(dispatch.anyio, "run", lost)
    setup = set_up(load_job("-", {"ledger": emptied_url}), structlog.get_logger(), Machine({}))
    facts = RunFacts("run-1", run_no, ledger, None, CLOCK, 0.0)
    what = dispatch.Dispatch(setup, Caller(Machine({}), structlog.get_logger(), Display()), facts)
    with pytest.raises(LedgerLostError) as told:
        dispatch.dispatch(ledger, what)
    assert told.value.exit_code is Exit.STOPPED
    assert "cluster status" in told.value.advice


@dataclass
class FakeClient:
    """A client whose connection is lost."""

    enqueue: Any

    def destroy(self) -> None:
        return
