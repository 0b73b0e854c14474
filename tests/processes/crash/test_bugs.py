"""A bug of ours in one worker: the others drain, the exit code says so, and no secret gets into the traceback."""

from __future__ import annotations

import pytest

from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from processes.crash.conftest import MakeLab
from support.lab import Lab, told


@pytest.mark.parametrize(
    ("seam", "log_format"),
    [
        ("before cancel:2", "console"),
        pytest.param("after cancel:2", "json", marks=pytest.mark.long),
        pytest.param("before append:5", "console", marks=pytest.mark.long),
        ("after append:5", "json"),
    ],
)
def test_the_others_drain_and_a_rerun_finishes(make_lab: MakeLab, seam: str, log_format: str) -> None:
    lab = make_lab(count=12)
    log = lab.folder / "log"
    ended = lab.run({seam: "bug"}, log_format=log_format, log_file=str(log))
    assert ended.code == 1
    counts = told(ended)["counts"]
    assert counts["pending"] > 0
    assert sum(counts.values()) == 12
    assert "a seeded bug" in ended.stderr
    for text in (ended.stderr, log.read_text()):
        assert OWNER_TOKEN not in text
        assert "locals" not in text
    lab.check_converges()


@pytest.mark.long
def test_a_bug_during_a_read_ends_with_1_and_the_next_run_recovers(lab: Lab) -> None:
    lab.run({"after cancel:1": "kill"})
    assert lab.run({"before read:1": "bug"}).code == 1
    lab.check_converges()
