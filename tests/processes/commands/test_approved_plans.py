"""A plan is made, approved, and then exactly that is done."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import CANARY, Kind, Wanted, World
from support.shell import Shell
from support.worlds import cancel_elsewhere, post_count, reschedule_elsewhere

KINDS = [*(Kind.SINGLE for _ in range(20)), Kind.GROUP, Kind.CANCELLED, Kind.PAST, Kind.PAID]


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    world = World.of([Wanted(kind) for kind in KINDS], seed=31)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    return world


@pytest.fixture
def source(world: World, write: Callable[..., Path]) -> Path:
    rows = "\n".join(f"{id_},guest {CANARY}" for id_ in world.appointments)
    return write("a.csv", f"id,guest\n{rows}\nnonsense,x\n")


def plan(shell: Shell, source: Path, *words: str) -> str:
    made = shell("plan", source, "-o", "closure.plan", "--json", "--ledger", "l.db", *words)
    assert made.code == 3, made.stderr
    return str(made.summary["digest"])


def test_exactly_the_approved_plan_is_done(shell: Shell, sandbox: Sandbox, world: World, source: Path) -> None:
    digest = plan(shell, source)
    source.unlink()
    shown = shell("show", "closure.plan")
    assert digest in shown.stdout
    assert CANARY not in (shell.folder / "closure.plan").read_text().lower()
    result = shell.run("closure.plan", "--expect-digest", digest, "--ledger", "l.db", "--out", "out")
    assert result.code == 3, result.stderr
    meant = {id_ for id_, each in world.appointments.items() if each.kind in (Kind.SINGLE, Kind.PAID)}
    assert sandbox.truth().applied == dict.fromkeys(meant, 1)
    counts = {status: count for status, count in result.summary["counts"].items() if count}
    assert counts == {"cancelled": 21, "already_cancelled": 1, "rejected": 1, "skipped": 1, "invalid": 1}
    assert len(shell.rows("out/results.csv")) == len(KINDS) + 1
    posts = post_count(sandbox.truth())
    again = shell.run("closure.plan", "--ledger", "l.db")
    assert again.summary["requests"]["posts"] == 0
    assert post_count(sandbox.truth()) == posts


def test_a_plan_says_how_it_is_looked_at_and_carried_out(shell: Shell, sandbox: Sandbox, source: Path) -> None:
    for ledger in ((), ("--ledger", "l.db")):
        *_, look, then = shell("plan", source, "-o", "a plan.plan", *ledger).stdout.splitlines()
        assert look == "To look at it before you approve: bulk-cancel show 'a plan.plan'"
        told, _, typed = then.partition(": bulk-cancel ")
        assert told == "Type, once it is approved"
        assert ("--ledger" in typed) == bool(ledger)
    assert shell(*shlex.split(typed), "--yes").code == 3
    assert len(sandbox.truth().applied) == 21
    nothing_left = shell("plan", source, "-o", "a plan.plan", "--ledger", "l.db").stdout.splitlines()
    assert nothing_left[-1] == look, "there is nothing to carry out"


def test_an_appointment_that_changed_since_the_plan_is_left_out_with_its_reason(
    shell: Shell, sandbox: Sandbox, world: World, source: Path
) -> None:
    plan(shell, source)
    moved, gone, *_ = (id_ for id_, each in world.appointments.items() if each.kind is Kind.SINGLE)
    reschedule_elsewhere(sandbox, moved, timedelta(days=1))
    cancel_elsewhere(sandbox, gone)
    result = shell.run("closure.plan", "--ledger", "l.db", "--out", "out")
    details = {row["id"]: row["detail"] for row in shell.rows("out/results.csv")}
    assert "rescheduled from" in details[moved]
    assert "already cancelled" in details[gone]
    assert not {moved, gone} & set(sandbox.truth().applied)
    assert result.summary["counts"]["cancelled"] == 19


def test_a_changed_byte_is_refused(shell: Shell, sandbox: Sandbox, source: Path) -> None:
    plan(shell, source)
    path = shell.folder / "closure.plan"
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"action":"skip"', b'"action":"cancel"'))
    before = post_count(sandbox.truth())
    refused = shell.run("closure.plan", "--ledger", "l.db")
    assert refused.code == 65
    assert "damaged" in refused.stderr
    assert post_count(sandbox.truth()) == before


@pytest.mark.parametrize(
    ("words", "environ", "code", "said"),
    [
        (("--expect-digest", "0123456789abcdef" * 4), {}, 65, "not the approved plan"),
        (("--expect-digest", "nonsense"), {}, 2, "no"),
        ((), {"MEETERGO_API_URL": "http://127.0.0.1:9/v4"}, 78, "was made for the API at"),
    ],
)
def test_another_plan_or_api_is_refused(
    words: tuple[str, ...], environ: dict[str, str], code: int, said: str, shell: Shell, source: Path
) -> None:
    plan(shell, source)
    shell.environ.update(environ)
    refused = shell.run("closure.plan", *words, "--ledger", "l.db")
    assert refused.code == code, refused.stderr
    assert said in refused.stderr


def test_an_expired_plan_is_refused(shell: Shell, source: Path) -> None:
    plan(shell, source, "--plan-ttl", "0s")
    refused = shell.run("closure.plan", "--ledger", "l.db")
    assert refused.code == 65
    assert "expired" in refused.stderr


def test_expecting_a_digest_of_no_plan_is_refused(shell: Shell, source: Path) -> None:
    assert shell.run(source, "--expect-digest", "0123456789abcdef" * 4).code == 78


def test_the_audit_tables_are_the_same_for_the_same_state(shell: Shell, source: Path) -> None:
    for name in ("first", "second"):
        plan(shell, source, "--out", name)
    names = sorted(path.name for path in (shell.folder / "first").iterdir())
    assert names == ["plan.csv", "plan.html", "plan.json", "plan.parquet"]
    for name in set(names) - {"plan.html", "plan.json"}:  # these say when, and with which command
        assert (shell.folder / "first" / name).read_bytes() == (shell.folder / "second" / name).read_bytes()
    assert len(shell.rows("first/plan.csv")) == len(KINDS) + 1


def test_a_plan_reports_its_own_rows_in_a_folder_of_another_run(
    shell: Shell, sandbox: Sandbox, world: World, write: Callable[..., Path]
) -> None:
    first, second, *_ = world.appointments
    shell.run(write("one.csv", f"id\n{first}\n"), "--out", "out", "--ledger", "l.db")
    shell("plan", write("two.csv", f"id\n{second}\n"), "-o", "two.plan", "--ledger", "l.db")
    assert shell.run("two.plan", "--out", "out", "--ledger", "l.db").code == 0
    assert [row["id"] for row in shell.rows("out/results.csv")] == [second]


def test_a_plan_overwrites_only_plans(shell: Shell, source: Path) -> None:
    before = source.read_bytes()
    refused = shell("plan", source, "-o", source)
    assert refused.code == 2
    assert source.read_bytes() == before
    assert shell("plan", source, "-o", "a.plan").code == shell("plan", source, "-o", "a.plan").code == 3


def test_a_plan_is_carried_out_as_it_is(shell: Shell, source: Path) -> None:
    plan(shell, source)
    refused = shell.run("closure.plan", "--reason", "another")
    assert refused.code == 78
    assert "as it is" in refused.stderr


def test_a_row_that_the_plan_knows_as_refused_stays_refused(
    shell: Shell, sandbox: Sandbox, world: World, write: Callable[..., Path]
) -> None:
    first, second, *_ = world.appointments
    sandbox.set_faults(f"403@{first}")
    source = write("one.csv", f"id\n{first}\n{second}\n")
    assert shell.run(source, "--ledger", "l.db").code == 3
    sandbox.set_faults("")
    assert shell("plan", source, "-o", "one.plan", "--ledger", "l.db").code == 0
    refused = shell.run("one.plan", "--ledger", "l.db", "--retry-refused")
    assert (refused.code, "without --retry-refused" in refused.stderr) == (78, True)
    assert shell.run(source, "--ledger", "l.db", "--retry-refused", "--settle", "60s").code == 5, "too early: failed"

    assert [shell.run("one.plan", "--ledger", "l.db", "--out", "out").code for _ in range(2)] == [3, 3]

    row = shell.rows("out/results.csv")[0]
    assert (row["status"], row["detail"]) == ("rejected", "rejected in an earlier run")
    assert shell.run(source, "--ledger", "l.db").code == 3
    assert sandbox.truth().applied == {second: 1}


def test_a_plan_with_retry_refused_is_carried_out_without_saying_so_again(
    shell: Shell, sandbox: Sandbox, world: World, write: Callable[..., Path]
) -> None:
    first = next(iter(world.appointments))
    sandbox.set_faults(f"400@{first}")
    source = write("one.csv", f"id\n{first}\n")
    assert shell.run(source, "--ledger", "l.db").code == 3
    sandbox.set_faults("")
    time.sleep(1.2)  # its settle time
    assert shell("plan", source, "-o", "one.plan", "--ledger", "l.db", "--retry-refused").code == 0
    assert "--retry-refused" in shell("show", "one.plan").stdout
    assert shell.run("one.plan", "--ledger", "l.db").code == 0
    assert sandbox.truth().applied == {first: 1}


def test_an_unknown_target_is_sent_again_as_it_was_approved_last(
    shell: Shell, sandbox: Sandbox, world: World, write: Callable[..., Path]
) -> None:
    first = next(iter(world.appointments))
    sandbox.set_faults(f"lost-before@{first}")
    one = write("one.csv", f"id\n{first}\n")
    assert shell.run(one, "--reason", "wrong", "--ledger", "l.db").code == 4
    time.sleep(1.2)  # its settle time, which is kept with the run
    refused = shell.run(one, "--reason", "right", "--max-cancel", "0", "--ledger", "l.db")
    assert refused.code == 5, "what may be sent again counts"
    assert shell.run(one, "--reason", "right", "--ledger", "l.db").code == 0
    assert sandbox.appointment(first).cancellation.reason == "right"  # type: ignore[union-attr]
