"""The credential expires in the middle of a run: it halts at once, and a rerun completes."""

from __future__ import annotations

from dataclasses import replace

from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, made_ids, told


def test_a_credential_that_expires(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, faults=f"401@{made_ids(12)[4]}"), count=12)
    ended = lab.run(look="never")  # in the order of the rows
    counts = told(ended)["counts"]
    assert ended.code == 77
    assert counts["cancelled"] + counts["pending"] == 12
    assert counts["pending"] >= 12 - 4 - 3  # those before it, and what the other two workers had begun
    assert "credential" in told(ended)["next"]
    lab.check_converges()


def test_a_credential_that_may_not_cancel(make_lab: MakeLab) -> None:
    lab = make_lab(replace(HOSTILE, faults="403=1"), count=12)
    ended = lab.run()
    counts = told(ended)["counts"]
    assert (ended.code, counts["pending"], counts["rejected"]) == (77, 12, 0)
    lab.sandbox.set_faults("")
    lab.check_converges()
