"""One run for each ledger, and one for each credential. A lock frees itself when its holder is killed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bulk_cancel.sandbox.credentials import HOST_TOKEN
from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, Lab
from support.processes import Process


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(replace(HOSTILE, faults="hang-after=1:30s"), timeout="30s")


@pytest.fixture
def holder(lab: Lab) -> Iterator[Process]:
    """A run that holds its locks: its first cancels are never answered."""
    process = lab.start()
    lab.wait_for(lambda: lab.posts == 3)
    yield process
    lab.sandbox.set_faults("")
    process.kill()


def test_a_second_run_over_the_ledger_is_refused(lab: Lab, holder: Process) -> None:
    lab.token = HOST_TOKEN  # another credential: the ledger alone is in the way
    second = lab.run()
    assert second.code == 75
    assert lab.ledger.name in second.stderr
    assert f"process {holder.pid} on {socket.gethostname()}" in second.stderr
    assert json.loads(second.stdout)["exit_code"] == 75
    assert lab.posts == 3


def test_a_second_ledger_may_not_use_the_credential_at_the_same_time(lab: Lab, holder: Process) -> None:
    lab.name = "other.db"
    second = lab.run()
    assert second.code == 75
    assert "credential" in second.stderr
    assert f"process {holder.pid}" in second.stderr
    assert lab.token not in second.stderr
    assert not lab.ledger.exists()
    assert lab.posts == 3


def test_a_killed_holder_holds_nothing(lab: Lab, holder: Process) -> None:
    holder.kill()
    lab.finish(holder)
    lab.sandbox.set_faults("")
    lab.check_converges()


def test_a_run_may_wait_for_the_lock(lab: Lab, holder: Process) -> None:
    second = lab.start(lock_wait="30s", wait="")
    with pytest.raises(TimeoutError):
        second.wait(0.7)
    lab.sandbox.set_faults("")
    holder.kill()
    assert lab.finish(second).code == 0
    lab.check_converges()
