"""A worker at a chunk, over a real ledger and a scripted API: whose the chunk is, when it comes back, what counts."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

from bulk_cancel.access.ledgers import LedgerDatabase
from bulk_cancel.access.limit_sharing import limit_shared
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import credential_lock
from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.cluster.approved_rows import keep_approved
from bulk_cancel.cluster.chunk import WorkerSetup
from bulk_cancel.cluster.completion import facts_of, summary_of
from bulk_cancel.cluster.exclusive_run import take_turn
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.cluster.worker import Worker, connected, show_life
from bulk_cancel.core.actions import Action, Approved, Expectation, Look
from bulk_cancel.core.model import Answer, Appointment, InputRow, Target
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import Event, State
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.engine.context import Limits
from bulk_cancel.errors import Exit, LockedError
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import ChunkRecord
from bulk_cancel.ops.locks import locked
from bulk_cancel.settings.job import load_job
from support.given import move, row, staged, target, uuid
from support.scripted import NO_ANSWER, ScriptedLine, active, cancelled, said

FAST = Limits(settle_s=0.0, confirm_s=0.0, lag_s=0.0, look=Look.NEVER)


@dataclass
class Enqueued:
    """A queue that notes what is to come back, and in how many seconds."""

    back: list[tuple[int, float]] = field(default_factory=list)

    def enqueue(self, run_id: str, chunk: ChunkRecord, *, why: str = "", delay_s: float = 0.0) -> None:
        self.back.append((chunk.chunk.chunk_no, delay_s))

    def enqueue_all(self, run_id: str, chunks: Any) -> None:
        for chunk in chunks:
            self.enqueue(run_id, chunk)


@dataclass
class Lab:
    """One run in a database, and workers that are called directly."""

    ledger: PostgresLedger
    url: str
    folder: Path
    on_cancel: Callable[[Target], Answer] = cancelled
    on_read: Callable[[Target], Answer] = active
    on_page: Callable[[], Answer] = lambda: Answer(200)
    lines: list[ScriptedLine] = field(default_factory=list)
    queue: Enqueued = field(default_factory=Enqueued)

    def begin(self, *rows: InputRow, limits: Limits = FAST, size: int = 2, is_approved: bool = False) -> int:
        run_no = staged(self.ledger, *rows, settle_s=limits.settle_s)
        settings = RunSettings("", 30.0, limits).over(len(rows))
        replace(settings, is_approved=is_approved).keep(self.ledger, run_no)
        self.ledger.plan_chunks(run_no, size)
        return run_no

    def setup(self, *accounts: str) -> Setup:
        named = [f'[accounts.{name}]\ntoken_env = "TOKEN_{name}"' for name in accounts]
        (self.folder / "accounts.toml").write_text("\n".join(named))
        flags = {"accounts": str(self.folder / "accounts.toml")} if accounts else {}
        tokens = {f"TOKEN_{name}": f"rgo-{name}" for name in accounts} | {"MEETERGO_TOKEN": "rgo-own"}
        environ = {"MEETERGO_API_URL": "http://127.0.0.1:9/v4", **tokens}
        machine = Machine(environ, state_folder=self.folder, line_factory=lambda _: self.make_line)
        log = structlog.wrap_logger(logging.getLogger("test"))
        return set_up(load_job("-", {"concurrency": 1, **flags}), log, machine)

    def make_line(self) -> ScriptedLine:
        self.lines.append(ScriptedLine(system_clock(), self.on_cancel, self.on_read, self.on_page))
        return self.lines[-1]

    def worker(self, *accounts: str, owner: str = "one", silence_s: float = 90.0) -> Worker:
        setup = WorkerSetup(self.setup(*accounts), owner, silence_s)
        place = LedgerDatabase(self.url, Marks(self.folder / "ledgers"))
        return Worker(setup, self.queue, partial(connected, place, silence_s))  # type: ignore[arg-type]

    def carry(self, chunk_no: int, worker: Worker | None = None) -> ChunkRecord:
        (run, *_) = self.ledger.runs()
        anyio.run((worker or self.worker()).carry_chunk, run.run_id, chunk_no)
        record = self.ledger.chunk(run.run_no, chunk_no)
        assert record is not None
        return record

    def cut_others_off(self) -> None:
        """End the workers' connections to the database."""
        self.ledger._session.connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name <> 'emptier' AND pid <> pg_backend_pid()"
        )

    @property
    def posts(self) -> list[str]:
        return [appointment_id for line in self.lines for _, appointment_id in line.posts]

    def summary(self) -> Any:
        (run, *_) = self.ledger.runs()
        return summary_of(facts_of(self.ledger, run, None, system_clock()), run, self.ledger.chunks(run.run_no))


@pytest.fixture
def lab(emptied_url: str, tmp_path: Path) -> Iterator[Lab]:
    with closing(PostgresLedger.open(emptied_url)) as opened:
        yield Lab(opened, emptied_url, tmp_path)


def halt_of(record: ChunkRecord) -> tuple[int | None, str]:
    note = json.loads(record.note or "{}")
    return note.get("exit_code"), note.get("message", "")


# -- errors and stops --------------------------------------------------------------------------------------------------


def test_max_errors_are_of_the_whole_run_whichever_worker_found_them(lab: Lab) -> None:
    lab.on_cancel, lab.on_read = (lambda _: said(404)), lambda _: said(404)
    lab.begin(*(row(n, n) for n in range(2, 42)), limits=replace(FAST, max_errors="10"), size=10)
    for chunk_no in range(1, 5):
        lab.carry(chunk_no, lab.worker(owner=f"worker-{chunk_no}"))
    assert len(lab.posts) in (11, 12), "one may be on its way while the last one is recorded"
    assert halt_of(lab.carry(2)) == (Exit.STOPPED, "11 targets were refused, more than --max-errors allows.")
    assert lab.summary().exit_code is Exit.STOPPED


def test_errors_that_another_worker_finds_stop_this_one_in_the_middle(lab: Lab) -> None:
    run_no = lab.begin(*(row(n, n) for n in range(2, 22)), limits=replace(FAST, max_errors="3"), size=10)

    def meanwhile(wanted: Target) -> Answer:
        if len(lab.posts) == 4:
            lab.ledger._session.run("count_refused", run_no, 4)
        return cancelled(wanted)

    lab.on_cancel = meanwhile
    lab.carry(1)
    assert len(lab.posts) <= 5


def test_a_run_is_stopped_with_the_next_commit(lab: Lab) -> None:
    run_no = lab.begin(*(row(n, n) for n in range(2, 22)), size=20)

    def meanwhile(wanted: Target) -> Answer:
        if len(lab.posts) == 4:
            lab.ledger.stop_run(run_no, "Enough.")
        return cancelled(wanted)

    lab.on_cancel = meanwhile
    assert halt_of(lab.carry(1)) == (Exit.STOPPED, "Enough.")
    assert len(lab.posts) <= 5


# -- what another worker may do ----------------------------------------------------------------------------------------


def test_a_revoked_token_gives_chunks_back_and_its_worker_takes_none_of_the_account(lab: Lab) -> None:
    lab.on_page = lambda: said(401)
    lab.begin(*(row(n, n, account="rome") for n in range(2, 6)))
    revoked = lab.worker("rome")
    assert not lab.carry(1, revoked).ended
    requests = sum(len(line.pages) for line in lab.lines)
    assert not lab.carry(1, revoked).ended
    assert sum(len(line.pages) for line in lab.lines) == requests == 1
    assert [number for number, _ in lab.queue.back] == [1, 1]
    assert all(0 < delay_s <= 5 for _, delay_s in lab.queue.back)
    lab.on_page = lambda: Answer(200)
    assert lab.carry(1, lab.worker("rome", owner="another")).ended
    assert lab.posts == [uuid(2), uuid(3)]


def test_a_token_that_was_refused_once_is_tried_again_by_the_same_worker_in_the_next_run(lab: Lab) -> None:
    """The API refused it for a while, or a role was given back: nobody would think of starting workers anew."""
    lab.on_page = lambda: said(401)
    worker = lab.worker()
    lab.begin(row(2, 2))
    assert not lab.carry(1, worker).ended
    lab.on_page = lambda: Answer(200)
    assert not lab.carry(1, worker).ended, "in the same run another worker may do it"
    again = staged(lab.ledger, row(2, 2), run_id="run-2")
    RunSettings("", 30.0, FAST).over(1).keep(lab.ledger, again)
    lab.ledger.plan_chunks(again, 2)
    assert lab.carry(1, worker).ended
    assert lab.posts == [uuid(2)]


def test_a_token_that_ends_in_the_middle_gives_the_rest_back(lab: Lab) -> None:
    run_no = lab.begin(*(row(n, n) for n in range(2, 8)), size=6)
    lab.on_cancel = lambda wanted: said(401) if len(lab.posts) > 3 else cancelled(wanted)
    assert not lab.carry(1).ended
    lab.on_cancel = cancelled
    assert lab.carry(1).ended
    assert Counter(lab.posts).most_common(1) == [(uuid(5), 2)], "the one that the API refused the credential for"
    assert lab.ledger.targets_by_state(run_no) == {State.CANCELLED: 6}
    assert lab.summary().exit_code is Exit.OK


@pytest.mark.parametrize(("why", "code"), [("no token", Exit.CONFIG), ("revoked", Exit.CREDENTIAL)])
def test_a_chunk_that_no_worker_can_carry_out_ends_after_a_silence(lab: Lab, why: str, code: Exit) -> None:
    lab.on_page = lambda: said(401)
    lab.begin(*(row(n, n, account="rome") for n in range(2, 8)))
    worker = lab.worker("rome" if why == "revoked" else "paris")
    assert not lab.carry(1, worker).ended
    lab.ledger._session.connection.execute("UPDATE chunks SET given_back_at = given_back_at - interval '91 s'")
    assert lab.carry(1, worker).ended
    assert all(chunk.ended for chunk in lab.ledger.chunks(1)), "the other chunks of the account as well"
    assert lab.summary().exit_code is code
    assert lab.ledger.runs()[0].status == "ended"


def test_a_chunk_that_the_ledger_does_not_know_is_nothing_to_do(lab: Lab) -> None:
    """Whoever can write to the queue names chunks by their numbers; what is in one is in the ledger."""
    lab.begin(row(2, 2), row(3, 3), row(4, 4))
    anyio.run(lab.worker().carry_chunk, "run-1", 99)
    assert (lab.posts, lab.queue.back) == ([], [])
    lab.carry(1)
    anyio.run(lab.worker().carry_chunk, "run-1", 1)
    assert len(lab.posts) == 2, "a chunk that has ended is not carried out again"


def test_settings_that_a_worker_does_not_know_are_refused(lab: Lab) -> None:
    run_no = lab.begin(row(2, 2))
    connection = lab.ledger._session.connection
    connection.execute("""UPDATE meta SET value = replace(value, '"max_attempts"', '"most_attempts"')""")
    record = lab.carry(1)
    assert (record.ended, lab.posts) == (False, [])
    assert record.given_back_s is not None
    connection.execute("UPDATE chunks SET given_back_at = given_back_at - interval '91 s'")
    code, message = halt_of(lab.carry(1))
    assert (code, lab.posts) == (Exit.CONFIG, [])
    assert "This worker does not know most_attempts, which the run needs." in message
    assert lab.ledger.targets_by_state(run_no) == {State.PENDING: 1}


# -- what comes back ---------------------------------------------------------------------------------------------------


def test_with_wait_series_that_others_block_come_back(lab: Lab) -> None:
    """A series waits while any other one is open, also of another account; its chunk is not at its end."""
    lab.begin(
        *(row(n, n, account=name, entire_series=True) for n, name in ((2, "rome"), (3, "wien"))),
        limits=replace(FAST, settle_s=60.0, wait=True),
    )
    worker = lab.worker("rome", "wien")
    lab.on_cancel = lambda _: NO_ANSWER
    assert not lab.carry(1, worker).ended
    lab.on_cancel = cancelled
    assert not lab.carry(2, worker).ended
    assert lab.posts == [uuid(2)]
    assert [number for number, _ in lab.queue.back] == [1, 2]
    assert all(50 < delay_s <= 61 for _, delay_s in lab.queue.back)


def left_open(lab: Lab, series: InputRow, settle_s: float = 0.0) -> None:
    """Leave a series without an outcome, by an earlier run."""
    run_no = staged(lab.ledger, series, run_id="run-0", settle_s=settle_s)
    for event in (Event.INTENT, Event.NO_PROOF):
        (work,) = lab.ledger.find_targets(series.appointment_id or "")
        move(lab.ledger, run_no, work, event)


def test_a_series_of_an_earlier_run_is_looked_up_before_the_rows_that_wait_for_it(lab: Lab) -> None:
    """Whatever the reads show: here one occurrence is cancelled, which leaves it to a person."""
    left_open(lab, row(4, 4, entire_series=True))
    lab.begin(row(2, 2), row(3, 3), row(4, 4, entire_series=True), size=1)
    lab.on_read = lambda wanted: cancelled(wanted) if wanted.entire_series else active(wanted)
    for chunk in lab.ledger.chunks(2):
        assert lab.carry(chunk.chunk.chunk_no).ended
    assert lab.posts == [uuid(2), uuid(3)]


def test_with_wait_rows_that_the_series_of_another_account_blocks_come_back(lab: Lab) -> None:
    series = row(3, 3, account="wien", entire_series=True)
    left_open(lab, series, settle_s=60.0)
    lab.begin(row(2, 2, account="rome"), series, limits=replace(FAST, wait=True))
    (rome,) = [chunk.chunk.chunk_no for chunk in lab.ledger.chunks(2) if chunk.account == "rome"]
    assert not lab.carry(rome, lab.worker("rome", "wien")).ended


def test_with_wait_a_chunk_comes_back_now_and_then_while_what_blocks_it_is_due(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be due for hours: behind a cache, or while the other chunk's worker stands still."""
    limits = replace(FAST, settle_s=60.0, wait=True)
    lab.begin(*(row(n, n, account=name, entire_series=True) for n, name in ((2, "rome"), (3, "wien"))), limits=limits)
    lab.on_cancel = lambda _: NO_ANSWER
    lab.carry(1, lab.worker("rome", "wien"))
    monkeypatch.setattr("bulk_cancel.cluster.chunk.open_due_in_s", lambda *_: 0.0)
    lab.carry(2, lab.worker("rome", "wien"))
    assert lab.queue.back[1:] == [(2, 7.0)]


def test_without_wait_series_that_others_block_end(lab: Lab) -> None:
    lab.begin(
        *(row(n, n, account=name, entire_series=True) for n, name in ((2, "rome"), (3, "wien"))),
        limits=replace(FAST, settle_s=60.0),
    )
    worker = lab.worker("rome", "wien")
    lab.on_cancel = lambda _: NO_ANSWER
    assert lab.carry(1, worker).ended
    assert lab.carry(2, worker).ended
    assert lab.summary().exit_code is Exit.UNKNOWN


def test_with_wait_a_chunk_whose_reads_fail_after_the_settle_time_ends(lab: Lab) -> None:
    """The API may never tell of this appointment; whoever types the command again has it read again."""
    lab.begin(row(2, 2), limits=replace(FAST, wait=True))
    lab.on_cancel, lab.on_read = lambda _: NO_ANSWER, lambda _: Answer(503)
    assert lab.carry(1).ended
    assert (lab.queue.back, lab.summary().exit_code) == ([], Exit.UNKNOWN)


@pytest.mark.parametrize("workers", [1, 5])
def test_after_an_unknown_outcome_a_row_is_sent_once_more_in_a_run_whatever_reads_say(lab: Lab, workers: int) -> None:
    """A stale cache shows it active for ever."""
    run_no = lab.begin(row(2, 2), limits=replace(FAST, wait=True))
    lab.on_cancel = lambda _: NO_ANSWER
    for number in range(5):
        lab.carry(1, lab.worker(owner=f"worker-{number % workers}"))
    assert lab.posts == [uuid(2)] * 2
    assert target(lab.ledger, 2).state in (State.WAITING, State.UNKNOWN)
    again = staged(lab.ledger, row(2, 2), run_id="run-2")
    assert [event.event for event in lab.ledger.history(1)].count(Event.INTENT) == 2
    assert lab.ledger.work(again, 0, series=False, limit=9) or lab.ledger.unknown_count()
    assert lab.ledger.work(run_no, 0, series=False, limit=9) == []
    assert not lab.ledger.may_send_more(run_no)
    assert lab.ledger.may_send_more(again) or lab.ledger.unknown_count()


# -- what counts -------------------------------------------------------------------------------------------------------


def test_requests_of_a_run_are_those_of_all_who_had_its_chunks(lab: Lab) -> None:
    run_no = lab.begin(*(row(n, n) for n in range(2, 8)), size=6)
    lab.on_cancel = lambda wanted: said(401) if len(lab.posts) > 3 else cancelled(wanted)
    lab.carry(1)
    lab.on_cancel = cancelled
    lab.carry(1, lab.worker(owner="two"))
    told = lab.summary().requests
    gets = sum(len(line.reads) + len(line.pages) for line in lab.lines)
    assert (told.posts, told.gets, told.throttled) == (len(lab.posts), gets, 0)
    assert lab.ledger.targets_by_state(run_no) == {State.CANCELLED: 6}


def test_requests_from_before_and_after_a_partition_are_counted(lab: Lab) -> None:
    """The connection ends in the middle; the same worker takes the chunk again and goes on."""
    run_no = lab.begin(*(row(n, n) for n in range(2, 12)), size=10)
    ends = [3, 7]

    def meanwhile(wanted: Target) -> Answer:
        if len(lab.posts) in ends:
            ends.remove(len(lab.posts))
            lab.cut_others_off()
        return cancelled(wanted)

    lab.on_cancel, lab.on_read = meanwhile, cancelled
    assert lab.carry(1).ended
    told = lab.summary().requests
    gets = sum(len(line.reads) + len(line.pages) for line in lab.lines)
    assert (told.posts, told.gets) == (len(lab.posts), gets) == (10, 5)
    assert lab.ledger.targets_by_state(run_no) == {State.CANCELLED: 10}


def test_a_pause_that_the_lost_database_could_not_be_told_still_holds(lab: Lab) -> None:
    """The API asks for two hours while the connection ends: the next lease sends nothing, and stops at once."""
    lab.begin(*(row(n, n) for n in range(2, 6)), size=4)

    def throttled(_: Target) -> Answer:
        lab.cut_others_off()
        return Answer(429, message="Too Many Requests", retry_after_s=7200.0, is_api_error=True)

    lab.on_cancel = throttled
    code, message = halt_of(lab.carry(1))
    assert (code, len(lab.posts)) == (Exit.STOPPED, 1)
    assert message.startswith("The API asks to wait ")


# -- one run at a time -------------------------------------------------------------------------------------------------


def test_while_a_second_run_begins_the_owner_of_the_stopped_one_writes_and_sends_nothing(lab: Lab) -> None:
    """It lives, and was only cut off for longer than its own silence, which is not the one by default."""
    run_no = lab.begin(*(row(n, n) for n in range(2, 22)), size=20)

    def cut_off(wanted: Target) -> Answer:
        if len(lab.posts) == 4:
            lab.ledger.stop_run(run_no, "Enough.")
            with pytest.raises(LockedError, match="run-1 has not ended"):
                take_turn(lab.ledger, 0.0)
            lab.ledger._session.connection.execute(
                "UPDATE chunks SET heartbeat_at = heartbeat_at - make_interval(secs => silence_s + 1)"
            )
            take_turn(lab.ledger, 0.0)
            staged(lab.ledger, *(row(n, n) for n in range(2, 22)), run_id="run-2")
        return cancelled(wanted)

    lab.on_cancel = cut_off
    lab.carry(1, lab.worker(silence_s=40.0))
    assert len(lab.posts) == 4
    events = [(line.event, line.run_id) for line in lab.ledger.history(target(lab.ledger, 5).target_id)]
    assert events == [(Event.INTENT, "run-1")], "what it learnt is looked up by the second run"
    assert not any(lab.ledger.open_chunks(run_no))


# -- one limit ---------------------------------------------------------------------------------------------------------


def test_a_local_run_and_a_worker_with_one_key_exclude_each_other(lab: Lab) -> None:
    setup = lab.setup()
    account = setup.accounts.find("")
    lock = credential_lock(lab.folder, account.credential.fingerprint)
    with limit_shared(setup, account, lab.ledger):
        with pytest.raises(LockedError, match="this credential"), locked(lock, "this credential"):
            pass
        with limit_shared(setup, account, lab.ledger):
            pass
    with (
        locked(lock, "this credential"),
        pytest.raises(LockedError, match="Another run holds the credential"),
        limit_shared(setup, account, lab.ledger),
    ):
        pass
    with locked(lock, "this credential"):
        pass


def test_workers_of_two_ledgers_with_one_key_exclude_each_other(lab: Lab, postgres_server: Any) -> None:
    setup = lab.setup()
    account = setup.accounts.find("")
    with postgres_server.database("ledger_template") as url, closing(PostgresLedger.open(url)) as other:
        with limit_shared(setup, account, lab.ledger):
            with pytest.raises(LockedError), limit_shared(setup, account, other):
                pass
            with limit_shared(setup, account, lab.ledger):
                pass
        with limit_shared(setup, account, other), pytest.raises(LockedError), limit_shared(setup, account, lab.ledger):
            pass


def test_a_local_run_and_a_worker_count_each_others_requests(lab: Lab, postgres_server: Any) -> None:
    setup = lab.setup()
    account, pace = setup.accounts.find(""), Pace(1.0, 100)
    key = account.credential.fingerprint
    with limit_shared(setup, account, lab.ledger):
        lab.ledger.reserve(key, 50, pace)
    with postgres_server.database("ledger_template") as url, closing(PostgresLedger.open(url)) as other:
        with limit_shared(setup, account, other):
            assert other.reserve(key, 1, pace).ahead_s == pytest.approx(50, abs=3)
        with limit_shared(setup, account, lab.ledger):
            assert lab.ledger.reserve(key, 1, pace).ahead_s == pytest.approx(51, abs=3)


@pytest.mark.anyio
async def test_a_worker_shows_that_it_is_alive_and_takes_the_sign_away_when_it_ends(tmp_path: Path) -> None:
    sign = tmp_path / "state" / "worker.alive"
    async with anyio.create_task_group() as group:
        group.start_soon(show_life, sign)
        with anyio.fail_after(5):
            while not sign.exists():  # noqa: ASYNC110 - what it waits for is made by a thread
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert not sign.exists()


# -- looks -------------------------------------------------------------------------------------------------------------


def test_with_look_each_a_worker_reads_right_before_every_cancel_and_leaves_out_what_others_cancelled(lab: Lab) -> None:
    run_no = lab.begin(*(row(n, n) for n in range(2, 6)), limits=replace(FAST, look=Look.EACH), size=4)
    lab.on_read = lambda wanted: (cancelled if wanted.appointment_id == uuid(3) else active)(wanted)
    lab.carry(1)
    (line,) = lab.lines
    assert sorted(lab.posts) == [uuid(2), uuid(4), uuid(5)]
    assert len(line.reads) == 4
    assert lab.ledger.counts(run_no) == {State.CANCELLED: 3, State.ALREADY_CANCELLED: 1}


def test_a_worker_of_an_approved_plan_leaves_out_what_is_not_as_approved(lab: Lab) -> None:
    limits = replace(FAST, look=Look.EACH)
    run_no = lab.begin(*(row(n, n) for n in range(2, 5)), limits=limits, size=4, is_approved=True)
    planned = Approved(Action.CANCEL, "would be cancelled", Expectation("2031-01-01T09:00:00Z", ("h1",)))
    keep_approved(lab.ledger, run_no, [(n, Target(uuid(n)), planned) for n in range(2, 5)])

    def shown(wanted: Target) -> Answer:
        hosts = ("h2",) if wanted.appointment_id == uuid(3) else ("h1",)
        there = Appointment(wanted.appointment_id, False, start="2031-01-01T09:00:00Z", host_ids=hosts)
        return Answer(200, appointment=there)

    lab.on_read = shown
    lab.carry(1)
    assert sorted(lab.posts) == [uuid(2), uuid(4)]
    assert lab.ledger.counts(run_no) == {State.CANCELLED: 2, State.SKIPPED: 1}
    assert "hosts" in lab.ledger.rows(run_no, 2, 1)[0].detail
