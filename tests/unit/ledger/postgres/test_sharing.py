"""Many workers on one ledger: fences, takeovers, one pace for all, and who holds the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier, Thread
from typing import TypeVar

import psycopg
import pytest

from bulk_cancel.core.model import Scope
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import Event, State
from bulk_cancel.errors import LedgerError, LockedError, LostChunkError
from bulk_cancel.ledger.port import GuardError
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import Lease, Reservation, SharedLedger, Standing
from bulk_cancel.ops.uptime import uptime
from support.given import AT, entry, put, row, staged, target
from support.postgres import Server

PACE = Pace(10.0, 5)
T = TypeVar("T")
Open = Callable[..., PostgresLedger]


@pytest.fixture
def opens(emptied_url: str) -> Iterator[Open]:
    opened: list[PostgresLedger] = []

    def open_one(name: str = "") -> PostgresLedger:
        opened.append(PostgresLedger.open(emptied_url, name))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(opens: Open) -> PostgresLedger:
    return opens()


def at_once(calls: list[Callable[[], T]]) -> list[T]:
    """Make calls in threads that begin together."""
    together = Barrier(len(calls))

    def one(call: Callable[[], T]) -> T:
        together.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def chunked(ledger: PostgresLedger, size: int = 2) -> int:
    run_no = staged(ledger, *(row(number, number) for number in range(2, 8)))
    ledger.plan_chunks(run_no, size)
    return run_no


def taken(ledger: PostgresLedger, run_no: int, chunk_no: int = 1, owner: str = "one") -> Lease:
    lease = ledger.take_chunk(run_no, chunk_no, owner, 90.0)
    assert lease is not None
    return lease


def everything(ledger: PostgresLedger) -> object:
    told = ledger.chunks(1)
    stands = [(chunk.owner, chunk.epoch, chunk.ended, chunk.note) for chunk in told]
    return stands, list(ledger.all_events()), ledger.rows(1, 0, 100), ledger.load_pace("key")


def wait_for_a_waiter(url: str) -> None:
    """Return when somebody waits for a lock in this database."""
    asks = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(url, autocommit=True) as connection:
        until = time.monotonic() + 10
        while not connection.execute(asks).fetchall():
            assert time.monotonic() < until, "nobody waits"


def test_a_ledger_in_postgresql_is_a_shared_ledger(ledger: PostgresLedger) -> None:
    shared: SharedLedger = ledger
    assert shared.chunks(1) == []


def test_chunks_are_the_work_of_each_account_in_row_order_and_series_apart(ledger: PostgresLedger) -> None:
    accounts = {3: "berlin", 5: "berlin", 6: "berlin", 9: "paris"}
    rows = [row(n, n, account=accounts.get(n), entire_series=n in (4, 6)) for n in range(2, 11)]
    run_no = staged(ledger, *rows)
    put(ledger, run_no, State.CANCELLED, 7)
    for _ in range(2):
        ledger.plan_chunks(run_no, 2)
    found = {}
    for chunk in ledger.chunks(run_no):
        scope = Scope(chunk.account, chunk.chunk)
        work = ledger.work(run_no, 0, series=chunk.series, limit=9, scope=scope)
        found[chunk.chunk.chunk_no] = (chunk.account, chunk.series, [number for number, _ in work])
        assert chunk.targets == len(work)
        assert (chunk.owner, chunk.epoch, chunk.silent_s, chunk.ended) == ("", 0, None, False)
    assert found == {
        1: ("", False, [2, 8]),
        2: ("berlin", False, [3, 5]),
        3: ("", True, [4]),
        4: ("berlin", True, [6]),
        5: ("paris", False, [9]),
        6: ("", False, [10]),
    }


def test_many_who_plan_at_once_make_one_plan(opens: Open) -> None:
    ledgers = [opens() for _ in range(4)]
    run_no = staged(ledgers[0], *(row(n, n) for n in range(2, 42)))
    at_once(
        [lambda ledger=ledger, size=size: ledger.plan_chunks(run_no, size) for size, ledger in enumerate(ledgers, 3)]
    )
    chunks = ledgers[0].chunks(run_no)
    assert sum(chunk.targets for chunk in chunks) == 40
    assert [chunk.chunk.after_row for chunk in chunks] == [0, *(chunk.chunk.last_row for chunk in chunks[:-1])]


FENCED = {
    "append": lambda ledger, lease: ledger.append(1, [entry(target(ledger, 2), Event.INTENT)]),
    "an empty append": lambda ledger, lease: ledger.append(1, []),
    "recover": lambda ledger, lease: ledger.recover(1, AT, Scope("", lease.chunk)),
    "heartbeat": lambda ledger, lease: ledger.heartbeat(lease),
    "reserve": lambda ledger, lease: ledger.reserve("key", 5, PACE, lease),
    "end_chunk": lambda ledger, lease: ledger.end_chunk(lease, "done"),
    "end_account": lambda ledger, lease: ledger.end_account(lease, "done"),
    "reopen_chunk": lambda ledger, lease: ledger.reopen_chunk(lease),
}
LOSSES = {
    "taken over": lambda ledger, lease: ledger.take_chunk(1, 1, "two", 90.0),
    "taken over by itself": lambda ledger, lease: ledger.take_chunk(1, 1, "one", 90.0),
    "ended": lambda ledger, lease: ledger.end_chunk(lease, "done"),
    "let go": lambda ledger, lease: ledger.reopen_chunk(lease),
    "its account ended": lambda ledger, lease: ledger.end_account(taken(ledger, 1, 2), "no token"),
    "the run given up": lambda ledger, lease: give_up(ledger),
}


def give_up(ledger: PostgresLedger) -> None:
    """The run was stopped, and its owner lives, but says nothing for longer than it may."""
    ledger.stop_run(1, "stopped")
    silent_for(ledger, 91.0)
    ledger.end_given_up(1)


def silent_for(ledger: PostgresLedger, seconds: float) -> None:
    ledger._session.connection.execute(
        "UPDATE chunks SET heartbeat_at = clock_timestamp() - make_interval(secs => %s)", (seconds,)
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_a_worker_that_lost_its_chunk_writes_nothing(opens: Open, loss: str) -> None:
    frozen, other = opens(), opens()
    run_no = chunked(frozen)
    put(frozen, run_no, State.SENDING, 3)
    lease = taken(frozen, run_no)
    frozen.work_under(lease)
    LOSSES[loss](other, lease)
    before = everything(other)
    for name, call in [*FENCED.items()] * 2:
        with pytest.raises(LostChunkError, match="Chunk 1 of run 1 has another owner"):
            call(frozen, lease)
        assert everything(other) == before, name
    frozen.work_under(None)
    frozen.append(run_no, [entry(target(frozen, 4), Event.INTENT)])
    assert frozen.verify() == []


@pytest.mark.parametrize(("silence_s", "silent_s", "ended"), [(60, 70, True), (120, 100, False), (5, 6, True)])
def test_a_stopped_run_is_given_up_after_the_silence_of_its_own_workers(
    ledger: PostgresLedger, silence_s: float, silent_s: float, ended: bool
) -> None:
    run_no = chunked(ledger)
    assert ledger.take_chunk(run_no, 1, "one", silence_s)
    silent_for(ledger, silent_s)
    ledger.end_given_up(run_no)
    assert any(ledger.open_chunks(run_no)), "nobody has stopped it"
    ledger.stop_run(run_no, "enough")
    ledger.stop_run(run_no, "once more")
    ledger.end_given_up(run_no)
    assert any(ledger.open_chunks(run_no)) is not ended


def test_every_fenced_call_shows_that_the_run_is_to_stop(opens: Open) -> None:
    ledger, other = opens(), opens()
    lease = taken(ledger, chunked(ledger))
    ledger.work_under(lease)
    for call in ("append", "an empty append", "heartbeat", "reserve"):
        ledger.standing = Standing()
        FENCED[call](ledger, lease)
        assert ledger.standing == Standing()
    other.stop_run(1, "enough")
    other.stop_run(1, "once more")
    for call in ("an empty append", "heartbeat", "reserve"):
        ledger.standing = Standing()
        FENCED[call](ledger, lease)
        assert ledger.standing == Standing("enough")


def test_refusals_are_counted_over_all_workers_of_a_run(opens: Open) -> None:
    """Each learns of them with its next write; those of an earlier run do not count."""
    one, two = opens(), opens()
    run_no = chunked(one)
    for chunk_no, ledger in ((1, one), (2, two)):
        ledger.work_under(taken(ledger, run_no, chunk_no))
    for ledger, number, event in ((one, 2, Event.SEEN_MISSING), (two, 4, Event.SEEN_REFUSED)):
        ledger.append(run_no, [entry(target(ledger, number), event)])
    assert (one.standing.refused, two.standing.refused) == (1, 2)
    put(one, run_no, State.FAILED, 3)
    assert one.standing.refused == 3
    put(one, run_no, State.CANCELLED, 5)
    again = staged(one, row(2, 20), row(3, 21), run_id="run-2")
    one.plan_chunks(again, 2)
    one.heartbeat(taken(one, again))
    assert one.standing.refused == 0


def test_requests_are_counted_with_their_chunk_whoever_sent_them(opens: Open) -> None:
    one, two = opens(), opens()
    run_no = chunked(one)
    first = taken(one, run_no)
    one.work_under(first)
    put(one, run_no, State.CANCELLED, 2)
    one.heartbeat(first, gets=3, throttled=1)
    second = taken(two, run_no, owner="two")
    two.work_under(second)
    put(two, run_no, State.WAITING, 3)  # no byte of it left
    put(two, run_no, State.SENDING, 4)
    two.heartbeat(second, gets=2)
    with pytest.raises(LostChunkError):
        one.heartbeat(first, gets=9)
    record = two.chunk(run_no, 1)
    assert record is not None
    assert (record.posts, record.gets, record.throttled) == (2, 5, 1)


def test_a_chunk_is_given_back_until_somebody_sends(ledger: PostgresLedger) -> None:
    run_no = chunked(ledger)

    def given_back_s() -> float | None:
        record = ledger.chunk(run_no, 1)
        assert record is not None
        return record.given_back_s

    ledger.reopen_chunk(taken(ledger, run_no))
    assert given_back_s() is None
    for _ in range(2):
        ledger.reopen_chunk(taken(ledger, run_no), given_back=True)
        ledger._session.connection.execute("UPDATE chunks SET given_back_at = given_back_at - interval '30 s'")
    assert given_back_s() == pytest.approx(60, abs=5)
    ledger.work_under(taken(ledger, run_no))
    ledger.append(run_no, [])
    assert given_back_s() is not None
    put(ledger, run_no, State.SENDING, 2)
    assert given_back_s() is None


@pytest.mark.parametrize("call", FENCED)
def test_a_worker_that_has_its_chunk_may_make_every_fenced_call(ledger: PostgresLedger, call: str) -> None:
    lease = taken(ledger, chunked(ledger))
    ledger.work_under(lease)
    FENCED[call](ledger, lease)
    assert ledger.verify() == []


def test_a_takeover_waits_for_what_is_being_written(opens: Open, emptied_url: str) -> None:
    writer, taker = opens(), opens()
    run_no = chunked(writer)
    lease = taken(writer, run_no)
    takes = Thread(target=lambda: taken(taker, run_no, owner="two"))
    with writer._fenced(lease):
        takes.start()
        wait_for_a_waiter(emptied_url)
        writer._session.run("end_run", run_no, "written")
        assert takes.is_alive()
    takes.join()
    assert writer.runs()[0].summary == "written"
    assert writer.chunks(run_no)[0].owner == "two"


def test_a_write_waits_for_a_takeover_and_is_refused(opens: Open, emptied_url: str) -> None:
    writer, taker = opens(), opens()
    run_no = chunked(writer)
    writer.work_under(taken(writer, run_no))
    refused = []

    def writes() -> None:
        with pytest.raises(LostChunkError):
            writer.append(run_no, [entry(target(writer, 2), Event.INTENT)])
        refused.append(True)

    thread = Thread(target=writes)
    with taker._session.transaction():
        taker._session.run("take_chunk", run_no, 1, "two", 90.0)
        thread.start()
        wait_for_a_waiter(emptied_url)
    thread.join()
    assert refused == [True]
    assert list(taker.all_events()) == []


def test_of_many_workers_that_take_a_chunk_the_last_one_has_it(opens: Open) -> None:
    ledgers = [opens() for _ in range(6)]
    run_no = chunked(ledgers[0])
    leases = at_once([lambda ledger=ledger, n=n: taken(ledger, run_no, 1, f"w{n}") for n, ledger in enumerate(ledgers)])
    assert sorted(lease.epoch for lease in leases) == [1, 2, 3, 4, 5, 6]
    standing = []
    for ledger, lease in zip(ledgers, leases, strict=True):
        try:
            ledger.heartbeat(lease)
            standing.append(lease.epoch)
        except LostChunkError:
            pass
    assert standing == [6]


def test_a_chunk_that_has_ended_is_not_taken_again(ledger: PostgresLedger) -> None:
    run_no = chunked(ledger)
    ledger.end_chunk(taken(ledger, run_no), "all cancelled")
    assert ledger.take_chunk(run_no, 1, "two", 90.0) is None
    assert ledger.take_chunk(run_no, 99, "two", 90.0) is None
    record = ledger.chunks(run_no)[0]
    assert (record.ended, record.note, record.owner) == (True, "all cancelled", "one")


def test_a_chunk_is_found_by_its_number_and_what_is_open_is_told_apart(ledger: PostgresLedger) -> None:
    rows = [row(number, number) for number in range(2, 5)] + [row(5, 5, entire_series=True)]
    run_no = staged(ledger, *rows)
    assert ledger.chunk(run_no, 1) is None
    assert ledger.open_chunks(run_no) == (False, False)
    ledger.plan_chunks(run_no, 2)
    for chunk in ledger.chunks(run_no):
        assert ledger.chunk(run_no, chunk.chunk.chunk_no) == chunk
    others, series = (
        [c.chunk.chunk_no for c in ledger.chunks(run_no) if c.series is is_series] for is_series in (False, True)
    )
    assert ledger.open_chunks(run_no) == (True, True)
    for number in others:
        ledger.end_chunk(taken(ledger, run_no, number), "")
    assert ledger.open_chunks(run_no) == (False, True)
    for number in series:
        ledger.end_chunk(taken(ledger, run_no, number), "")
    assert ledger.open_chunks(run_no) == (False, False)


def test_silent_chunks_are_those_that_somebody_has_and_says_nothing_of(ledger: PostgresLedger) -> None:
    run_no = chunked(ledger)
    first, second, third = (taken(ledger, run_no, number) for number in (1, 2, 3))
    ledger.end_chunk(second, "")
    ledger.reopen_chunk(third)
    assert [chunk.chunk for chunk in ledger.silent_chunks(0)] == [first.chunk]
    assert ledger.silent_chunks(60) == []
    ledger._session.connection.execute("UPDATE chunks SET heartbeat_at = heartbeat_at - interval '90 s'")
    (silent,) = ledger.silent_chunks(60)
    assert silent.silent_s == pytest.approx(90, abs=5)
    ledger.heartbeat(first)
    assert ledger.silent_chunks(60) == []


def test_each_chunk_has_a_chain_of_its_own(opens: Open) -> None:
    ledgers = [opens() for _ in range(3)]
    run_no = chunked(ledgers[0])
    for chunk_no, ledger in enumerate(ledgers, 1):
        ledger.work_under(taken(ledger, run_no, chunk_no))
    for event in (Event.INTENT, Event.CANCELLED):
        for chunk_no, ledger in enumerate(ledgers, 1):
            ledger.append(run_no, [entry(target(ledger, 2 * chunk_no), event)])
    seals = ledgers[0]._session.connection.execute("SELECT chunk_no, count(*) FROM seals GROUP BY 1 ORDER BY 1")
    assert seals.fetchall() == [(0, 1), (1, 2), (2, 2), (3, 2)]
    assert ledgers[0].verify() == []


def test_of_writers_at_the_same_target_one_wins_and_none_waits_in_a_circle(opens: Open) -> None:
    ledgers = [opens() for _ in range(4)]
    run_no = staged(ledgers[0], *(row(n, n) for n in range(2, 42)))
    works = [work for _, work in ledgers[0].work(run_no, 0, series=False, limit=100)]

    def writes(ledger: PostgresLedger, turn: int) -> int:
        won = 0
        for begin in range(0, 40, 10):
            batch = works[begin : begin + 10][:: 1 if turn % 2 else -1]
            try:
                ledger.append(run_no, [entry(work, Event.INTENT) for work in batch])
                won += len(batch)
            except GuardError:
                continue
        return won

    assert sum(at_once([lambda x=x, n=n: writes(x, n) for n, x in enumerate(ledgers)])) == 40
    assert {work.attempts for n in range(2, 42) for work in [target(ledgers[0], n)]} == {1}
    assert ledgers[0].verify() == []


# -- pace --------------------------------------------------------------------------------------------------------------


def test_reservations_never_overlap_and_lose_nothing(opens: Open) -> None:
    ledgers, counts = [opens() for _ in range(8)], (1, 2, 3, 5, 8)

    def reserves(ledger: PostgresLedger) -> list[Reservation]:
        return [ledger.reserve("key", count, PACE) for count in counts]

    by_thread = at_once([lambda ledger=ledger: reserves(ledger) for ledger in ledgers])
    made = sorted((one for each in by_thread for one in each), key=lambda one: one.end_at)
    assert len(made) == 8 * len(counts)
    for earlier, later in pairwise(made):
        assert later.end_at - later.count * PACE.interval_s == pytest.approx(earlier.end_at, abs=1e-5)


def test_an_idle_bucket_is_full_and_no_fuller(ledger: PostgresLedger) -> None:
    ledger._session.connection.execute("INSERT INTO pace (credential, tat_at) VALUES ('key', 1000)")
    first, second = (ledger.reserve("key", 10, PACE) for _ in range(2))
    assert first.ahead_s == pytest.approx(0.0, abs=0.1)
    assert second.ahead_s == pytest.approx(1.0, abs=0.1)
    record = ledger.load_pace("key")
    assert record is not None
    assert (record.tat_at, record.boot_id) == (second.end_at, None)
    assert record.tat_at == pytest.approx(time.time() + 2, abs=1)


def test_slots_given_back_can_be_reserved_again(ledger: PostgresLedger) -> None:
    one = ledger.reserve("key", 100, PACE)
    ledger.give_back("key", one, 90, PACE)
    assert ledger.reserve("key", 1, PACE).ahead_s == pytest.approx(1.0, abs=0.2)


def test_nothing_is_given_back_after_somebody_else_has_reserved(ledger: PostgresLedger) -> None:
    one = ledger.reserve("key", 100, PACE)
    two = ledger.reserve("key", 10, PACE)
    ledger.give_back("key", one, 100, PACE)
    ledger.give_back("other", one, 100, PACE)
    record = ledger.load_pace("key")
    assert record is not None
    assert record.tat_at == two.end_at


def test_after_a_pause_there_is_no_burst_and_a_longer_one_stands(ledger: PostgresLedger) -> None:
    for seconds in (30.0, 60.0, 1.0):
        ledger.pause("key", seconds, PACE)
    assert ledger.reserve("key", 1, PACE).ahead_s == pytest.approx(60 + 4 * PACE.interval_s, abs=1)


def test_what_is_left_of_a_pause_is_told_without_a_reservation(ledger: PostgresLedger) -> None:
    assert ledger.paused_s("key", PACE) == 0
    ledger.reserve("key", 1000, PACE)
    assert ledger.paused_s("key", PACE) == 0
    ledger.pause("key", 60.0, PACE)
    assert ledger.paused_s("key", PACE) == pytest.approx(60, abs=1)


def test_a_pause_stands_when_something_is_given_back_after_it(ledger: PostgresLedger) -> None:
    one = ledger.reserve("key", 1000, PACE)
    ledger.pause("key", 30.0, PACE)
    ledger.give_back("key", one, 1000, PACE)
    assert ledger.reserve("key", 1, PACE).ahead_s == pytest.approx(30 + 4 * PACE.interval_s, abs=1)


# -- the whole ledger --------------------------------------------------------------------------------------------------


def test_workers_hold_it_together_and_keep_out_who_wants_it_alone(opens: Open) -> None:
    one, two, alone = opens("worker one"), opens("worker two"), opens("run")
    one.lock_with_others(0)
    two.lock_with_others(0)
    with pytest.raises(LockedError, match=r"bulk-cancel worker one \(process \d+ of the database, from \S.*\) holds"):
        alone.lock_alone(0)
    one.close()
    with pytest.raises(LockedError, match="bulk-cancel worker two"):
        alone.lock_alone(0.2)
    two.close()
    alone.lock_alone(5)
    with pytest.raises(LockedError, match="bulk-cancel run"):
        opens().lock_with_others(0)


def test_the_lock_of_a_dead_session_is_released(opens: Open, emptied_url: str) -> None:
    dead, next_one = opens(), opens()
    dead.lock_alone(0)
    pid = dead._session.connection.info.backend_pid
    with psycopg.connect(emptied_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    next_one.lock_alone(5)


def test_ledgers_of_different_databases_are_held_apart(
    opens: Open, postgres_server: Server, ledger: PostgresLedger
) -> None:
    ledger.lock_alone(0)
    with postgres_server.database("ledger_template") as url:
        other = PostgresLedger.open(url)
        other.lock_alone(0)
        other.close()


def test_the_time_base_is_the_databases_clock(ledger: PostgresLedger) -> None:
    base = ledger.time_base()
    assert base.boot_id is None
    assert base.wall(uptime()) == pytest.approx(time.time(), abs=0.5)


def test_a_session_that_freezes_while_writing_loses_its_chunk(opens: Open) -> None:
    frozen, taker = opens(), opens()
    run_no = chunked(frozen)
    lease = taken(frozen, run_no)
    frozen._session.connection.execute("SET idle_in_transaction_session_timeout = '100ms'")

    def writes() -> None:
        with frozen._fenced(lease):
            frozen._session.run("end_run", run_no, "written")
            assert taken(taker, run_no, owner="two").epoch == 2
            frozen._session.run("end_run", run_no, "written")

    with pytest.raises(LedgerError, match="was lost"):
        writes()
    assert taker.runs()[0].summary is None


def test_a_session_that_stands_still_in_a_transaction_delays_a_takeover_only_for_a_while(opens: Open) -> None:
    """In the middle of a batch as well: there the server does not count a session as idle."""
    frozen, taker = opens(), opens()
    run_no = chunked(frozen)
    lease = taken(frozen, run_no)
    frozen.work_under(lease)
    frozen.limit_transactions(0.3)
    batch = frozen._session.batch()
    batch.__enter__()
    frozen._fence(lease)
    began = time.monotonic()
    assert taken(taker, run_no, owner="two").epoch == 2
    assert 0.1 < time.monotonic() - began < 5
    with pytest.raises(LedgerError):
        frozen.heartbeat(lease)
    frozen.close()
