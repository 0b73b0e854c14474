"""Every time that a person reads is in the zone of those who made the plan, whatever zone the machine is set to."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_cancel.core.moments import show_moment, write_moment
from bulk_cancel.sandbox.server import Sandbox
from support.find import BERLIN, QUICK, Result, of_owner
from support.find import command as command
from support.find import environ as environ
from support.find import sandbox as sandbox
from support.find import server as server

REASON = ("--reason", "Closed, your visit was at {start:%H:%M %Z}.")
LIVE = (*QUICK, "--no-skip-past", "--look", "each")


@pytest.fixture
def one(sandbox: Sandbox, environ: dict[str, str]) -> tuple[str, float]:
    """An input of one appointment that can be cancelled: its id and its start."""
    there = sandbox.world.appointments.values()
    found = next(one for one in there if of_owner(one) and one.cancellation is None and not one.group)
    Path("a.csv").write_text(f"id\n{found.id}\n", encoding="utf-8")
    return found.id, found.start.timestamp()


def test_a_plan_of_berlin_tells_berlins_times_on_a_machine_of_utc(
    command: Callable[..., Result], sandbox: Sandbox, one: tuple[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    start, machine = show_moment(one[1], BERLIN), write_moment(one[1], BERLIN)
    planned = command("plan", "a.csv", *REASON, *LIVE, "-o", "a.plan", "--out", "audit")
    assert planned.code == 0, planned.stderr
    assert f"Starts: {start}." in " ".join(planned.stdout.split())
    assert machine in Path("audit/plan.csv").read_text(encoding="utf-8")
    assert start in Path("audit/plan.html").read_text(encoding="utf-8")

    monkeypatch.setenv("TZ", "UTC")
    assert start in " ".join(command("show", "a.plan").stdout.split())
    assert json.loads(command("plan", "a.plan", *QUICK, "--json").stdout)["exit_code"] == 0
    done = command("run", "a.plan", "--yes", "--rebooking-list", "--out", "done", *QUICK, "--no-skip-past")
    assert done.code == 0, done.stderr
    cancelled = sandbox.appointment(one[0]).cancellation
    assert cancelled is not None
    assert cancelled.reason == f"Closed, your visit was at {start[11:]}."
    with Path("done/rebooking.csv").open(encoding="utf-8", newline="") as file:
        assert {row["start"] for row in csv.DictReader(file)} == {start}
    zone = start[17:]
    with Path("done/results.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["settled_at"].endswith(("+01:00", "+02:00"))
    assert any(name in Path("done/report.html").read_text(encoding="utf-8") for name in (" CET", " CEST"))
    for told in (command("status").stdout, command("explain", one[0]).stdout):
        assert " CET" in told or " CEST" in told, (told, zone)
    assert " JST" in command("status", "--timezone", "Asia/Tokyo").stdout
    assert command("report", "--timezone", "Asia/Tokyo", "--out", "again").code == 0
    assert "+09:00" in Path("again/results.csv").read_text(encoding="utf-8")


def test_a_reason_tells_no_time_of_a_server(
    command: Callable[..., Result], sandbox: Sandbox, one: tuple[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    for words in (("plan", "a.csv"), ("run", "a.csv", "--yes")):
        refused = command(*words, *REASON, *LIVE)
        assert refused.code == 78
        assert "the reason tells the time of {start}, and no time zone is known for it" in refused.stderr
        assert "--timezone Europe/Berlin" in refused.stderr
    assert command("run", "a.csv", "--yes", *REASON, *LIVE, "--timezone", "UTC").code == 0
    cancelled = sandbox.appointment(one[0]).cancellation
    assert cancelled is not None
    assert cancelled.reason == f"Closed, your visit was at {show_moment(one[1], None)[11:16]} UTC."
