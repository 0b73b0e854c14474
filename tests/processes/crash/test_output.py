"""stdout is gone or full: the ledger and the files come first, the exit code tells, no traceback."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_cancel.errors import Exit
from support.checker import Ended
from support.lab import Lab

FULL = Path("/dev/full")


def test_a_full_stdout(lab: Lab) -> None:
    if not FULL.exists():
        pytest.skip("this machine has no /dev/full")
    with FULL.open("w") as full:
        _ends_well_but_silent(lab, full.fileno())


@pytest.mark.long
def test_a_run_survives_a_stdout_without_a_reader(lab: Lab) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        _ends_well_but_silent(lab, writer)
    finally:
        os.close(writer)


@pytest.mark.long
def test_a_closed_stdout(lab: Lab) -> None:
    out = lab.folder / "out"
    done = _in_a_shell(lab, out, ">&-")
    assert done.returncode == Exit.DISK
    assert "Traceback" not in done.stderr
    assert json.loads((out / "summary.json").read_text())["counts"]["cancelled"] == lab.posts == 6


@pytest.mark.long
def test_a_closed_stderr(lab: Lab) -> None:
    done = _in_a_shell(lab, lab.folder / "out", "2>&-")
    assert (done.returncode, json.loads(done.stdout)["exit_code"], lab.posts) == (0, 0, 6)


def _in_a_shell(lab: Lab, out: Path, redirection: str) -> subprocess.CompletedProcess[str]:
    command = shlex.join([sys.executable, "-m", "bulk_cancel", *lab.argv(out)])
    return subprocess.run(
        f"{command} {redirection}", shell=True, env=lab.environ(), cwd=lab.folder, capture_output=True, text=True
    )


def _ends_well_but_silent(lab: Lab, stdout: int) -> None:
    out = lab.folder / "out"
    done = lab.run_command(*lab.argv(out), stdout=stdout, stderr=-1)
    assert done.returncode == Exit.DISK
    assert "Traceback" not in done.stderr
    assert "stdout cannot be written" in done.stderr
    assert {"results.csv", "results.parquet", "summary.json"} <= {path.name for path in out.iterdir()}
    lab.runs.append(Ended(done.returncode, "", done.stderr, out))
    lab.check_converges()
