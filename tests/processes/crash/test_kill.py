"""kill -9 at any point, then run again until done: nothing is cancelled twice, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.processes import Zygote
from support.sweep import FIRST_RUN, RECOVERY, Stage, Sweeper, one_of_each


@pytest.fixture
def sweeper(tmp_path: Path, zygote: Zygote) -> Sweeper:
    return Sweeper(tmp_path, zygote)


#: The seams of the short sweep, where the kernel has a part in it: half a write, and a request that has left.
#: The order inside a worker is killed at every step by the simulated world.
SEAMS = {
    FIRST_RUN: {"within wal write", "http send_request_body.complete"},
    RECOVERY: {"within wal write"},
}
STAGES = pytest.mark.parametrize("stage", [FIRST_RUN, RECOVERY], ids=["first run", "recovery"])


@STAGES
def test_a_run_that_is_killed_converges(sweeper: Sweeper, stage: Stage) -> None:
    points = one_of_each(sweeper.points(stage), SEAMS[stage])
    assert len(points) == len(SEAMS[stage])
    assert sweeper.failures(stage, points) == []


@pytest.mark.long
@STAGES
def test_a_run_that_is_killed_at_any_seam_converges(sweeper: Sweeper, stage: Stage) -> None:
    """One passing of each; each passing of the seams above the kernel is killed by the simulated world."""
    noted = sweeper.points(stage)
    points = one_of_each(noted, {point.rpartition(":")[0] for point in noted})
    assert sweeper.failures(stage, points) == []
    assert sweeper.kills >= len(points) * 0.9  # the last passings of a seam depend on who shares whose commit
    print(f"{sweeper.kills} kills at {len(points)} seams")
