"""The simulated world: no history breaks an invariant, each is the same in every process, and a bug is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_cancel.core.outcome import Kind
from bulk_cancel.engine import sender
from world.history import play
from world.many import scenario_of
from world.ran import Played
from world.scenario import Scenario
from world.shrink import shrink
from world.story import tell

TESTS = Path(__file__).resolve().parents[1]


#: The others are played by `make world`, too.
PARTS = [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, 4))]


@pytest.mark.parametrize("part", PARTS)
def test_hostile_histories_break_no_invariant(part: int) -> None:
    for seed in range(1 + 25 * part, 26 + 25 * part):
        played = play(scenario_of(seed))
        assert not played.violations, f"{played.violations}; see it with: make world SEED={seed}"


@pytest.mark.process
def test_a_seed_is_the_same_history_in_every_process() -> None:
    command = [sys.executable, "-m", "world", "--seeds", "1..10", "--digests"]
    environs = [
        {**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}{os.pathsep}{TESTS}", "PYTHONHASHSEED": seed}
        for seed in ("1", "2")
    ]
    told = [subprocess.run(command, env=environ, capture_output=True, text=True, check=True) for environ in environs]
    assert told[0].stdout.count("\n") == 10
    assert len({one.stdout for one in told}) == 1


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel that was not answered is sent again at once: what the program must never do."""
    monkeypatch.setitem(sender._CONCLUSIONS, Kind.NO_ANSWER, sender.Sender._not_processed)


@pytest.fixture
def failed(broken: None) -> Played:
    found = (play(Scenario(seed)) for seed in range(1, 200))
    return next(played for played in found if played.violations and played.violations[0].startswith("invariant 1:"))


def test_a_bug_is_found_made_small_and_told(failed: Played) -> None:
    small = shrink(failed)
    assert small.violations
    assert len(small.scenario.rows) <= 2
    story = "\n".join(tell(small))
    assert "VIOLATED" in story
    assert "cancel 2 sent" in story or "cancel 3 sent" in story
    assert "recorded: row 2: intent, attempt 1" in story
    assert "  row 2: unknown, at the end" in story or "  row 2: cancelled, at the end" in story
