"""A cluster for one test: a fresh database, a sandbox with a limit for each token, workers and runs as processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bulk_cancel.core.model import Target
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import ChunkRecord
from bulk_cancel.sandbox.credentials import fingerprint
from bulk_cancel.sandbox.record import Arrival
from bulk_cancel.sandbox.server import Sandbox
from bulk_cancel.sandbox.world import CANARY
from support.processes import KEPT, Process, Zygote
from support.worlds import own_effects

NAMES = ("berlin", "paris", "rome", "wien")
SECRET = "rgo-secret"
#: A worker that is silent for so long has lost its chunk. Longer than one exchange may take.
SILENCE_S, TIMEOUT_S = 2.5, 2.0
LONGEST_S = 60.0
_APPLIED_NOT = (State.PENDING, State.WAITING, State.REJECTED, State.NOT_FOUND, State.FAILED, State.SKIPPED)


@dataclass
class Cluster:
    """Workers and runs over one database; everything is written below `folder`."""

    folder: Path
    url: str
    sandbox: Sandbox
    zygote: Zygote
    another_database: Callable[[], AbstractContextManager[str]]
    silence_s: float = SILENCE_S
    processes: dict[str, Process] = field(default_factory=dict)
    limits: str = ""  #: lines of every account in the accounts file

    def write_accounts(self, *names: str, **own: str) -> None:
        """Write the accounts file: each account with a token of its own, `limits` and its own lines."""
        lines = [f'[accounts.{n}]\ntoken_env = "TOKEN_{n.upper()}"\n{own.get(n, self.limits)}\n' for n in names]
        (self.folder / "accounts.toml").write_text("\n".join(lines))

    def write_rows(self, rows: Iterable[tuple[str, str]], name: str = "input.csv") -> Path:
        """Write an input of appointments and their accounts."""
        path = self.folder / name
        path.write_text("\n".join(["id,account", *(f"{id_},{account}" for id_, account in rows), ""]))
        return path

    def start(self, name: str, *words: str | Path, points: Mapping[str, str] | None = None, **env: str) -> Process:
        """Start a command."""
        number = len(self.processes) + 1
        out = self.folder / f"{number}-{name}"
        request: dict[str, Any] = {
            "driver": "support.cluster_driver",
            "argv": [*map(str, words)],
            "environ": self._environ() | env,
            "folder": str(self.folder),
            "stdout": f"{out}.out",
            "stderr": f"{out}.err",
            "points": dict(points or {}),
        }
        for text in (request["stdout"], request["stderr"]):
            Path(text).touch()
        process = self.processes[f"{number} {name}"] = self.zygote.start(request, out)
        return process

    def _environ(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        tokens = {f"TOKEN_{name.upper()}": token_of(name) for name in NAMES}
        told = {"HOME": str(self.folder), "MEETERGO_API_URL": self.sandbox.url}
        return {**kept, **tokens, **told}

    def worker(self, name: str, *words: str, points: Mapping[str, str] | None = None, **env: str) -> Process:
        """Start a worker with an executor id. It takes its time to get ready."""
        given = ["--ledger", self.url, "--accounts", "accounts.toml", "--executor-id", name, "--log-format", "json"]
        patience = ["--silence", f"{self.silence_s:g}s", "--timeout", f"{TIMEOUT_S:g}s"]
        return self.start(name, "worker", *given, *patience, *words, points=points, **env)

    def workers(self, *names: str, at_once: int = 16) -> list[Process]:
        """Start workers; return when all are ready."""
        started = [self.worker(name, "--at-once", str(at_once)) for name in names]
        self.wait_for(lambda: all("worker.ready" in one.stderr.read_text() for one in started), "all are ready")
        return started

    def start_run(self, source: Path, *words: str, points: Mapping[str, str] | None = None) -> Process:
        """Start a run that hands its rows to the workers, and watches them."""
        given = ["--engine", "dbos", "--ledger", self.url, "--accounts", "accounts.toml"]
        patience = [
            "--settle",
            "1s",
            "--timeout",
            f"{TIMEOUT_S:g}s",
            "--yes",
            "--json",
            "--out",
            f"out-{len(self.processes)}",
        ]
        return self.start("run", "run", source, *given, *patience, *words, points=points)

    def run(self, source: Path, *words: str) -> dict[str, Any]:
        """Run to the end; return the summary."""
        return ended(self.start_run(source, *words))

    @contextmanager
    def ledger(self) -> Iterator[PostgresLedger]:
        """The ledger, to be read."""
        with closing(PostgresLedger.open_to_read(self.url)) as ledger:
            yield ledger

    def chunks(self, run_no: int = 1) -> list[ChunkRecord]:
        """The chunks of a run, empty before it has any."""
        with self.ledger() as ledger:
            return [*ledger.chunks(run_no)]

    def held_by(self, name: str, run_no: int = 1) -> list[ChunkRecord]:
        """The chunks that a worker works on at this moment."""
        return [chunk for chunk in self.chunks(run_no) if chunk.owner.startswith(f"{name}/") and not chunk.ended]

    def wait_for(self, condition: Callable[[], Any], what: str, seconds: float = LONGEST_S) -> None:
        """Wait until something is true."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"waited {seconds} s in vain: {what}"
            time.sleep(0.02)

    def cancels(self, *tokens: str) -> list[Arrival]:
        """The cancels that have arrived, with these tokens or with any."""
        prints = {fingerprint(token) for token in tokens}
        return [a for a in self.sandbox.arrivals() if a.method == "POST" and (a.credential in prints or not prints)]

    def states(self) -> dict[str, State]:
        """Each target's state in the ledger, named as the server counts: attendees after their appointments."""
        with self.ledger() as ledger:
            rows = [row for run in ledger.runs(limit=100) for row in ledger.rows(run.run_no, 0, 100_000)]
        return {_named(row.target): row.state for row in rows if row.target and row.state}

    def dump(self) -> str:
        """All tables of all schemas, as text."""
        tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^(pg_|information)'"
        with psycopg.connect(self.url) as connection:
            names = [name for (name,) in connection.execute(tables)]
            return "\n".join(
                str(row) for name in names for (row,) in connection.execute(f"SELECT t::text FROM {name} t".encode())
            )

    def check(self) -> None:
        """No appointment twice, no 429, no cancel without an intent, the ledger whole and true, no secret anywhere."""
        truth, posts = self.sandbox.truth(), Counter(arrival.target for arrival in self.cancels())
        assert truth.doubled == ()
        assert truth.throttled == 0
        with self.ledger() as ledger:
            assert ledger.verify() == []
            intents = Counter(str(event[0]) for event in ledger.all_events() if event[4] == Event.INTENT)
        assert [target for target, count in posts.items() if count > intents[str(target)]] == []
        for id_, state in self.states().items():
            applied = truth.applied.get(id_, 0)
            assert not (state is State.CANCELLED and not applied), f"{id_} is marked cancelled"
            assert not (state in _APPLIED_NOT and own_effects(truth, id_)), f"{id_} is marked {state}"
        assert secrets_in(self.written()) == []

    def written(self) -> dict[str, str]:
        """Everything the processes wrote, by file."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes().decode("latin-1")
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def logs(self) -> str:
        """What all processes said."""
        said = {
            name: process.stderr.read_text() + process.stdout.read_text() for name, process in self.processes.items()
        }
        return "\n".join(f"--- {name}\n{text[-6000:]}" for name, text in said.items())

    def kill_all(self) -> None:
        """End everything that was started."""
        for process in self.processes.values():
            process.kill()


def _named(target: Target) -> str:
    return f"{target.appointment_id}/{target.attendee_id}" if target.attendee_id else target.appointment_id


def token_of(name: str) -> str:
    """An account's token."""
    return f"{SECRET}-of-{name}"


def secrets_in(texts: Mapping[str, str]) -> list[str]:
    """Where a token, or anything private of an appointment, occurs."""
    return [name for name, text in texts.items() if SECRET in text or CANARY in text.lower()]


def ended(process: Process, code: int | None = 0, seconds: float = LONGEST_S) -> dict[str, Any]:
    """Wait for a run's end; return its summary."""
    found = process.wait(seconds)
    told = process.stdout.read_text()
    assert code is None or found == code, f"exit code {found}\n{told}\n{process.stderr.read_text()}"
    document: dict[str, Any] = json.loads(told)
    return document


def share_out(ids: Iterable[str], names: Iterable[str]) -> list[tuple[str, str]]:
    """Deal appointments out to accounts."""
    names = [*names]
    return [(id_, names[number % len(names)]) for number, id_ in enumerate(ids)]


def terminate(process: Process, seconds: float = 20.0) -> int:
    """SIGTERM, and the exit code."""
    process.send(signal.SIGTERM)
    return process.wait(seconds)


def records(path: Path) -> list[dict[str, str]]:
    """Read a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]
