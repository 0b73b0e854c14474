"""A scheduler's tick that comes twice, or after a run that was killed, does no harm."""

from __future__ import annotations

from dataclasses import replace
from signal import SIGKILL

import pytest

from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, Lab, told

SLOW = replace(HOSTILE, latency_s=0.1)


def both(lab: Lab, **more: str) -> list[int]:
    """Start two at the same time; return their codes."""
    processes = [lab.start(**more), lab.start(**more)]
    codes = [lab.finish(process).code for process in processes]
    # The checker wants them in their order over the ledger: whoever sent something had the lock first.
    lab.runs[-2:] = sorted(
        lab.runs[-2:], key=lambda ended: "run_id" in ended.stdout and -told(ended)["requests"]["posts"]
    )
    return codes


def test_of_two_starts_at_once_the_second_waits_for_the_first(make_lab: MakeLab) -> None:
    lab = make_lab(SLOW, count=12)
    assert both(lab, lock_wait="30s") == [0, 0]
    assert sorted(told(ended)["requests"]["posts"] for ended in lab.runs) == [0, 12]
    lab.check_converges()


def test_of_two_starts_at_once_the_second_is_refused_without_lock_wait(make_lab: MakeLab) -> None:
    lab = make_lab(replace(SLOW, latency_s=1.0), count=12, timeout="10s")
    assert sorted(both(lab)) == [0, 75]
    lab.check_converges()


def test_two_starts_at_once_after_a_kill_finish_the_run(make_lab: MakeLab) -> None:
    lab = make_lab(SLOW, count=12)
    assert lab.run({"after cancel:4": "kill"}).code == -SIGKILL
    assert both(lab, lock_wait="30s", wait="") == [0, 0]
    lab.check_converges()


@pytest.mark.long
def test_a_deadline_leaves_the_rest_to_the_next_tick(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, rate_per_s=2, burst=8), count=30)
    ended = lab.run(max_duration="3s")
    assert ended.code == 5
    assert told(ended)["next"].startswith("The time of 3 s is over.")
    assert told(ended)["counts"]["unknown"] == 0
    lab.check()
    assert lab.run().code == 0
    lab.check()
