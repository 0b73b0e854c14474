"""Live plans and guards: what is told before is what happens then."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import CANARY, Kind, Wanted, World
from support.shell import Shell
from support.worlds import post_count

TOLD = {"cancel": "cancelled", "already_cancelled": "already_cancelled", "refused": "rejected", "skip": "skipped",
        "not_found": "not_found", "invalid": "invalid"}  # fmt: skip


def ask_for(sandbox: Sandbox, world: World, write: Callable[..., Path], **options: object) -> Path:
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, **options))  # type: ignore[arg-type]
    return write("a.csv", "id\n" + "\n".join(list(world.appointments)[:200]) + "\nnonsense\n")


def test_a_live_plan_tells_what_a_run_then_does(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    source = ask_for(sandbox, World.generate(240, 4), write, second_cancel="mail_again")
    shell.run(write("b.csv", "id\n" + list(sandbox.world.appointments)[-1] + "\n"), "--ledger", "ledger.db")
    before, posts = hashlib.sha256((shell.folder / "ledger.db").read_bytes()).hexdigest(), post_count(sandbox.truth())
    planned = shell("plan", source, "--json", "--ledger", "ledger.db", "--rate", "500/s", "--burst", "500")
    assert planned.code == 3, planned.stderr
    assert post_count(sandbox.truth()) == posts, "a plan sends no cancel"
    assert planned.summary["look"]["requests"] <= 40
    assert hashlib.sha256((shell.folder / "ledger.db").read_bytes()).hexdigest() == before
    assert CANARY not in (planned.stdout + planned.stderr).lower()

    ran = shell.run(source, "--ledger", "ledger.db")
    told = {TOLD[action]: count for action, count in planned.summary["actions"].items()}
    assert {status: count for status, count in ran.summary["counts"].items() if count} == told
    assert not sandbox.truth().doubled, "what is cancelled already gets no second mail"


def test_a_live_plan_counts_people(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted(Kind.GROUP), Wanted(), Wanted(Kind.PAID)], seed=4)
    group = next(iter(world.appointments.values()))
    sandbox.reset(SandboxOptions(world=world))
    rows = "\n".join(f"{id_},yes" for id_ in world.appointments)
    planned = shell("plan", write("a.csv", f"id,cancel_all\n{rows}\n"), "--json")
    assert planned.code == 0, planned.stderr
    assert planned.summary["look"]["mailed"] == len(group.attendee_ids) + 2
    assert planned.summary["look"]["paid"] == 1
    assert planned.summary["look"]["hosts"] >= 1


def test_the_rebooking_list_names_whom_to_call(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted(Kind.GROUP), Wanted(), Wanted(Kind.GROUP)], seed=4)
    whole, single, other = world.appointments.values()
    sandbox.reset(SandboxOptions(world=world, faults=f"cut-after@{single.id}"))
    rows = f"{whole.id},yes,\n{single.id},,\n{other.id},,{other.attendee_ids[1]}\n"
    source = write("a.csv", f"id,cancel_all,attendee_id\n{rows}")
    result = shell.run(source, "--rebooking-list", "--out", "out", "--ledger", "l.db", "--log-file", "log")
    assert result.code == 0, result.stderr
    listed = shell.rows("out/rebooking.csv")
    assert len(listed) == len(whole.attendee_ids) + 2
    assert {row["appointment_id"] for row in listed} == set(world.appointments)
    assert all(CANARY in row["email"] and row["start"] and row["phone"].startswith("'+49") for row in listed)
    assert (shell.folder / "out/rebooking.csv").stat().st_mode & 0o777 == 0o600
    elsewhere = [path for path in shell.folder.rglob("*") if path.is_file() and path.name != "rebooking.csv"]
    assert not [path for path in elsewhere if CANARY.encode() in path.read_bytes().lower()]
    assert CANARY not in (result.stdout + result.stderr).lower()


@pytest.mark.parametrize("words", [("--look", "never"), ()])
def test_a_plan_needs_neither_a_network_nor_a_credential(
    words: tuple[str, ...], shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    source = ask_for(sandbox, World.generate(20, 4), write)
    told = {"MEETERGO_API_URL": "https://nowhere.invalid/v4", "MEETERGO_TOKEN": ""}
    assert shell("plan", source, "--json", *words, **told).code == 3
    assert not sandbox.arrivals()
    said = shell("plan", source, *words, **told).stdout
    assert ("These appointments were not read: " in said) is (not words)
    assert shell("plan", source, "--look", "each", **told).code == 78


def test_an_api_that_is_away_is_told_with_how_to_plan_without_it(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    source = ask_for(sandbox, World.generate(20, 4), write)
    result = shell("plan", source, MEETERGO_API_URL="http://127.0.0.1:9/v4")
    assert result.code == 69
    assert "--look never" in result.stderr


def test_max_cancel_stops_before_the_first(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    source = ask_for(sandbox, World.of([Wanted() for _ in range(20)], seed=4), write)
    refused = shell.run(source, "--max-cancel", "19")
    assert refused.code == 5
    assert not sandbox.arrivals()
    assert not (shell.folder / "runs").exists()
    assert shell.run(source, "--max-cancel", "20").code == 3


@pytest.mark.parametrize(("words", "status"), [((), "skipped"), (("--no-skip-past",), "cancelled")])
def test_appointments_that_have_started_are_left_out(
    words: tuple[str, ...], status: str, shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    source = ask_for(sandbox, World.of([Wanted(Kind.PAST) for _ in range(3)], seed=4), write)
    assert shell.run(source, *words).summary["counts"][status] == 3


def test_a_skipped_row_is_taken_up_again_when_the_rule_is_lifted(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    source = ask_for(sandbox, World.of([Wanted(Kind.PAST)], seed=4), write)
    assert shell.run(source).summary["counts"]["skipped"] == 1
    assert shell.run(source, "--no-skip-past").summary["counts"]["cancelled"] == 1


def test_outside_the_send_window_nothing_is_sent(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    from datetime import UTC, datetime, timedelta

    opens = datetime.now(UTC) + timedelta(hours=2)
    window = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M} UTC"
    source = ask_for(sandbox, World.of([Wanted() for _ in range(3)], seed=4), write)
    result = shell.run(source, "--send-window", window, "--outside-window", "stop")
    assert result.code == 5
    assert "The send window opens at" in result.summary["next"]
    assert not post_count(sandbox.truth())


def test_reasons_are_filled_in_from_columns_and_from_what_a_look_shows(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    world = World.of([Wanted() for _ in range(4)], seed=4)
    sandbox.reset(SandboxOptions(world=world))
    first, *_, last = world.appointments.values()
    rows = [
        f"{id_},{'Lab' if id_ != last.id else ''},{'own {reason}' if id_ == first.id else ''}"
        for id_ in world.appointments
    ]
    source = write("a.csv", "id,room,reason\n" + "\n".join(rows) + "\n")
    reason = "Closed: {room}, {location}, {start:%Y}"
    assert "no time zone is known for it" in shell("plan", source, "--reason", reason).stderr
    shell.environ["BULK_CANCEL_TIMEZONE"] = "Europe/Berlin"
    planned = shell("plan", source, "--reason", reason)
    assert f"Closed: Lab, {list(world.appointments.values())[1].location}" in planned.stdout
    result = shell.run(source, "--reason", reason, "--out", "out")
    assert result.summary["counts"]["cancelled"] == 3
    assert "needs {room}" in shell.rows("out/invalid.csv")[0]["bulk_cancel_detail"]
    said = {id_: sandbox.appointment(id_).cancellation for id_ in world.appointments}
    assert said[first.id] is not None
    assert said[first.id].reason == "own {reason}", "a row's own reason is taken as it is"
    again = shell.run(source, "--reason", reason)
    assert again.summary["requests"]["posts"] == 0


def test_a_blank_that_nothing_can_fill_is_refused_before_any_request(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    source = ask_for(sandbox, World.of([Wanted()], seed=4), write)
    result = shell.run(source, "--reason", "Closed: {nonsense}")
    assert result.code == 78
    assert "{nonsense}" in result.stderr
    assert not sandbox.arrivals()


def test_a_select_table_finds_plans_and_runs(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    world = World.of([Wanted() for _ in range(30)], seed=4)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000))
    berlin = {id_ for id_, appointment in world.appointments.items() if appointment.location == "Berlin office"}
    days = sorted(appointment.start for appointment in world.appointments.values())
    select = (
        f'from = "{days[0]:%Y-%m-%d}"\nto = "{days[-1]:%Y-%m-%d}"\ntimezone = "Europe/Berlin"\nlocation = "berlin"\n'
    )
    job = write("job.toml", f'reason = "Our {{location}} is closed"\nout = "out"\n[select]\n{select}')
    planned = shell("plan", job, "--json")
    assert planned.summary["actions"] == {"cancel": len(berlin)}
    result = shell.run(job)
    assert result.code == 0, result.stderr
    assert set(sandbox.truth().applied) == berlin
    assert sandbox.appointment(min(berlin)).cancellation.reason == "Our Berlin office is closed"  # type: ignore[union-attr]


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0,
    reason="needs the right to make a network namespace",
)
def test_an_offline_plan_works_without_any_network(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    source = ask_for(sandbox, World.generate(20, 4), write)
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "bulk_cancel", "plan", source, "--json", "--look", "never"],
        cwd=shell.folder, env=shell.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["actions"] == {"cancel": 20, "invalid": 1}


def test_a_run_that_ends_before_it_began_leaves_the_folder_of_another_alone(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    source = ask_for(sandbox, World.of([Wanted() for _ in range(3)], seed=4), write)
    shell.run(source, "--out", "out")
    before = {path: path.read_bytes() for path in shell.folder.glob("out/input-*.parquet")}
    assert shell.run(source, "--out", "out", "--max-cancel", "0", "--ledger", "other.db").code == 5
    assert {path: path.read_bytes() for path in shell.folder.glob("out/input-*.parquet")} == before != {}
    assert not list((shell.folder / "out").glob(".2*"))


def test_the_rebooking_list_grows_over_the_runs_into_one_folder(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    world = World.of([Wanted(), Wanted()], seed=4)
    first, second = world.appointments
    sandbox.reset(SandboxOptions(world=world))
    for id_ in (first, second):
        shell.run(write("a.csv", f"id\n{id_}\n"), "--rebooking-list", "--out", "out", "--ledger", "l.db")
    assert [row["appointment_id"] for row in shell.rows("out/rebooking.csv")] == [first, second]


def test_a_canary_passes_over_what_is_left_out_and_takes_a_series_when_there_is_nothing_else(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    source = ask_for(sandbox, World.of([Wanted(Kind.PAST), Wanted(), Wanted()], seed=4), write)
    result = shell.run(source, "--canary", "1")
    assert {status: count for status, count in result.summary["counts"].items() if count} == {
        "cancelled": 2,
        "skipped": 1,
        "invalid": 1,
    }
    world = World.of([Wanted(Kind.SERIES)], seed=5)
    sandbox.reset(SandboxOptions(world=world))
    series = write("series.csv", f"id,cancel_entire_series\n{next(iter(world.appointments))},yes\n")
    assert shell.run(series, "--canary", "1").summary["requests"]["gets"] == 4


def test_a_rerun_with_blanks_that_only_a_look_can_fill_finds_nothing_to_do(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    world = World.of([Wanted() for _ in range(4)], seed=4)
    first = next(iter(world.appointments))
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, faults=f"lost-before@{first}"))
    source = write("a.csv", "id\n" + "\n".join(world.appointments) + "\n")
    words = ("--reason", "Closed: {location}", "--ledger", "l.db")
    assert shell.run(source, *words).summary["counts"]["unknown"] == 1
    again = shell.run(source, *words, "--wait")
    assert again.summary["counts"]["cancelled"] == 4, again.stdout
    assert sandbox.appointment(first).cancellation.reason.startswith("Closed: ")  # type: ignore[union-attr]
    assert shell.run(source, *words).summary["requests"]["posts"] == 0
