"""`status`: what happened, what is open, what to type next. Whatever it finds, it changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Wanted, World
from support.ledger_files import fingerprint
from support.processes import Process
from support.shell import Shell
from support.worlds import post_count


@pytest.fixture
def ids(sandbox: Sandbox) -> list[str]:
    world = World.of([Wanted() for _ in range(6)], seed=11)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    return list(world.appointments)


@pytest.fixture
def closure(ids: list[str], write: Callable[..., Path]) -> Path:
    return write("closure.csv", "id\n" + "\n".join(ids) + "\n")


@pytest.fixture
def status(shell: Shell) -> Callable[..., dict[str, Any]]:
    def ask(*words: str) -> dict[str, Any]:
        result = shell("status", "--json", "--ledger", "ledger.db", *words)
        assert result.code == 0, result.stderr
        assert result.summary["schema_version"] == 1
        return result.summary

    return ask


@contextmanager
def at_work(shell: Shell, sandbox: Sandbox) -> Iterator[Process]:
    words = ("run", "closure.csv", "--yes", "--rate", "1/s", "--burst", "3", "--ledger", "ledger.db")
    process = shell.start(*words)
    try:
        deadline = time.monotonic() + 30
        while not post_count(sandbox.truth()) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield process
    finally:
        process.kill()


def test_without_a_ledger_it_says_so(shell: Shell) -> None:
    result = shell("status", "--ledger", "none.db", "--json")
    assert result.code == 78
    assert "There is no ledger at none.db" in result.stderr
    assert result.summary["exit_code"] == 78
    assert not (shell.folder / "none.db").exists()


def test_a_finished_run_leaves_nothing_to_do(
    shell: Shell, closure: Path, status: Callable[..., dict[str, Any]]
) -> None:
    ran = shell.run(closure, "--ledger", "ledger.db")
    before = fingerprint(shell.folder)
    told = status()
    (run,) = told["runs"]
    assert (run["how"], run["exit_code"], run["counts"]["cancelled"]) == ("ended", 0, 6)
    assert run["said"] == ran.summary["next"] == told["next"]
    assert "bulk-cancel run" in run["provenance"]["command"]
    assert (told["at_work"], told["unknown_count"], told["left"]) == (None, 0, 0)
    assert fingerprint(shell.folder) == before, "only read"
    shown = shell("status", "--ledger", "ledger.db")
    assert run["run_id"] in shown.stdout
    assert "Done: nothing is left to do." in shown.stdout


def test_status_tells_the_age_of_an_unknown_outcome_and_when_it_is_due(
    shell: Shell, sandbox: Sandbox, ids: list[str], closure: Path, status: Callable[..., dict[str, Any]]
) -> None:
    sandbox.set_faults(f"cut-before@{ids[3]}")
    assert shell.run(closure, "--ledger", "ledger.db").code == 4
    told = status()
    (unknown,) = told["unknown"]
    assert unknown["appointment_id"] == ids[3]
    assert 0 <= unknown["age_s"] < 60
    assert unknown["due_at"] > unknown["sent_at"]
    assert "bulk-cancel run" in told["next"]
    time.sleep(1.2)  # the longer settle time holds: here the run's
    shown = shell("status", "--ledger", "ledger.db", BULK_CANCEL_SETTLE="0s").stdout
    assert f"{ids[3]}: given up" in shown
    assert "sent again now" in shown


def test_a_run_at_work_is_named_and_a_killed_one_goes_on(
    shell: Shell, sandbox: Sandbox, closure: Path, status: Callable[..., dict[str, Any]]
) -> None:
    with at_work(shell, sandbox) as process:
        told = status()
        assert told["at_work"]["pid"] == process.pid
        assert told["runs"][0]["how"] == "at_work"
        assert f"process {process.pid}" in told["next"]
    told = status()
    assert told["at_work"] is None
    assert (told["runs"][0]["how"], told["runs"][0]["exit_code"]) == ("killed", None)
    assert told["left"] == told["runs"][0]["left"] >= 1
    assert "bulk-cancel run closure.csv" in told["next"]
    assert shell.run(closure, "--ledger", "ledger.db", "--settle", "0s", "--wait").code == 0


def test_the_last_runs_come_first_and_no_more_than_asked(
    shell: Shell, closure: Path, status: Callable[..., dict[str, Any]]
) -> None:
    runs = [shell.run(closure, "--ledger", "ledger.db").summary["run_id"] for _ in range(3)]
    assert [run["run_id"] for run in status("--limit", "2")["runs"]] == runs[:0:-1]


def test_status_names_what_an_earlier_input_left_open(
    shell: Shell, sandbox: Sandbox, ids: list[str], write: Callable[..., Path], status: Callable[..., dict[str, Any]]
) -> None:
    sandbox.set_faults(f"cut-before@{ids[0]}")
    assert shell.run(write("a.csv", f"id\n{ids[0]}\n"), "--ledger", "ledger.db", "--settle", "10m").code == 4
    assert shell.run(write("b.csv", f"id\n{ids[1]}\n"), "--ledger", "ledger.db", "--settle", "10m").code == 4
    assert "bulk-cancel reconcile" in status()["next"]
