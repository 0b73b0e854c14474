"""docs/cluster.md: a worker's rights suffice and are no wider than said; its questions are answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import Event
from bulk_cancel.ledger.postgres import PostgresLedger
from support.given import entry, row, staged, target
from support.postgres import Server

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
(RIGHTS,) = (statement for statement in STATEMENTS if "CREATE ROLE" in statement)
OTHERS = [statement for statement in STATEMENTS if statement is not RIGHTS]


@pytest.fixture
def worker_url(postgres_server: Server, postgres_url: str) -> Iterator[str]:
    """The database as the role of a worker sees it."""
    queue = pytest.importorskip("bulk_cancel.cluster.queue", reason="there is no dbos", exc_type=ImportError)
    queue.migrate(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(RIGHTS.encode())
    try:
        yield postgres_url.replace("postgres@", "bulk_cancel_worker@")
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("DROP OWNED BY bulk_cancel_worker")
        postgres_server.run("DROP ROLE bulk_cancel_worker")


def test_a_worker_s_role_suffices_for_a_run_and_a_chunk(worker_url: str) -> None:
    ledger = PostgresLedger.open(worker_url)
    ledger.lock_with_others(0.0)
    run_no = staged(ledger, row(2, 2), row(3, 3, account="berlin"))
    ledger.bind("api_url", "https://api.example.org")
    ledger.plan_chunks(run_no, 10)
    hold = ledger.take_chunk(run_no, 1, "worker", 90.0)
    assert hold is not None
    ledger.work_under(hold)
    pace = Pace(10.0, 5)
    ledger.give_back("key", ledger.reserve("key", 1, pace, hold), 1, pace)
    ledger.pause("key", 1.0, pace)
    ledger.append(run_no, [entry(target(ledger, 2), Event.INTENT)])
    assert ledger.recover(run_no, 1.0) == 1
    ledger.heartbeat(hold)
    ledger.end_chunk(hold, "")
    ledger.end_run(run_no, 2.0, "{}")
    assert ledger.verify() == []
    ledger.close()


@pytest.mark.parametrize(
    "statement",
    [
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
    ],
)
def test_it_may_not_more_than_that(worker_url: str, statement: str) -> None:
    with psycopg.connect(worker_url) as worker, pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute(statement.encode())


def test_the_questions_and_settings_are_understood(worker_url: str, postgres_url: str) -> None:
    assert len(OTHERS) >= 5
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        for statement in OTHERS:
            owner.execute(statement.encode())
