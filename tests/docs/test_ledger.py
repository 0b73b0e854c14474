"""docs/ledger.md says what a ledger is, or the build fails; its questions are asked of a real one."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from bulk_cancel import load_job, run
from bulk_cancel.core.states import TRANSITIONS, Event
from bulk_cancel.ledger.schema_version import SCHEMA_VERSION
from bulk_cancel.ledger.sqlite import create as making
from bulk_cancel.ledger.sqlite.connection import Connection
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.ledger.sqlite.staging import complete
from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.server import SandboxOptions, running
from bulk_cancel.sandbox.world import Wanted, World
from support.given import entries, row, staged, target
from support.patience import impatient as impatient

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text("utf-8")
QUESTIONS = re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL)
NOBODY = "00000000-0000-4000-8000-000000000000"


def section(title: str) -> str:
    """Return what stands between a heading and the next one."""
    return re.split(r"\n##", DOCS.split(f"# {title}\n")[1])[0]


def named(text: str, column: int = 0) -> list[str]:
    """Return the names in a column of the tables of a text."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("|--")]
    return [name for line in lines for name in re.findall(r"`(\w+)`", line.split(" | ")[column])]


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """A ledger as it is after its first input: what a question to its schema answers, as a list."""
    making.create(tmp_path / "ledger.db")
    connection = Connection(str(tmp_path / "ledger.db"))
    connection.execute("INSERT INTO targets (appointment_id) VALUES ('x')")
    with connection:
        complete(connection)
    yield lambda question: [str(name) for (name,) in connection.execute(question)]
    connection.close()


def test_every_table_and_column_is_described_and_no_other(schema: Callable[[str], list[str]]) -> None:
    tables = schema("SELECT name FROM sqlite_schema WHERE type = 'table'")
    assert sorted(re.findall(r"^### `(\w+)`$", DOCS, re.MULTILINE)) == sorted(tables)
    for table in tables:
        columns = schema(f"SELECT name FROM pragma_table_info('{table}')")
        assert sorted(named(section(f"`{table}`"))) == sorted(columns), table


def test_every_index_and_trigger_is_described_and_no_other(schema: Callable[[str], list[str]]) -> None:
    made = schema("SELECT name FROM sqlite_schema WHERE type <> 'table' AND name NOT LIKE 'sqlite_%'")
    assert sorted(named(section("Indexes and triggers"))) == sorted(made)


def test_the_version_is_that_of_the_page() -> None:
    assert f"describes schema {SCHEMA_VERSION}." in DOCS
    assert str(making.APPLICATION_ID) in DOCS


def test_every_event_and_move_is_described_and_no_other() -> None:
    moves: dict[tuple[str, str], str] = {}
    for event, cell in re.findall(r"^\| `(\w+)` \| ([^|]*→[^|]*) \|", section("Events"), re.MULTILINE):
        for move in cell.split("; "):
            before, after = move.split(" → ")
            moves |= {(state, event): after for state in before.split(", ")}
    assert moves == {(state.value, event.value): after.value for (state, event), after in TRANSITIONS.items()}
    assert set(named(section("Events"))) == {event.value for event in Event}


def ask(path: Path, appointment_id: str) -> dict[str, list[list[Any]]]:
    """Ask all questions in another process, with the SQLite that Python has: as any tool would."""
    program = (
        "import json, sqlite3, sys; questions, path, id = json.loads(sys.argv[1]), *sys.argv[2:]\n"
        "ledger = sqlite3.connect(f'file:{path}?mode=ro', uri=True)\n"
        "print(json.dumps({q: ledger.execute(q, {'appointment_id': id}).fetchall() for q in questions}))"
    )
    words = [sys.executable, "-c", program, json.dumps(QUESTIONS), str(path), appointment_id]
    answered: dict[str, list[list[Any]]] = json.loads(subprocess.check_output(words, text=True))
    return answered


@pytest.mark.process
@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 37), reason="strict tables are of SQLite 3.37")
def test_the_questions_count_no_cancel_as_sent_of_which_no_byte_left(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    run_no = staged(ledger, row(2, 1), row(3, 2))
    held_back = (Event.INTENT, Event.NOT_APPLIED)
    ledger.append(run_no, entries(target(ledger, 1), *held_back, Event.INTENT, Event.CANCELLED))
    ledger.append(run_no, entries(target(ledger, 2), *held_back))
    ledger.close()
    *_, runs, _refused, minutes = ask(tmp_path / "ledger.db", NOBODY).values()
    assert runs == [["run-1", "running", 1, None]]
    assert [count for _, count in minutes] == [1]


@pytest.mark.process
@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 37), reason="strict tables are of SQLite 3.37")
@pytest.mark.usefixtures("impatient")
def test_the_questions_are_answered_while_a_run_is_at_work_and_after_it(tmp_path: Path) -> None:
    world = World.of([Wanted() for _ in range(6)], seed=4)
    ids, path = list(world.appointments), tmp_path / "ledger.db"
    (tmp_path / "in.csv").write_text("id\n" + "\n".join([*ids, NOBODY, "nonsense"]) + "\n")
    meanwhile: list[dict[str, list[list[Any]]]] = []

    def listen(_: Any, __: str, event: MutableMapping[str, Any]) -> Any:
        if event["event"] == "attempt.answered" and not meanwhile:
            meanwhile.append(ask(path, ids[0]))
        raise structlog.DropEvent

    log = structlog.wrap_logger(None, processors=[listen], wrapper_class=structlog.make_filtering_bound_logger(0))
    with running(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, faults="cut-after=0.5")) as sandbox:
        flags = {
            "ledger": str(path),
            "out": str(tmp_path / "out"),
            "yes": True,
            "concurrency": 1,
            "timeout": "2s",
            "look": "never",
        }
        environ = {"MEETERGO_API_URL": sandbox.url, "MEETERGO_TOKEN": OWNER_TOKEN}
        run(load_job(str(tmp_path / "in.csv"), flags), environ=environ, log=log)
    states, unknown, history, rows, runs, refused, minutes = ask(path, ids[0]).values()
    assert sum(count for _, count in states) == 7
    assert len(rows) == 8
    assert ("unknown" in dict(states)) == bool(unknown)
    assert history[0][2] == "intent"
    assert runs[0][1:] == ["ended", 7, 4 if unknown else 3]
    assert refused[0][2] == 1
    assert sum(count for _, count in minutes) == 7
    assert 0 < sum(count for _, count in list(meanwhile[0].values())[6]) < 7
