"""Hundreds of appointments, a third of the answers faulty, kill -9 again and again: each is cancelled exactly once."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from bulk_cancel.sandbox.options import SandboxOptions
from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, Lab

#: The share of cancels that meet each fault. Those that the API cannot mean come last: three in a row halt a run.
CANCELS = {
    "lost": 0.03,
    "lost-after": 0.03,
    "reset-after": 0.02,
    "cut": 0.02,
    "cut-after": 0.03,
    "truncated-after": 0.02,
    "late": 0.02,
    "hang": 0.01,
    "hang-after": 0.01,
    "delay": 0.01,
    "500-after": 0.02,
    "502": 0.02,
    "503-late": 0.01,
    "504-after": 0.01,
    "429": 0.01,
    "html": 0.01,
    "empty-after": 0.01,
    "not-cancelled-after": 0.01,
    "redirect": 0.01,
}
READS = {"get:500": 0.02, "get:lost": 0.02, "get:cut": 0.02, "get:html": 0.01, "stale": 0.05}
DURATIONS = {"late": ":800ms", "503-late": ":1s", "delay": ":900ms", "stale": ":500ms"}
LIMIT = replace(HOSTILE, rate_per_s=150, burst=150)


def faults() -> str:
    return ",".join(f"{name}={chance}{DURATIONS.get(name, '')}" for name, chance in (CANCELS | READS).items())


def options(seed: int) -> SandboxOptions:
    return replace(LIMIT, faults=faults(), seed=seed)


def test_about_a_third_of_the_answers_are_faulty() -> None:
    assert 0.29 <= sum(CANCELS.values()) <= 0.33


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 6))
def test_three_hundred_appointments_and_five_kills(make_lab: MakeLab, seed: int) -> None:
    _survive(make_lab(options(seed), count=300, concurrency="8", settle="2s"), kills=5, seed=seed, latest_s=0.2)


def _survive(lab: Lab, *, kills: int, seed: int, latest_s: float) -> None:
    """Kill within `latest_s` of the sixth cancel of each run: enough is left to be sent for the next one."""
    moments = random.Random(seed)
    for _ in range(kills):
        posts = lab.posts
        process = lab.start(wait="")
        lab.wait_for(lambda before=posts: lab.posts > before + 5)
        time.sleep(moments.uniform(0, latest_s))
        assert process.kill() == -9
        lab.finish(process)
    lab.check_converges()
    assert len(lab.crashes) == kills
