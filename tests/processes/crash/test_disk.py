"""The disk refuses the ledger. Before a send: nothing is sent. After an answer: a person is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes.crash.conftest import MakeLab
from support.lab import Lab, told

REFUSALS = pytest.mark.parametrize(
    ("step", "refusal"),
    [("before wal write", "full"), pytest.param("before wal sync", "ioerr", marks=pytest.mark.long)],
)


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """One worker: the same writes in the same order each time."""
    return make_lab(count=3, concurrency="1")


@REFUSALS
def test_a_refused_intent_is_not_sent(lab: Lab, make_lab: MakeLab, step: str, refusal: str) -> None:
    number = _passings(make_lab(name="rehearsal", count=3, concurrency="1"), step, before="before cancel:1")
    ended = lab.run({f"{step}:{number}+": refusal})
    assert ended.code == 74
    assert lab.posts == 0
    assert str(lab.ledger) in ended.stderr
    assert "Free some space" in ended.stderr
    assert "Traceback" not in ended.stderr
    lab.check_converges()


@REFUSALS
def test_an_outcome_that_is_not_recorded_is_told_and_looked_up(
    lab: Lab, make_lab: MakeLab, step: str, refusal: str
) -> None:
    number = _passings(make_lab(name="rehearsal", count=3, concurrency="1"), step, before="after cancel:1") + 1
    ended = lab.run({f"{step}:{number}+": refusal})
    assert ended.code == 74
    assert lab.posts == 1
    (line,) = [line for line in ended.stderr.splitlines() if "NOT RECORDED" in line]
    assert next(arrival.target for arrival in lab.sandbox.arrivals() if arrival.method == "POST") in line
    assert "cancelled" in line
    assert "Traceback" not in ended.stderr
    again = lab.run()
    assert (again.code, told(again)["requests"]["posts"]) == (0, 2)
    lab.check()


def _passings(lab: Lab, seam: str, *, before: str) -> int:
    """How often an undisturbed run passes `seam` before the point `before`."""
    noted = lab.folder / "noted"
    lab.run(noted=noted)
    points = noted.read_text().splitlines()
    return sum(point.rpartition(":")[0] == seam for point in points[: points.index(before)])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_during_the_run(make_lab: MakeLab, small_disk: Path) -> None:
    lab = make_lab(count=60, concurrency="2")
    lab.name = str(small_disk / "ledger.db")
    ended = lab.run()
    assert ended.code == 74
    assert 0 < lab.posts < 60
    _status_says_what_the_run_said(lab)
    lab.crashes.clear()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    lab.check_converges()


def _status_says_what_the_run_said(lab: Lab) -> None:
    status = json.loads(lab.command("status", "--ledger", str(lab.ledger), "--json").stdout)
    (run,) = status["runs"]
    assert (run["how"], run["exit_code"], status["refusal"]) == ("ended", 74, None)
    assert f"The disk refused the ledger {lab.ledger}" in run["said"]
    assert status["next"].count("Type: ") == 1
    assert not re.search("killed|refused, exit", json.dumps(status))
