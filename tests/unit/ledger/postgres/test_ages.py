"""How old an unanswered cancel is, when the machine that sent it, or the one that looks, was suspended in between."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.states import Event
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.unknowns import due_in_s
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.ledger.postgres import PostgresLedger
from support.given import entry, row, target

SUSPENDED_S = 20.0


@pytest.fixture
def ledger(emptied_url: str) -> Iterator[PostgresLedger]:
    opened = PostgresLedger.open(emptied_url)
    yield opened
    opened.close()


def suspended_clock(seconds: float = SUSPENDED_S) -> Clock:
    """A clock that was related to the database's before the machine was suspended: it did not run meanwhile."""
    return Clock(time.monotonic, TimeBase(None, time.time() - time.monotonic() - seconds))


def unanswered(ledger: PostgresLedger, clock: Clock) -> None:
    run_no = ledger.begin_run(RunStart("run-1", clock.now(), clock.base, settle_s=60.0))
    ledger.stage(run_no, [row(2, 1)], clock.now())
    for event in (Event.INTENT, Event.NO_PROOF):
        ledger.append(run_no, [entry(target(ledger, 1), event, clock.now())])


def test_an_intent_after_a_suspension_has_the_time_of_the_database(ledger: PostgresLedger) -> None:
    unanswered(ledger, suspended_clock())
    (item,) = ledger.unknown(0, 1)
    assert item.intent_at == pytest.approx(time.time(), abs=5)
    assert due_in_s(item, suspended_clock(0.0), 60.0) == pytest.approx(60.0, abs=5), "the next process waits in full"


@pytest.mark.parametrize("off_s", [-3600.0, 0.0, 3600.0])
def test_an_age_is_the_databases_whatever_the_clock_of_the_process_that_asks(
    ledger: PostgresLedger, off_s: float
) -> None:
    unanswered(ledger, suspended_clock())
    (item,) = ledger.unknown(0, 1)
    assert due_in_s(item, suspended_clock(off_s), 60.0) == pytest.approx(60.0, abs=5)


def test_a_recovery_after_a_suspension_has_the_time_of_the_database(ledger: PostgresLedger) -> None:
    clock = suspended_clock()
    run_no = ledger.begin_run(RunStart("run-1", clock.now(), clock.base, settle_s=60.0))
    ledger.stage(run_no, [row(2, 1)], clock.now())
    ledger.append(run_no, [entry(target(ledger, 1), Event.INTENT, clock.now())])
    ledger.recover(run_no, clock.now())
    ledger.end_run(run_no, clock.now(), "{}")
    (run,) = ledger.runs()
    times = [line.at for line in ledger.history(target(ledger, 1).target_id)] + [run.started_at, run.ended_at]
    assert times == [pytest.approx(time.time(), abs=5)] * 4
    assert ledger.verify() == []
