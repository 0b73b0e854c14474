"""Somebody sets the wall clock between two runs of the same boot: no decision changes."""

from __future__ import annotations

import time
from dataclasses import replace
from signal import SIGKILL

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.core.clock import PaceRecord, TimeBase, send_within
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, Lab, told

JUMPS = pytest.mark.parametrize("jump_s", [-172_800.0, 172_800.0])
#: Intents are aged, and the limiter's state is kept, by the wall clock of the run that wrote them.
WITHOUT_AGES = frozenset({5})

seconds = st.floats(0, 1e6)
jumps = st.floats(-1e7, 1e7)


@given(jump_s=jumps, intent=seconds, waited=seconds)
def test_the_age_of_an_intent_ignores_the_wall_clock(jump_s: float, intent: float, waited: float) -> None:
    then, now = TimeBase("boot", 1.7e9), TimeBase("boot", 1.7e9 + jump_s)
    assert now.age_s(then.wall(intent), then, intent + waited) == pytest.approx(waited, abs=1e-3)


@given(jump_s=jumps, tat=seconds)
def test_the_pace_ignores_the_wall_clock(jump_s: float, tat: float) -> None:
    record = PaceRecord(TimeBase("boot", 1.7e9).wall(tat), tat, "boot")
    assert record.tat(TimeBase("boot", 1.7e9 + jump_s), tat, 900.0) == tat


@JUMPS
def test_an_unknown_target_is_not_sent_before_its_settle_time(make_lab: MakeLab, jump_s: float) -> None:
    lab = make_lab(settle="60s", concurrency="1", count=2)
    lab.run({"before cancel:1": "kill"})
    ended = lab.run(wall_jump_s=jump_s)
    assert (ended.code, told(ended)["counts"]["unknown"], lab.posts) == (4, 1, 1)
    _clock_was_set(lab, jump_s)


@pytest.mark.long
@JUMPS
def test_an_unknown_target_is_sent_after_its_settle_time(make_lab: MakeLab, jump_s: float) -> None:
    lab = make_lab(settle="1s", concurrency="1", count=2)
    lab.run({"before cancel:1": "kill"})
    time.sleep(send_within(1.0) + 1.0)  # as long as it may have left after its intent, and the settle time
    ended = lab.run(wall_jump_s=jump_s)
    assert (ended.code, lab.posts) == (0, 2)
    lab.check(without=WITHOUT_AGES)
    _clock_was_set(lab, jump_s)


@pytest.mark.long
def test_the_burst_is_not_granted_again(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, rate_per_s=1, burst=9), count=12, concurrency="1")
    assert lab.run({"after cancel:6": "kill"}).code == -SIGKILL
    assert lab.run({"after cancel:3": "kill"}, wall_jump_s=172_800.0).code == -SIGKILL
    lab.check(without=WITHOUT_AGES)


def _clock_was_set(lab: Lab, jump_s: float) -> None:
    """Or the test would prove nothing."""
    ledger = SqliteLedger.open_to_read(lab.ledger)
    assert ledger.runs()[0].started_at - time.time() == pytest.approx(jump_s, abs=60)
    ledger.close()
