"""Canaries: credentials, the API's secrets, names and addresses must be in nothing that a run writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
