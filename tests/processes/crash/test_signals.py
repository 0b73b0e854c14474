"""The first signal drains, the second one kills; nothing is lost either way."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM

import pytest

from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, made_ids, told

SLOW = replace(HOSTILE, latency_s=0.5)
SCARCE = replace(HOSTILE, rate_per_s=1 / 30, burst=4)
STEADY = replace(HOSTILE, rate_per_s=20, burst=10)
#: That the others are taken for the same is shown in tests/unit/ops; SIGINT also in tests/processes/commands.
DRAINING = pytest.mark.parametrize(
    "number", [SIGTERM, pytest.param(SIGINT, marks=pytest.mark.long), pytest.param(SIGHUP, marks=pytest.mark.long)]
)


@DRAINING
def test_the_first_signal_drains(make_lab: MakeLab, number: signal.Signals) -> None:
    lab = make_lab(SLOW, timeout="10s", count=12)
    process = lab.start()
    lab.wait_for(lambda: lab.posts == 3)
    process.send(number)
    lab.wait_for(lambda: "run.draining" in process.stderr.read_text(), seconds=0.5)
    ended = lab.finish(process)
    assert ended.code == 5
    assert number.name in told(ended)["next"]
    assert "3 requests in flight" in ended.stderr
    assert (told(ended)["counts"]["cancelled"], told(ended)["counts"]["pending"], lab.posts) == (3, 9, 3)
    lab.check()


@pytest.mark.parametrize("number", [SIGINT, pytest.param(SIGTERM, marks=pytest.mark.long)])
def test_the_second_signal_kills_within_a_second(make_lab: MakeLab, number: signal.Signals) -> None:
    lab = make_lab(replace(HOSTILE, faults="hang-after=1:20s"), timeout="30s")
    process = lab.start()
    lab.wait_for(lambda: lab.posts == 3)
    process.send(number)
    lab.wait_for(lambda: "run.draining" in process.stderr.read_text())
    process.send(number)
    assert lab.finish(process, seconds=1).code == -number
    assert "run.stopped_at_once" in process.stderr.read_text(), "it says what it did"
    lab.sandbox.set_faults("")
    lab.check_converges()


def test_a_run_that_waits_for_the_limit_stops_at_once(make_lab: MakeLab) -> None:
    lab = make_lab(SCARCE, look="never")
    process = lab.start()
    lab.wait_for(lambda: lab.posts == 1)
    process.send(SIGINT)
    ended = lab.finish(process, seconds=1.5)
    counts = told(ended)["counts"]
    assert (ended.code, counts["cancelled"], counts["unknown"], counts["pending"]) == (5, 1, 0, 5)


def test_a_stopped_process_goes_on_within_the_limit(make_lab: MakeLab) -> None:
    lab = make_lab(STEADY, count=30)
    process = lab.start()
    lab.wait_for(lambda: lab.posts >= 12)
    process.send(SIGSTOP)
    time.sleep(1)
    process.send(SIGCONT)
    assert lab.finish(process).code == 0
    lab.check()


def test_a_deadline_that_passed_while_stopped_is_an_unknown(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, faults=f"hang-after@{made_ids(1)[0]}"), count=3, settle="60s")
    process = lab.start()
    lab.wait_for(lambda: lab.posts == 3)
    process.send(SIGSTOP)
    time.sleep(1.2)
    process.send(SIGCONT)
    ended = lab.finish(process)
    assert ended.code in (0, 4)  # 0: reconciled by a read at once
    assert lab.posts == 3
    lab.check()


def test_a_crash_loop_does_not_take_the_burst_each_time(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, rate_per_s=4, burst=9), count=12, concurrency="1")
    assert lab.run({"after cancel:6": "kill"}).code == -SIGKILL
    assert lab.run({"after cancel:3": "kill"}).code == -SIGKILL
    lab.check()


def test_a_pause_that_the_server_asked_for_outlives_a_kill(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, faults="get:429", retry_after="2"))
    process = lab.start()
    lab.wait_for(lambda: len(lab.sandbox.arrivals()) == 1)
    lab.wait_for(lambda: "run.throttled" in process.stderr.read_text())
    time.sleep(0.2)
    process.kill()
    lab.finish(process)
    lab.sandbox.set_faults("")
    lab.until_done()
    first, second, *_ = lab.sandbox.arrivals()
    assert second.at - first.at >= 2
