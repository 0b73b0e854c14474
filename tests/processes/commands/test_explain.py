"""`explain`: one appointment's history over all runs, an event a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.shell import Shell

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_a_lost_answer_is_told_over_two_runs(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted() for _ in range(3)], seed=11)
    lost = list(world.appointments)[1]
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, faults=f"cut-after@{lost}"))
    source = write("a.csv", "id\n" + "\n".join([*world.appointments, lost]) + "\n")
    first = shell.run(source, "--ledger", "l.db", "--settle", "10m")
    if first.code == 4:  # the run itself looks once at its end
        assert shell.run(source, "--ledger", "l.db").code == 0
    told = shell("explain", lost.upper(), "--ledger", "l.db", "--json")
    assert told.code == 0, told.stderr
    (target,) = told.summary["targets"]
    assert (told.summary["appointment_id"], target["state"], target["unknown"]) == (lost, "cancelled", None)
    assert [event["event"] for event in target["events"]] == ["intent", "no_proof", "seen_cancelled"]
    assert {"run_id": first.summary["run_id"], "row": 3} in target["rows"]
    assert {"run_id": first.summary["run_id"], "row": 5} in target["rows"]
    shown = shell("explain", lost, "--ledger", "l.db").stdout
    assert "Cancel no. 1 was about to be sent, without a reason." in shown
    assert "A read shows it cancelled" in shown
    assert "never sent again" in shown
    assert f"rows 3, 5 of run {first.summary['run_id']}" in shown


def test_all_targets_of_an_appointment_or_one_attendee(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    world = World.of([Wanted(Kind.GROUP)], seed=4)
    (group,) = world.appointments.values()
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000))
    one, other = group.attendee_ids[:2]
    shell.run(write("a.csv", f"id,attendee_id\n{group.id},{one}\n{group.id},{other}\n"), "--ledger", "l.db")
    both = shell("explain", group.id, "--ledger", "l.db", "--json").summary["targets"]
    assert {target["attendee_id"] for target in both} == {one, other}
    (single,) = shell("explain", f"{group.id}/{one}", "--ledger", "l.db", "--json").summary["targets"]
    assert single["attendee_id"] == one
    assert f"Attendee {one} only: cancelled" in shell("explain", f"{group.id}/{one}", "--ledger", "l.db").stdout


def test_explain_says_what_it_does_not_know(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted()], seed=4)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000))
    shell.run(write("a.csv", "id\n" + "\n".join(world.appointments) + "\n"), "--ledger", "l.db")
    unknown = shell("explain", NOBODY, "--ledger", "l.db", "--json")
    assert unknown.code == unknown.summary["exit_code"] == 2
    assert "no run ever named it" in unknown.stderr
    assert shell("explain", "nonsense", "--ledger", "l.db").code == 2
    assert shell("explain", NOBODY, "--ledger", "none.db").code == 78
