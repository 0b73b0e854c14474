"""kill -9 at the n-th send of a whole, ordinary process, enumerated by strace: no seam of ours is in the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from processes.crash.conftest import MakeLab
from support.lab import HOSTILE, Lab, made_ids

STRACE = shutil.which("strace")
#: Those to the API, and those by which threads wake the event loop: every third is enough to meet each kind.
MOST_SENDS, STEP = 240, 3


def _works() -> bool:
    """Without the right to trace other processes, as in many containers, strace exists and fails."""
    return (
        STRACE is not None and subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    )


@pytest.mark.long
@pytest.mark.skipif(not _works(), reason="strace is not there or may not trace")
def test_a_run_killed_at_any_send_recovers(make_lab: MakeLab) -> None:
    first, second, *_ = made_ids(4)
    for number in range(1, MOST_SENDS, STEP):
        options = replace(HOSTILE, faults=f"lost-after@{first},late@{second}:500ms")
        lab = make_lab(options, name=f"lab-{number}", count=4)
        code = _run_killed_at_send(lab, number)
        if code != -9:
            assert number > 5, f"exit code {code} although killed at send {number}"
            return
        lab.keep_copy()
        lab.check_converges()
    raise AssertionError(f"more than {MOST_SENDS} sends for four appointments")


def _run_killed_at_send(lab: Lab, number: int) -> int:
    inject = ["-e", "trace=sendto", "-e", f"inject=sendto:signal=KILL:when={number}", "-o", "/dev/null"]
    command = [sys.executable, "-m", "bulk_cancel", *lab.argv(lab.folder / "out")]
    done = subprocess.run(
        [str(STRACE), "-f", "-q", *inject, *command], env=lab.environ(), cwd=lab.folder, capture_output=True
    )
    return done.returncode
