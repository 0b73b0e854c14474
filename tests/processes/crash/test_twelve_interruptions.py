"""Twelve kills, freezes and terminations a run, against all that a server, colleagues, gateways and restores do.

Each row ends as the server has it, no cancel takes effect twice, and three undisturbed runs at most bring the end.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest

from bulk_cancel.core.model import Status
from bulk_cancel.sandbox.options import SandboxOptions
from processes.crash.conftest import MakeLab
from support.checker import read_past
from support.lab import HOSTILE, Ended, Lab, made_ids, told
from support.processes import Process
from support.worlds import cancel_elsewhere

#: Late effects come within the settle time, as documented; stale and slim are answers to reads as well.
FAULTS = (
    "late=0.06:1200ms,lost=0.03,lost-after=0.05,cut-after=0.03,reset-after=0.02,500-after=0.03,504-late=0.03:900ms,"
    "409-late=0.02:700ms,408-after=0.02,silent-after=0.03,not-cancelled-after=0.01,429=0.02,"
    "page-404=0.01,page-403=0.01,html=0.01,other-id-after=0.01,delay=0.02:600ms,"
    "get:silent=0.02,get:lost=0.03,get:page-404=0.02,get:502=0.02,get:page-403=0.01,stale=0.08:500ms"
)
LIMIT = replace(HOSTILE, rate_per_s=25, burst=12, faults=FAULTS)
SETTLE = "2s"
GONE = {Status.CANCELLED, Status.ALREADY_CANCELLED}
REFUSED = (74, 78)


@dataclass
class Ordeal:
    """A run that is interrupted again and again, and what happens around it."""

    lab: Lab
    chance: random.Random
    process: Process | None = None
    hits: int = 0  #: interruptions of a run that was at work
    copies: int = 0
    restores: int = 0
    older: Path | None = None  #: a copy of the ledger as it was some time ago
    elsewhere: set[str] = field(default_factory=set)

    def interrupted(self, times: int) -> None:
        """Interrupt so often; a run that has ended meanwhile is started anew."""
        for number in range(times):
            process = self.running()
            posts = self.lab.posts
            self.wait(lambda posts=posts, process=process: self.lab.posts > posts + 2 or process.ended, 6)
            time.sleep(self.chance.uniform(0, 0.2))
            interrupt = self.chance.choice((self.kill, self.kill, self.freeze, self.terminate))
            self.hits += not process.ended
            interrupt(process)
            self.colleague()
            if number % 3 == 2 and self.process is None:
                self.restore()
        if self.process is not None:
            self.ended(self.process)

    def running(self) -> Process:
        if self.process is not None and self.process.ended:
            self.ended(self.process)
        if self.process is None:
            self.process = self.lab.start(wait="", look=self.chance.choice(("auto", "each")))
        return self.process

    def wait(self, condition: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            time.sleep(0.01)

    def ended(self, process: Process) -> Ended:
        self.process = None
        return self.lab.finish(process)

    def kill(self, process: Process) -> None:
        if not process.ended:
            process.kill()
        self.ended(process)

    def terminate(self, process: Process) -> None:
        if not process.ended:
            process.send(SIGTERM)
        self.ended(process)

    def freeze(self, process: Process) -> None:
        """A machine that is suspended, or a process that is stopped: others may judge meanwhile."""
        if process.ended:
            return
        process.send(SIGSTOP)
        time.sleep(self.chance.uniform(0.2, 2.5))
        process.send(SIGCONT)

    def colleague(self) -> None:
        if self.chance.random() < 0.3:
            id_ = self.chance.choice(list(self.lab.sandbox.world.appointments))
            with self.lab.sandbox.lock:
                is_there = self.lab.sandbox.appointment(id_).cancellation is None
            if is_there:
                cancel_elsewhere(self.lab.sandbox, id_)
                self.elsewhere.add(id_)
                self.lab.elsewhere = frozenset(self.elsewhere)

    def restore(self) -> None:
        """Put an older copy of the ledger back, or leave its newest commits behind: no run takes it."""
        ledger, now = self.lab.ledger, self.lab.folder / f"now-{self.copies}"
        self.copies += 1
        _copy(ledger, now)
        if self.older is not None and _events(self.older / ledger.name) < _events(now / ledger.name):
            _copy(self.older / ledger.name, ledger.parent)
            posts = self.lab.posts
            refused = self.lab.run()
            self.lab.runs.remove(refused)
            assert refused.code in REFUSED, refused.stderr
            assert self.lab.posts == posts
            _copy(now / ledger.name, ledger.parent)
            self.restores += 1
        self.older = now


def _events(ledger: Path) -> int:
    return len(read_past(ledger).events)


def _copy(ledger: Path, to: Path) -> None:
    to.mkdir(exist_ok=True)
    for suffix in ("", "-wal", "-shm"):
        (to / f"{ledger.name}{suffix}").unlink(missing_ok=True)
        if suffix != "-shm" and Path(f"{ledger}{suffix}").exists():
            shutil.copyfile(f"{ledger}{suffix}", to / f"{ledger.name}{suffix}")


def survive(make_lab: MakeLab, seed: int, *, times: int, count: int) -> Ordeal:
    options: SandboxOptions = replace(LIMIT, seed=seed)
    lab = make_lab(options, count=count, concurrency="4", settle=SETTLE, timeout="800ms")
    ordeal = Ordeal(lab, random.Random(seed))
    ordeal.interrupted(times)
    codes = []
    for _ in range(3):
        codes.append(lab.run(wait="").code)
        if codes[-1] in (0, 3):
            break
    last = lab.runs[-1]
    assert codes[-1] in (0, 3), f"{codes}: {told(last).get('next', last.stderr)}"
    lab.wait_for(lambda: lab.sandbox.truth().late == 0)
    assert not lab.sandbox.truth().doubled
    _is_as_the_server_has_it(lab)
    lab.check()
    return ordeal


def _is_as_the_server_has_it(lab: Lab) -> None:
    states = {record.target.appointment_id: record.state for record in read_past(lab.ledger).rows if record.target}
    assert set(states) == set(made_ids(len(states)))
    for id_, state in states.items():
        is_gone = lab.sandbox.appointment(id_).cancellation is not None
        assert (state in GONE) == is_gone or state == Status.UNKNOWN, f"{id_} is {state}, and cancelled: {is_gone}"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 21))
def test_twelve_interruptions_among_everything_else(make_lab: MakeLab, seed: int) -> None:
    assert survive(make_lab, seed, times=12, count=120).hits >= 8
