"""The operator's walk-through in docs/guides/closure.md, typed as it stands."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.shell import Shell

ROOT = Path(__file__).resolve().parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)


def commands() -> list[list[str]]:
    guide = (ROOT / "docs/guides/closure.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- walk-through:.*?-->\n```sh\n(.*?)\n```", guide, re.DOTALL)
    return [shlex.split(line)[1:] for line in block.splitlines()]


def test_an_office_closes(shell: Shell, sandbox: Sandbox) -> None:
    world = World.of([*(Wanted() for _ in range(180)), *(Wanted(Kind.GROUP) for _ in range(20))], seed=3, now=NOW)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    closed = {
        id_
        for id_, each in world.appointments.items()
        if each.start.astimezone(BERLIN).date().isoformat() == "2026-12-01" and each.location == "Berlin office"
    }
    assert len(commands()) == 8
    assert closed
    digest = ""
    for words in commands():
        typed = [digest if word == "DIGEST" else word for word in words]
        quick = ["--rate", "500/s", "--burst", "500"] if words[0] in ("find", "plan", "run", "closed") else []
        sure = ["--yes", "--no-skip-past"] if words[0] == "run" and "--yes" not in words else []
        if words[:2] == ["run", "closure.plan"] and "--yes" not in words:
            sandbox.block(date(2026, 12, 1))  # as the guide says: a person does, before the run
        done = shell(*typed, *quick, *sure, *(["--no-skip-past"] if words[0] == "plan" else []))
        assert done.code == 0, (typed, done.stderr, done.stdout)
        digest = (re.findall(r"digest\s+([0-9a-f]{64})", done.stdout) or [digest])[0]
    assert sandbox.truth().applied == dict.fromkeys(closed, 1)
    reasons = {sandbox.appointment(id_).cancellation.reason for id_ in closed}  # type: ignore[union-attr]
    assert reasons == {"Our Berlin office is closed on 01.12.2026. Please book again online."}
    assert "Closed: nothing is left. 2026-12-01 (Europe/Berlin)" in done.stdout
    assert shell.rows("look/left.csv") == []
    assert len(shell.rows("cancelled/rebooking.csv")) == len(closed)
    assert len(shell.rows("audit/plan.csv")) == len(closed)
