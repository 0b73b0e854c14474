"""Machines as they are: few open files, a container's first process, a disk without room for the results."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_cancel.errors import Exit
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from support.shell import QUICK, Shell

RUN = ("run", "a.csv", "--yes", "--no-skip-past", "--out", "out", *QUICK)
FIRST = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")


def as_shell(shell: Shell, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the program in a shell that sets something up first."""
    command = shlex.join([sys.executable, "-m", "bulk_cancel", *words])
    return subprocess.run(
        ["sh", "-c", f"{script}; exec {command}"],
        cwd=shell.folder, env=shell.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def rows(sandbox: Sandbox, write: Callable[[str, str], Path]) -> int:
    sandbox.reset(SandboxOptions(count=60, rate_per_s=10_000, burst=10_000))
    write("a.csv", "\n".join(["id", *sandbox.world.appointments]))
    return 60


def test_as_many_workers_as_files_that_may_be_open(shell: Shell, rows: int) -> None:
    done = as_shell(shell, "ulimit -n 256", *RUN, "--concurrency", "256")
    assert done.returncode in (Exit.OK, Exit.REFUSED_ROWS), done.stderr
    assert "This machine lets the program open few files (ulimit -n):" in done.stderr
    assert "not 256." in done.stderr
    assert "breaker.open" not in done.stderr


@pytest.mark.parametrize("limit", [18, *(pytest.param(limit, marks=pytest.mark.long) for limit in (12, 24))])
def test_a_machine_that_lets_nothing_be_opened_is_named(shell: Shell, rows: int, limit: int) -> None:
    done = as_shell(shell, f"ulimit -n {limit}", *RUN, "--concurrency", "256")
    assert done.returncode not in (Exit.OK, Exit.BUG), done.stderr
    assert "This is a bug" not in done.stderr
    assert "The output cannot be written" not in done.stderr


def test_the_first_process_of_a_container_ends_at_the_first_sigterm(shell: Shell) -> None:
    if subprocess.run([*FIRST, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody make a process the first one")
    reader, writer = os.pipe()
    command = [*FIRST, sys.executable, "-m", "bulk_cancel", "plan", "-", "--look", "never"]
    with subprocess.Popen(command, cwd=shell.folder, env=shell.environ, stdin=reader) as process:
        os.write(writer, b"id\n")
        first = _child_of(process.pid)
        time.sleep(1.5)  # it has begun, and waits for its input, which never ends
        os.kill(first, signal.SIGTERM)
        assert process.wait(timeout=20) == 128 + signal.SIGTERM
    os.close(writer)
    os.close(reader)


def _child_of(pid: int) -> int:
    for _ in range(500):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    raise AssertionError("it started nothing")


def test_a_run_without_result_files_does_not_claim_more_than_the_ledger_has(shell: Shell, rows: int) -> None:
    """The result files cannot be written: that is one line, and what was recorded can be written again."""
    out = shell.folder / "out"
    out.mkdir()
    (out / ".writing").write_text("in the way", encoding="utf-8")
    done = as_shell(shell, "true", *RUN)
    assert done.returncode == Exit.DISK
    assert "the files of the run cannot be written to out" in done.stderr
    assert "has everything" not in done.stderr
    assert "What was recorded is in the ledger" in done.stderr
