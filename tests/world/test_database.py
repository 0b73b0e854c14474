"""The world's database keeps the contract of a shared ledger: it passes the tests that PostgreSQL passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulk_cancel.errors import LedgerLostError, LedgerUnreachableError, LockedError
from unit.ledger.postgres import test_sharing as sharing
from unit.ledger.postgres.test_sharing import (  # noqa: F401 - they are collected here, with the fixtures below
    test_a_chunk_is_found_by_its_number_and_what_is_open_is_told_apart,
    test_a_chunk_that_has_ended_is_not_taken_again,
    test_a_ledger_in_postgresql_is_a_shared_ledger,
    test_a_pause_stands_when_something_is_given_back_after_it,
    test_a_stopped_run_is_given_up_after_the_silence_of_its_own_workers,
    test_a_worker_that_has_its_chunk_may_make_every_fenced_call,
    test_a_worker_that_lost_its_chunk_writes_nothing,
    test_after_a_pause_there_is_no_burst_and_a_longer_one_stands,
    test_chunks_are_the_work_of_each_account_in_row_order_and_series_apart,
    test_every_fenced_call_shows_that_the_run_is_to_stop,
    test_nothing_is_given_back_after_somebody_else_has_reserved,
    test_refusals_are_counted_over_all_workers_of_a_run,
    test_requests_are_counted_with_their_chunk_whoever_sent_them,
    test_slots_given_back_can_be_reserved_again,
    test_what_is_left_of_a_pause_is_told_without_a_reservation,
)
from world.database import Database, Session
from world.queue import WorldClock

Open = Callable[..., Session]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "ledger.db", WorldClock(1000.0))
    yield made
    made.close()


@pytest.fixture
def opens(database: Database) -> Open:
    return lambda name="": database.connect(lambda: database.clock.now)


@pytest.fixture
def ledger(opens: Open) -> Session:
    return opens()


@pytest.fixture(autouse=True)
def _time_passes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent_for(_: Session, seconds: float) -> None:
        for chunk in database.chunks.values():
            if chunk.heartbeat_at is not None:
                chunk.heartbeat_at = database.now - seconds

    monkeypatch.setattr(sharing, "silent_for", silent_for)


def test_who_wants_it_alone_waits_for_the_workers_and_the_dead_hold_nothing(opens: Open, database: Database) -> None:
    one, two, alone = opens(), opens(), opens()
    one.lock_with_others(0)
    two.lock_with_others(0)
    with pytest.raises(LockedError):
        alone.lock_alone(0)
    one.close()
    database.of_the_dead(None)
    alone = opens()
    alone.lock_alone(0)
    with pytest.raises(LockedError):
        opens().lock_with_others(0)


@pytest.mark.parametrize(("breaks", "written"), [(0, 0), (1, 1)])
def test_a_lost_connection_may_have_carried_the_call_out(
    opens: Open, database: Database, breaks: int, written: int
) -> None:
    run_no, other = sharing.chunked(opens()), opens()
    lease = sharing.taken(other, run_no)
    database.breaks = lambda _: breaks
    with pytest.raises(LedgerLostError):
        other.end_chunk(lease, "done")
    database.breaks = lambda _: None
    with pytest.raises(LedgerLostError):
        other.heartbeat(lease)
    assert [chunk.ended for chunk in opens().chunks(run_no)].count(True) == written
    database.go()
    with pytest.raises(LedgerUnreachableError):
        opens()
