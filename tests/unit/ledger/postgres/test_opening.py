"""Opening a ledger in PostgreSQL: made, refused when not understood; no password is shown."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from bulk_cancel.core.model import Appointment
from bulk_cancel.core.states import Event
from bulk_cancel.errors import BulkCancelError, ConfigError, Exit, LedgerError, LockedError
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.postgres.address import parse
from bulk_cancel.ledger.schema_version import SCHEMA_VERSION
from bulk_cancel.ledger.statements import statements
from support.given import entry, row, staged, target
from support.postgres import Server

SECRET = "hunter2"


@pytest.fixture
def empty_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a database without a ledger."""
    with postgres_server.database() as url:
        yield url


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_ledger_is_made_once_however_many_open_it_at_the_same_time(empty_url: str) -> None:
    failures: list[Exception] = []

    def opens() -> None:
        try:
            PostgresLedger.open(empty_url).close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=opens) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert execute(empty_url, "SELECT value FROM bulk_cancel.meta WHERE key = 'schema'") == [(str(SCHEMA_VERSION),)]


def test_a_prepared_schema_needs_no_right_to_create_one(postgres_server: Server, empty_url: str) -> None:
    postgres_server.run("DROP ROLE IF EXISTS keeper", "CREATE ROLE keeper LOGIN")
    execute(empty_url, "CREATE SCHEMA bulk_cancel AUTHORIZATION keeper")
    ledger = PostgresLedger.open(empty_url.replace("postgres@", "keeper@"))
    assert ledger.health(pages=True).schema == SCHEMA_VERSION
    ledger.close()


def test_opening_to_read_makes_and_changes_nothing(empty_url: str) -> None:
    with pytest.raises(LedgerError, match="There is no ledger"):
        PostgresLedger.open_to_read(empty_url)
    assert execute(empty_url, "SELECT to_regnamespace('bulk_cancel')") == [(None,)]
    ledger = PostgresLedger.open(empty_url)
    staged(ledger, row(2, 1))
    looks = PostgresLedger.open_to_read(empty_url)
    assert looks.target_count(1) == 1
    assert list(looks.all_events()) == []
    assert looks.verify() == []
    with pytest.raises(LedgerError, match="may only be read"):
        looks.bind("api_url", "https://one.example")
    looks.close()
    ledger.close()


def test_the_schema_of_somebody_else_is_left_alone(empty_url: str) -> None:
    execute(empty_url, "CREATE SCHEMA bulk_cancel", "CREATE TABLE bulk_cancel.theirs (id int)")
    with pytest.raises(LedgerError, match="is not a ledger of bulk-cancel"):
        PostgresLedger.open(empty_url)


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_a_ledger_with_another_schema_is_refused_and_left_as_it_is(emptied_url: str, version: int) -> None:
    execute(emptied_url, f"UPDATE bulk_cancel.meta SET value = '{version}' WHERE key = 'schema'")
    for opens in (PostgresLedger.open, PostgresLedger.open_to_read):
        with pytest.raises(LedgerError, match=f"has schema {version}; this bulk-cancel knows") as refused:
            opens(emptied_url)
        assert "Keep it" in refused.value.advice
        assert execute(emptied_url, "SELECT value FROM bulk_cancel.meta WHERE key = 'schema'") == [(str(version),)]


def test_a_ledger_is_made_whole_or_not_at_all(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = statements("postgres")
    with monkeypatch.context() as patched:
        patched.setitem(good, "create_tables", good["create_tables"] + "; nonsense")
        with pytest.raises(LedgerError, match="syntax error"):
            PostgresLedger.open(empty_url)
    assert execute(empty_url, "SELECT to_regnamespace('bulk_cancel')") == [(None,)]
    PostgresLedger.open(empty_url).close()
    assert execute(empty_url, "SELECT value FROM bulk_cancel.meta WHERE key = 'schema'") == [(str(SCHEMA_VERSION),)]


@pytest.mark.parametrize(
    ("by_default", "kept"), [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
def test_a_commit_is_durable_whatever_the_role_is_set_to(emptied_url: str, by_default: str, kept: str) -> None:
    separator = "&" if "?" in emptied_url else "?"
    url = f"{emptied_url}{separator}options=-csynchronous_commit%3D{by_default}"
    ledger = PostgresLedger.open(url)
    assert ledger._session.connection.execute("SHOW synchronous_commit").fetchone() == (kept,)
    ledger.close()


def test_a_lost_connection_is_not_made_again(emptied_url: str) -> None:
    ledger = PostgresLedger.open(emptied_url)
    run_no = staged(ledger, row(2, 1))
    intent = entry(target(ledger, 1), Event.INTENT)
    pid = ledger._session.connection.info.backend_pid
    execute(emptied_url, f"SELECT pg_terminate_backend({pid}, 5000)")
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"The connection to the ledger postgresql://\S+ was lost") as lost:
            ledger.append(run_no, [intent])
        assert lost.value.exit_code is Exit.STOPPED
        with pytest.raises(LedgerError, match="was lost"):
            ledger.find_targets("any")
    ledger.close()
    ledger.close()
    again = PostgresLedger.open(emptied_url)
    assert list(again.all_events()) == []
    again.close()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://keeper:{SECRET}@127.0.0.1:1/ledger",
        f"postgresql://keeper:{SECRET}@127.0.0.1:1/ledger?sslmode=disable&sslpassword={SECRET}",
        f"postgresql://keeper@127.0.0.1:1/ledger?password={SECRET}",
        f"postgresql://keeper:a%40{SECRET}@no-such-host.invalid/ledger",
        f"postgresql://keeper:a@{SECRET}@127.0.0.1:1/ledger",
        f"postgresql://keeper:a@/{SECRET}@127.0.0.1:1/ledger",
        f"postgresql://keeper:{SECRET}/b@127.0.0.1:1/ledger",
        f"postgresql://keeper:a?{SECRET}@127.0.0.1:1/ledger",
        f"postgresql://keeper:%zz{SECRET}@127.0.0.1:1/ledger",
        f"host=127.0.0.1 port=1 password={SECRET}",
    ],
)
def test_the_password_is_never_shown(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BulkCancelError) as caught:
        PostgresLedger.open(url)
    error = caught.value
    shown = [str(error), repr(error), error.advice, caplog.text, "".join(traceback.format_exception(error))]
    assert not [text for text in shown if SECRET in text]
    assert isinstance(error, (LedgerError, ConfigError))


def test_a_place_names_everything_but_secrets() -> None:
    address = parse(f"postgresql://keeper:{SECRET}@db.example:5433/ledger?sslmode=verify-full&sslpassword={SECRET}")
    assert address.place == "postgresql://keeper@db.example:5433/ledger"
    assert SECRET not in repr(address)
    given = {"password": SECRET, "sslmode": "verify-full", "sslpassword": SECRET}
    assert given.items() <= address.parameters.items()
    assert parse("postgres:///ledger?host=/run/pg").place == "postgresql:///ledger?host=/run/pg"


def test_no_text_of_an_answer_prevents_its_outcome_from_being_recorded(emptied_url: str) -> None:
    ledger = PostgresLedger.open(emptied_url)
    run_no = staged(ledger, row(2, 1))
    ledger.append(run_no, [entry(target(ledger, 1), Event.INTENT)])
    seen = Appointment("a", False, start="2027\0", warnings=("REFUND\0",))
    odd = replace(entry(target(ledger, 1), Event.NO_PROOF), detail="a\0b\ud800c\u00e9", appointment=seen)
    ledger.append(run_no, [odd])
    assert ledger.history(1)[-1].detail == "a\N{REPLACEMENT CHARACTER}b?c\u00e9"
    assert ledger.verify() == []
    ledger.close()


def test_a_writer_that_waits_too_long_for_a_lock_is_refused_and_may_try_again(emptied_url: str) -> None:
    ledger, other = PostgresLedger.open(emptied_url), PostgresLedger.open(emptied_url)
    run_no = staged(ledger, row(2, 1))
    intent = entry(target(ledger, 1), Event.INTENT)
    ledger._session.connection.execute("SET lock_timeout = '20ms'")
    for lock in (("lock_chain", run_no, 0), ("where_they_are", [1])):
        with other._session.transaction():
            other._session.run(*lock)
            with pytest.raises(LockedError, match=r"Another program keeps the ledger .* locked"):
                ledger.append(run_no, [intent])
    ledger.append(run_no, [intent])
    assert ledger.verify() == []
    for each in (ledger, other):
        each.close()


def test_a_connection_that_is_lost_while_writing_leaves_nothing(emptied_url: str) -> None:
    ledger, other = PostgresLedger.open(emptied_url), PostgresLedger.open(emptied_url)
    run_no = staged(ledger, row(2, 1))
    intent = entry(target(ledger, 1), Event.INTENT)
    pid = ledger._session.connection.info.backend_pid
    with ThreadPoolExecutor(1) as pool, other._session.transaction():
        other._session.run("where_they_are", [1])
        writes = pool.submit(ledger.append, run_no, [intent])
        while not execute(emptied_url, f"SELECT 1 FROM pg_locks WHERE pid = {pid} AND NOT granted"):
            pass
        execute(emptied_url, f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(LedgerError, match="was lost"):
            writes.result()
    assert list(other.all_events()) == []
    assert target(other, 1).attempts == 0
    for each in (ledger, other):
        each.close()


@pytest.fixture
def guarded_url(postgres_server: Server, emptied_url: str) -> Iterator[str]:
    """The URL of a database, of a role that has to know its password."""
    hba = postgres_server.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"local all guarded scram-sha-256\n{before}")
    postgres_server.run("CREATE ROLE guarded LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    yield emptied_url.replace("postgres@", "guarded:{}@", 1)
    hba.write_text(before)
    postgres_server.run("DROP ROLE guarded", "SELECT pg_reload_conf()")


def test_a_wrong_password_and_a_wrong_name_are_settings_and_a_server_that_is_away_is_not(
    guarded_url: str, emptied_url: str
) -> None:
    wrong = [
        guarded_url.format("wrong"),
        guarded_url.replace(":{}", ""),
        emptied_url.replace("postgres@", "stranger@", 1),
        emptied_url.replace("/test_", "/no_such_"),
    ]
    for url in wrong:
        with pytest.raises(ConfigError) as refused:
            PostgresLedger.open(url)
        assert "wrong" not in str(refused.value)
    with pytest.raises(LedgerError) as away:
        PostgresLedger.open("postgresql://keeper@127.0.0.1:1/ledger")
    assert away.value.exit_code is Exit.UNREACHABLE


# -- a schema that is not ours -----------------------------------------------------------------------------------------

ALTERATIONS = {
    "a trigger dropped": ("DROP TRIGGER events_stay ON events", "the trigger events_stay of events is missing"),
    "a trigger switched off": (
        "ALTER TABLE targets DISABLE TRIGGER targets_obey",
        "the trigger that is switched off targets_obey of targets is not one of its own",
    ),
    "a trigger planted": (
        "CREATE TRIGGER evil BEFORE INSERT ON seals FOR EACH ROW EXECUTE FUNCTION refuse('x')",
        "the trigger evil of seals is not one of its own",
    ),
    "a trigger exchanged": (
        "DROP TRIGGER events_stay ON events; "
        "CREATE TRIGGER events_stay BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse('x')",
        "the trigger events_stay of events is different",
    ),
    "a function exchanged": (
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW;END$$",
        "the function refuse() is different",
    ),
    "a function planted": (
        "CREATE FUNCTION refuse(text) RETURNS text LANGUAGE sql RETURN $1",
        "the function refuse(text) is not one of its own",
    ),
    "a rule planted": (
        "CREATE RULE more AS ON UPDATE TO pace DO INSTEAD NOTHING",
        "the rule more is not one of its own",
    ),
    "a column added": ("ALTER TABLE targets ADD COLUMN more text", "the table targets is different"),
    "rows hidden": ("ALTER TABLE targets ENABLE ROW LEVEL SECURITY", "the table targets is missing"),
    "a view planted": ("CREATE VIEW more AS SELECT 1", "the relation more is not one of its own"),
    "another owner": ("CREATE ROLE stranger; ALTER TABLE seals OWNER TO stranger", "it has 2 owners"),
}


@pytest.mark.parametrize(("statements", "told"), ALTERATIONS.values(), ids=ALTERATIONS)
def test_a_ledger_that_was_altered_is_refused(
    statements: str, told: str, postgres_server: Server, empty_url: str
) -> None:
    postgres_server.run("DROP ROLE IF EXISTS stranger")
    PostgresLedger.open(empty_url).close()
    with psycopg.connect(empty_url, autocommit=True, options="-c search_path=bulk_cancel") as connection:
        for statement in re.split("; ", statements):
            connection.execute(statement.encode())
        for opens in (PostgresLedger.open, PostgresLedger.open_to_read):
            with pytest.raises(LedgerError, match=re.escape(told)) as refused:
                opens(empty_url)
            assert refused.value.exit_code is Exit.CONFIG
        connection.execute("DROP SCHEMA bulk_cancel CASCADE")


def test_an_index_of_the_administrator_alters_nothing(empty_url: str) -> None:
    PostgresLedger.open(empty_url).close()
    execute(empty_url, "CREATE INDEX mine ON bulk_cancel.events (at)")
    PostgresLedger.open(empty_url).close()
