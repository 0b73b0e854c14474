"""A rerun of the very same input shows the same plan, sends nothing twice and reports the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Wanted, World
from support.shell import Shell
from support.worlds import post_count

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(shell: Shell, sandbox: Sandbox) -> Run:
    """Run the same input with these words; return the summary with the rows of the result files."""
    world = World.of([Wanted() for _ in range(6)], seed=7)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    lines = [f"{appointment},note" for appointment in world.appointments]
    text = "\n".join(["appointment_id,text", *lines, lines[0], "bad,x", ""])
    (shell.folder / "in.csv").write_text(text, encoding="utf-8")

    def run(out: str, *words: str) -> dict[str, Any]:
        done = shell.run("in.csv", "--ledger", "ledger.db", "--out", out, *words)
        assert done.code == 3, done.stderr
        return {**done.summary, "files": shell.rows(f"{out}/results.csv")}

    return run


def planned(shell: Shell) -> str:
    """Return the plan of the same input, as a program reads it."""
    done = shell("plan", "in.csv", "--ledger", "ledger.db", "--json")
    assert done.code == 3, done.stderr
    return done.stdout


@pytest.mark.parametrize("out", ["first", "second"], ids=["into the same folder", "into another folder"])
def test_a_rerun_sends_nothing_twice_and_reports_the_same(shell: Shell, sandbox: Sandbox, run: Run, out: str) -> None:
    first, second, third = run("first"), run(out), run("third")
    assert first["counts"] == second["counts"] == third["counts"]
    assert first["files"] == second["files"] == third["files"]
    assert (first["requests"]["posts"], second["requests"]["posts"], third["requests"]["posts"]) == (6, 0, 0)
    assert not sandbox.truth().doubled
    for folder in {"first", out, "third"}:
        (kept,) = (shell.folder / folder).glob("input-*.parquet")  # of the newest run there alone
        assert kept.stat().st_mode & 0o777 == 0o600


def test_the_plan_after_a_rerun_is_the_plan_before_it(shell: Shell, run: Run) -> None:
    run("first")
    plan = planned(shell)
    run("second")
    assert planned(shell) == plan


def test_a_rerun_sends_what_is_left(shell: Shell, sandbox: Sandbox, run: Run) -> None:
    refused = shell("run", "in.csv", "--yes", "--ledger", "ledger.db", "--out", "first", MEETERGO_TOKEN="rgo-wrong")
    assert refused.code not in (0, 3)
    assert run("second")["counts"]["cancelled"] == 7
    assert post_count(sandbox.truth()) == 6


def test_a_rerun_with_another_reason_sends_nothing_twice(sandbox: Sandbox, run: Run) -> None:
    run("first")
    assert run("second", "--reason", "moved")["requests"]["posts"] == 0
    assert post_count(sandbox.truth()) == 6
