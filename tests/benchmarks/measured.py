"""Runs what is measured as a process of its own on the first core, and reads what it used from the kernel.

The server has the other core (server.py), so that neither takes time from the other. What a process started itself and
waited for counts as its own.
"""

from __future__ import annotations

import os
import random
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CORE = 0
TOKEN = "rgo-benchmark"
REASON = "Our office is closed on Monday. Please book again online."
_OWN_SETTINGS = ("MEETERGO_", "BULK_CANCEL_")


@dataclass(frozen=True)
class Used:
    """What a process used, from its start to its end."""

    wall_s: float
    cpu_s: float  #: user and system, all threads and all processes it waited for
    voluntary_switches: int
    output: str


@dataclass(frozen=True)
class Command:
    """What to run, and the file it reads as standard input."""

    arguments: Sequence[str]
    stdin: Path | None = None


def use(command: Command, environ: Mapping[str, str] | None = None, watch: Callable[[int], None] | None = None) -> Used:
    """Run a command on the first core and return what it used. `watch` sees its process id about once a second.

    Raises RuntimeError when it fails: a client that does not do its work costs nothing.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # and the command with it
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        with open(command.stdin or os.devnull, "rb") as stdin:  # noqa: PTH123  there is no Path(None)
            began = time.monotonic()
            process = subprocess.Popen(
                command.arguments, stdin=stdin, stdout=output, stderr=errors, env=environ, preexec_fn=_first_core
            )
        usage = _waited_for(process, watch)
        wall = time.monotonic() - began
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{command.arguments[:4]} failed with {process.returncode}: {errors.read()[-2000:]}")
        output.seek(0)
        return Used(wall, usage.ru_utime + usage.ru_stime, usage.ru_nvcsw, output.read(1_000_000))


def _first_core() -> None:
    if CORE in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {CORE})


def _waited_for(process: subprocess.Popen[bytes], watch: Callable[[int], None] | None) -> resource.struct_rusage:
    ended = os.pidfd_open(process.pid)
    try:
        while watch is not None and not select.select([ended], [], [], 1)[0]:
            watch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        os.close(ended)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


# -- what bulk-cancel is given -----------------------------------------------------------------------


def made_ids(rows: int) -> list[str]:
    """Return so many ids, the same each time, as random as those of the API."""
    chance = random.Random(rows)
    return [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(rows)]


def write_input(path: Path, ids: Sequence[str]) -> Path:
    """Write an input that names these appointments, each with a reason."""
    path.write_text("appointment_id,reason\n" + "".join(f"{one},{REASON}\n" for one in ids))
    return path


def environment(folder: Path, url: str) -> dict[str, str]:
    """Return an environment in which nobody's own settings, ledger and locks take part."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
    state = {"XDG_STATE_HOME": str(folder / "state"), "PARALLEL_HOME": str(folder / "parallel")}
    return {**kept, **state, "MEETERGO_API_URL": url, "MEETERGO_TOKEN": TOKEN}


def run_command(source: Path, folder: Path, *options: str) -> Command:
    """Return the command that does a whole run with a ledger of its own: input, plan, sends, results."""
    places = [f"--ledger={folder / 'ledger.db'}", f"--out={folder / 'out'}"]
    return program("run", str(source), "--yes", "--quiet", *places, *options)


def program(*arguments: str) -> Command:
    """Return a command of bulk-cancel."""
    return Command([sys.executable, "-m", "bulk_cancel", *arguments])
