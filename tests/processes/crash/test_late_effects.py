"""A server that carries a cancel out late: nothing is sent a second time while it still may."""

from __future__ import annotations

import time
from dataclasses import replace
from signal import SIGCONT

import pytest

from bulk_cancel.sandbox.world import Kind, Wanted, World
from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, Lab, made_ids, told

FIRST, SECOND, *OTHERS = made_ids(4)
SERIES = World.of([Wanted(Kind.SERIES, id_) for id_ in made_ids(4)])
WHOLE_SERIES = "appointment_id,cancel_entire_series"


def test_a_process_that_was_stopped_between_intent_and_send_waits_from_the_send_on(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, faults=f"lost@{FIRST}"), settle="1.5s", concurrency="1", count=2)
    process = lab.start({"before cancel:1": "stop"}, wait="")
    lab.wait_for(lambda: "stopped" in _status(process.pid))
    time.sleep(2)
    process.send(SIGCONT)
    assert lab.finish(process).code == 0
    lab.check()  # the second send came a settle time after the first, not after the intent


@pytest.mark.long
def test_a_server_that_takes_its_time_is_waited_for_from_the_timeout_on(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, faults=f"delay@{FIRST}:2.2s"), settle="1.2s", timeout="1.5s", count=2)
    assert lab.run(wait="").code == 0
    assert lab.posts == 2
    _nothing_is_doubled(lab)


def test_a_second_row_of_a_series_is_read_before_it_is_sent(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, world=SERIES), look="never")
    lab.write_input([f"{FIRST},yes", f"{SECOND},yes"], WHOLE_SERIES)
    counts = told(lab.run())["counts"]
    assert (counts["cancelled"], counts["rejected"], lab.posts) == (1, 1, 1)
    assert not lab.sandbox.truth().doubled


def test_a_series_waits_while_another_one_is_open(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, world=SERIES, faults=f"late@{FIRST}:0.6s"), settle="1s")
    lab.write_input([f"{FIRST},yes", f"{SECOND},yes"], WHOLE_SERIES)
    ended = lab.run()
    assert ended.code == 4
    assert told(ended)["counts"] | {"unknown": 1, "pending": 1} == told(ended)["counts"]
    lab.wait_for(lambda: lab.sandbox.truth().late == 0)
    time.sleep(1.2)
    counts = told(lab.run())["counts"]
    assert (counts["unknown"], counts["rejected"], counts["pending"]) == (1, 1, 0), "a person has to look at the series"
    assert lab.posts == 1
    assert not lab.sandbox.truth().doubled


def _nothing_is_doubled(lab: Lab) -> None:
    time.sleep(0.8)  # a delayed effect, other than a late one, is not announced
    lab.check()
    assert dict(lab.sandbox.truth().applied) == {FIRST: 1, SECOND: 1}


def _status(pid: int) -> str:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123
        return file.read()
