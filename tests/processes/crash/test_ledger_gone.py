"""The ledger's file is deleted or replaced during a run: the run halts, nothing more is sent."""

from __future__ import annotations

import pytest

from processes.crash.conftest import MakeLab
from support.lab import Lab


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(concurrency="1")


@pytest.mark.parametrize("act", ["remove", "exchange"])
@pytest.mark.parametrize("file", ["ledger.db", "ledger.db-wal"])
def test_the_run_halts(lab: Lab, act: str, file: str) -> None:
    ended = lab.run({"before append:6": f"{act} {lab.folder / file}"})
    assert ended.code == 78
    assert lab.posts == 2
    assert "moved, deleted or replaced while in use" in ended.stderr
    assert "Put it back" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_answer_that_comes_after_it_is_told(lab: Lab) -> None:
    ended = lab.run({"before cancel:3": f"remove {lab.ledger}"})
    assert ended.code == 78
    assert lab.posts == 3
    assert "NOT RECORDED" in ended.stderr


def test_a_ledger_that_is_gone_is_not_begun_anew_beside_its_journal(lab: Lab) -> None:
    lab.run({"before append:6": "kill"})
    lab.ledger.unlink()
    ended = lab.run()
    assert ended.code == 78
    assert "still holds a part of its history" in ended.stderr
    assert lab.posts == 2
