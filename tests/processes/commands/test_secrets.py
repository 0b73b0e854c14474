"""Canaries: credentials, the API's secrets, names and addresses must be in nothing that a run writes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import CANARY, Kind, Wanted, World
from support.shell import Shell

TOKEN = "rgo-sandbox"
EVERYTHING = [kind for kind in Kind for _ in range(3)]


def written(shell: Shell) -> bytes:
    """Everything below the folder and the home, ledgers and logs included."""
    files = [path for path in shell.folder.parent.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.db" for path in files)
    return b"\n".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.parametrize("faults", ["", "cut-after=0.2,500-after=0.1,429=0.1,html=0.02,400=0.1,403=0.1"])
def test_no_secret_gets_out(
    log_format: str, faults: str, shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    world = World.of([Wanted(kind) for kind in EVERYTHING], seed=2)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, faults=faults))
    source = write("a.csv", "id,cancel_all\n" + "\n".join(f"{id_}," for id_ in world.appointments) + "\n")
    words = ("--ledger", "ledger.db", "--log-file", "full.log", "--log-format", log_format)
    result = shell.run(source, *words)
    assert result.code in (0, 3, 4, 5), result.stderr
    assert (shell.folder / "full.log").read_text().count("attempt.answered") > 5
    everything = (result.stdout + result.stderr).encode() + written(shell)
    assert TOKEN.encode() not in everything
    assert CANARY.encode() not in everything.lower()


#: What docs/threat-model.md says of each file: may it have ids, columns of the input, the people of appointments?
REVEALED = {
    "ledger.db": "id", "ledger.db-wal": "id", "backup.db": "id", "history.ndjson": "id", "closure.plan": "id",
    "planned/plan.csv": "id", "planned/plan.parquet": "id", "planned/plan.html": "id", "out/report.html": "id",
    "out/results.csv": "id column", "out/results.parquet": "id column", "out/results.xlsx": "id column",
    "out/failed.csv": "id column", "out/invalid.csv": "id column", "out/input-*.parquet": "id column",
    "out/rebooking.csv": "id people", "found.csv": "id people", "out/summary.json": "", "run.prom": "", "full.log": "",
}  # fmt: skip
COLUMN = "Room-of-Erika"


def test_each_file_reveals_what_the_threat_model_says_and_no_more(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(3)]
    sandbox.reset(SandboxOptions(world=World.of([Wanted(Kind.GROUP, ids[0]), Wanted(id=ids[1])], seed=2)))
    lines = [f"{id_},yes,{COLUMN}" for id_ in ids]
    source = write("a.csv", "\n".join(["id,cancel_all,room", *lines, f"no-id,,{COLUMN}", ""]))
    places = ("--ledger", "ledger.db", "--log-file", "full.log", "--metrics-file", "run.prom", "--out", "out")
    told = [
        shell(
            "find",
            "--from",
            "2000-01-01",
            "--to",
            "2099-12-31",
            "--timezone",
            "UTC",
            "--include-contacts",
            "-o",
            "found.csv",
        ),
        shell("plan", source, "-o", "closure.plan", "--out", "planned", "--ledger", "ledger.db"),
        shell.run(source, *places, "--excel", "--rebooking-list"),
        shell("ledger", "backup", "backup.db", "--ledger", "ledger.db"),
        shell("ledger", "export", "-o", "history.ndjson", "--ledger", "ledger.db"),
    ]
    wrong = {}
    for name, may in REVEALED.items():
        if (path := next(shell.folder.glob(name), None)) is None:
            assert name == "ledger.db-wal", (name, [(one.code, one.stderr) for one in told])
            continue
        text = _legible(path)
        found = {"id": ids[1], "column": COLUMN, "people": CANARY, "token": TOKEN}
        if seen := {what for what, word in found.items() if word.lower() in text.lower()} - {*may.split()}:
            wrong[name] = seen
    assert wrong == {}
    assert CANARY in _legible(shell.folder / "out" / "rebooking.csv").lower(), "else the test would find nothing"
    assert COLUMN in _legible(shell.folder / "out" / "results.xlsx")


def _legible(path: Path) -> str:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).write_csv()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return "".join(book.read(name).decode() for name in book.namelist())
    return path.read_bytes().decode("latin-1")


def test_files_are_private(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted()], seed=2)
    sandbox.reset(SandboxOptions(world=world))
    source = write("a.csv", "id\n" + "\n".join(world.appointments) + "\n")
    there = set(shell.folder.rglob("*"))
    places = ("--out", "a/b/out", "--ledger", "c/d/ledger.db", "--log-file", "e/f/full.log")
    assert shell.run(source, *places).code == 0
    made = {path for path in shell.folder.rglob("*") if path not in there}
    assert {path.name for path in made} >= {"a", "b", "c", "d", "e", "f", "results.csv", "ledger.db", "full.log"}
    modes = {path.relative_to(shell.folder).as_posix(): path.stat().st_mode & 0o777 for path in made}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
