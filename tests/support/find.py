"""Sandboxes of 1,000 appointments around the days on which daylight saving begins and ends, and `find` in them."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bulk_cancel.cli.main import main
from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.people import OWNER
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions, running
from bulk_cancel.sandbox.world import Appointment, World

BERLIN = ZoneInfo("Europe/Berlin")
#: The Sundays on which Berlin's clocks lose and gain an hour.
SPRING, AUTUMN = date(2027, 3, 28), date(2026, 10, 25)
QUICK = ("--rate", "500/s", "--burst", "500", "--timeout", "2s")


def world_around(day: date, count: int = 1000, seed: int = 5) -> World:
    """Appointments of all kinds that start at any quarter of an hour of two days before and after this one."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    world = World.generate(count, seed, noon)
    quarters = random.Random(seed)
    shifted = {
        id_: replace(appointment, start=noon + timedelta(minutes=15 * quarters.randrange(-4 * 60, 4 * 60)))
        for id_, appointment in world.appointments.items()
    }
    return World(shifted, noon)


WORLDS = {day: world_around(day) for day in (SPRING, AUTUMN)}


def expected(world: World, day: date, like: Callable[[Appointment], bool] = lambda _: True) -> list[str]:
    """The active ones of that day in Berlin that the owner hosts, by start and id: told without the code under test."""
    fitting = [
        each
        for each in world.appointments.values()
        if each.start.astimezone(BERLIN).date() == day and each.cancellation is None and like(each)
    ]
    return [each.id for each in sorted(fitting, key=lambda each: (each.start, each.id))]


def of_owner(appointment: Appointment) -> bool:
    return OWNER.id in appointment.host_ids


def options(world: World, **given: Any) -> SandboxOptions:
    return SandboxOptions(**{"world": world, "rate_per_s": 10_000, "burst": 10_000, **given})


@dataclass(frozen=True)
class Result:
    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document


Find = Callable[..., Result]


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with running(options(WORLDS[SPRING])) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset(options(WORLDS[SPRING]))
    return server


@pytest.fixture
def environ(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a user who works in an empty folder."""
    for name in os.environ:
        if name.startswith(("MEETERGO", "BULK_CANCEL", "XDG")):
            monkeypatch.delenv(name)
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    monkeypatch.chdir(folder)
    told = {"HOME": str(home), "COLUMNS": "120", "MEETERGO_API_URL": sandbox.url, "MEETERGO_TOKEN": OWNER_TOKEN}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@pytest.fixture
def command(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    def command(*words: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["bulk-cancel", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return command


@pytest.fixture
def find(command: Callable[..., Result]) -> Find:
    """Runs `find` over one day in Berlin."""

    def find(*words: str | Path, day: date = SPRING) -> Result:
        return command("find", "--from", str(day), "--to", str(day), "--timezone", "Europe/Berlin", *QUICK, *words)

    return find
