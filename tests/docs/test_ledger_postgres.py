"""What docs/ledger.md says of PostgreSQL is done here: the two roles with their rights, and a backup."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import Event, State
from bulk_cancel.errors import LedgerError
from bulk_cancel.ledger.port import PaceUpdate
from bulk_cancel.ledger.postgres import PostgresLedger
from support.given import AT, entry, invalid, put, row, staged, target
from support.postgres import Server

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text("utf-8")
ONCE, AFTERWARDS = re.findall(r"```postgresql\n(.*?)```", DOCS, re.DOTALL)
PACE = Pace(10.0, 5)


@pytest.fixture
def roles(postgres_server: Server) -> Iterator[tuple[str, str]]:
    """The URLs of owner and runs in a database where the statements of the page were executed."""
    with postgres_server.database() as url:
        name = re.search(r"/(\w+)\?", url)
        assert name is not None
        owner, run = (url.replace("postgres@", f"bulk_cancel_{role}@") for role in ("owner", "run"))
        try:
            execute(url, ONCE.replace("DATABASE ledger", f"DATABASE {name[1]}"))
            PostgresLedger.open(owner).close()
            execute(owner, AFTERWARDS)
            yield owner, run
        finally:
            for role in ("bulk_cancel_owner", "bulk_cancel_run"):
                execute(url, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def execute(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.encode())


def work_with(ledger: PostgresLedger) -> None:
    """Everything that a run and its workers ask of a ledger."""
    rows = [*(row(n, n) for n in range(2, 8)), invalid(8)]
    run_no = staged(ledger, *rows)
    put(ledger, run_no, State.SKIPPED, 2)
    put(ledger, run_no, State.SENDING, 3)
    again = staged(ledger, *rows, run_id="run-2")
    ledger.lock_with_others(0)
    ledger.bind("api_url", "https://one.example")
    assert ledger.recover(again, AT) == 1
    ledger.plan_chunks(again, 2)
    hold = ledger.take_chunk(again, 1, "one", 90.0)
    assert hold is not None
    ledger.work_under(hold)
    ledger.append(
        again, [entry(target(ledger, 4), Event.INTENT)], PaceUpdate("key", PaceRecord(AT, 1.0, "boot"))
    )  # fmt: skip
    ledger.give_back("key", ledger.reserve("key", 5, PACE, hold), 2, PACE)
    ledger.pause("key", 1.0, PACE)
    ledger.end_chunk(hold, "done")
    ledger.work_under(None)
    staged(ledger, row(2, 4, reason="another"), row(3, 50), run_id="run-3")
    ledger.end_run(again, AT, "{}")
    assert ledger.verify() == []
    assert len(list(ledger.all_events())) == 5


def test_a_run_has_the_rights_that_it_needs(roles: tuple[str, str]) -> None:
    ledger = PostgresLedger.open(roles[1])
    work_with(ledger)
    ledger.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM bulk_cancel.targets",
        "TRUNCATE bulk_cancel.seals",
        "UPDATE bulk_cancel.events SET detail = ''",
        "UPDATE bulk_cancel.seals SET digest = ''",
        "UPDATE bulk_cancel.meta SET value = ''",
        "DROP TRIGGER events_stay ON bulk_cancel.events",
        "ALTER TABLE bulk_cancel.events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "CREATE TABLE bulk_cancel.more (id int)",
        "CREATE SCHEMA more",
    ],
)
def test_a_run_has_no_right_beyond_them(roles: tuple[str, str], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(roles[1], statement)


def test_a_role_without_rights_is_told_which_grant_is_missing(roles: tuple[str, str]) -> None:
    execute(roles[0], "REVOKE INSERT ON bulk_cancel.events FROM bulk_cancel_run")
    ledger = PostgresLedger.open(roles[1])
    with pytest.raises(LedgerError, match=r"does not allow this user .*permission denied for table events") as caught:
        work_with(ledger)
    assert "GRANT" in caught.value.advice
    ledger.close()


def test_a_dump_is_a_whole_ledger(postgres_server: Server, postgres_url: str) -> None:
    ledger = PostgresLedger.open(postgres_url)
    work_with(ledger)
    before = list(ledger.all_events()), ledger.rows(1, 0, 99), ledger.chunks(2), ledger.load_pace("key")
    dump = subprocess.check_output([postgres_server.programs / "pg_dump", "--schema=bulk_cancel", postgres_url])
    ledger.close()
    with postgres_server.database() as url:
        restores = [postgres_server.programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", url]
        subprocess.run(restores, input=dump, check=True, stdout=subprocess.DEVNULL)
        restored = PostgresLedger.open(url)
        after = list(restored.all_events()), restored.rows(1, 0, 99), restored.chunks(2), restored.load_pace("key")
        assert [after[0], after[1], after[3]] == [before[0], before[1], before[3]]
        assert [chunk.note for chunk in after[2]] == [chunk.note for chunk in before[2]]
        assert restored.verify() == []
        staged(restored, row(2, 99), run_id="run-4")
        restored.close()
