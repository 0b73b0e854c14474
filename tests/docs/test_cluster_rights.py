"""docs/cluster.md: a worker's rights suffice and are no wider than said; its questions are answered."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import Event
from bulk_cancel.ledger.port import PaceUpdate
from bulk_cancel.ledger.postgres import PostgresLedger
from support.given import AT, entry, row, staged, target
from support.postgres import Server
from support.roles import OTHERS, Urls, given_rights


@pytest.fixture(scope="module")
def urls(postgres_server: Server) -> Iterator[Urls]:
    """The roles over one ledger: what they may not do changes nothing in it."""
    queue = pytest.importorskip("bulk_cancel.cluster.queue", reason="there is no dbos", exc_type=ImportError)
    with postgres_server.database("ledger_template") as url:
        queue.migrate(url)
        with given_rights(url) as urls:
            yield urls


def test_the_roles_suffice_for_a_run_and_for_its_workers(urls: Urls) -> None:
    run, worker = PostgresLedger.open(urls.run), PostgresLedger.open(urls.worker)
    run.lock_with_others(0.0)
    staged(run, row(2, 2, reason="why"), row(3, 3))
    run_no = staged(run, row(2, 2), row(3, 3, account="berlin"), run_id="run-2")
    run.bind("api_url", "https://api.example.org")
    run.plan_chunks(run_no, 10)
    worker.lock_with_others(0.0)
    hold = worker.take_chunk(run_no, 1, "worker", 90.0)
    assert hold is not None
    worker.work_under(hold)
    worker.bind("company", "ours")
    pace = Pace(10.0, 5)
    worker.give_back("key", worker.reserve("key", 1, pace, hold), 1, pace)
    worker.pause("key", 1.0, pace)
    worker.append(run_no, [entry(target(worker, 2), Event.INTENT)], PaceUpdate("key", PaceRecord(AT, 1.0, "boot")))
    assert worker.recover(run_no, 1.0) == 1
    worker.heartbeat(hold)
    worker.end_chunk(hold, "")
    worker.end_run(run_no, 2.0, "{}")
    run.stop_run(run_no, "A person said so.")
    assert run.verify() == worker.verify() == []
    run.close()
    worker.close()


NOBODY = [
    "DELETE FROM bulk_cancel.targets",
    "DELETE FROM bulk_cancel.events",
    "UPDATE bulk_cancel.events SET detail = ''",
    "UPDATE bulk_cancel.seals SET digest = ''",
    "UPDATE bulk_cancel.targets SET appointment_id = ''",
    "UPDATE bulk_cancel.targets SET entire_series = true",
    "UPDATE bulk_cancel.input_rows SET target_id = 1",
    "UPDATE bulk_cancel.chunks SET last_row = 9",
    "UPDATE bulk_cancel.runs SET input_digest = ''",
    "UPDATE bulk_cancel.meta SET value = ''",
    "TRUNCATE bulk_cancel.targets",
    "DROP TABLE bulk_cancel.targets",
    "ALTER TABLE bulk_cancel.targets DISABLE TRIGGER ALL",
    "CREATE TABLE bulk_cancel.mine ()",
    "CREATE SCHEMA mine",
]
ONLY_RUNS = [
    "INSERT INTO bulk_cancel.targets (appointment_id) VALUES ('a')",
    "INSERT INTO bulk_cancel.input_rows (run_no, row) VALUES (1, 2)",
    "INSERT INTO bulk_cancel.runs (run_no, run_id, status, started_at, settle_s) VALUES (9, 'r', 'running', 0, 0)",
    "INSERT INTO bulk_cancel.chunks VALUES (1, 9, '', false, 1, 9, 9)",
    "SELECT nextval('bulk_cancel.target_numbers')",
    "UPDATE bulk_cancel.runs SET stopped = 'no'",
    *(
        f"UPDATE bulk_cancel.targets SET {column} = NULL"
        for column in ("reason", "cancel_all", "user_id", "account", "asked_by", "asked_row", "has_sibling")
    ),
]


@pytest.mark.parametrize("statement", NOBODY)
def test_a_run_may_not_more_than_that(urls: Urls, statement: str) -> None:
    _refused(urls.run, statement)


@pytest.mark.parametrize("statement", [*NOBODY, *ONLY_RUNS])
def test_a_worker_may_not_more_than_that(urls: Urls, statement: str) -> None:
    _refused(urls.worker, statement)


def _refused(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_the_questions_and_settings_are_understood(urls: Urls) -> None:
    assert len(OTHERS) >= 5
    with psycopg.connect(urls.owner, autocommit=True) as owner:
        for statement in OTHERS:
            owner.execute(statement.encode())
