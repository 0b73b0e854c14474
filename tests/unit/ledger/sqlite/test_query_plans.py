"""No statement of the hot path reads a whole table, however large the ledger has grown."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from bulk_cancel.ledger.sqlite.open import open_for_writing
from bulk_cancel.ledger.statements import statements
from support.ledger_files import make

#: Run once per commit, chunk, look-up or start, over a ledger that may hold ten million targets.
HOT = [
    "apply_intent",
    "where_they_are",
    "apply_outcome",
    "insert_event",
    "unsealed",
    "last_seal",
    "newest_event",
    "insert_seal",
    "save_pace",
    "load_pace",
    "stage_targets",
    "stage_restaged",
    "stage_requests",
    "stage_rows",
    "recover_events",
    "recover_targets",
    "find_staged",
    "mark_siblings",
    "newest_target",
    "first_asked_by",
    "work",
    "unknown",
    "unknown_count",
    "state_of",
    "find_target",
    "rows",
    "history",
]
#: `staging` holds one chunk; the partial indexes hold the open targets and the series that were sent; the newest seal
#: is the first that a backward scan meets.
SMALL_SCANS = {
    "staging",
    "json_each VIRTUAL TABLE INDEX 1:",
    "s",
    "targets USING INDEX targets_open",
    "o USING INDEX targets_open",
    "targets USING INDEX targets_series_sent",
    "seals",
}


def plan(connection: apsw.Connection, statement: str) -> list[str]:
    explained = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (None,) * _parameters(statement))
    return [str(detail) for *_, detail in explained]


def _parameters(statement: str) -> int:
    numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    return max(numbered) if numbered else statement.count("?")


@pytest.fixture
def connection(path: Path) -> apsw.Connection:
    make(path)
    connection = open_for_writing(path)[0]
    connection.execute(statements("sqlite")["create_staging"])
    return connection


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_searches(connection: apsw.Connection, name: str) -> None:
    scanned = {
        step.removeprefix("SCAN ") for step in plan(connection, statements("sqlite")[name]) if step.startswith("SCAN")
    }
    assert scanned <= SMALL_SCANS
    connection.close()


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_builds_no_index_and_sorts_at_most_one_appointment(
    connection: apsw.Connection, name: str
) -> None:
    built = [
        step for step in plan(connection, statements("sqlite")[name]) if "AUTOMATIC" in step or "TEMP B-TREE" in step
    ]
    assert not built or name == "find_target"
    connection.close()


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_is_compiled_once(connection: apsw.Connection, name: str) -> None:
    statement, compiled = statements("sqlite")[name], list[object]()
    connection.authorizer = lambda *what: compiled.append(what) or apsw.SQLITE_OK  # asked when a statement is compiled
    for value in ("1", "2", "3"):
        with suppress(apsw.ConstraintError):
            connection.execute(statement, (value,) * _parameters(statement)).fetchall()
        if value == "1":
            compiled.clear()
    assert not compiled
    connection.close()
