"""Who is measured by cost.py: bulk-cancel at three numbers of workers, and what else people use."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measured import REASON, TOKEN, Command, made_ids, run_command, write_input
from peers import THREADS, WORKERS

_HEADERS = (f"Authorization: Bearer {TOKEN}", "Content-Type: application/json")
_BODY = json.dumps({"reason": REASON})
_FAR_AWAY = ("--rate=1000000/s", "--burst=1000000")


@dataclass(frozen=True)
class Work:
    """So many cancels at this address, with a folder of their own."""

    url: str
    folder: Path
    rows: int

    def ids(self) -> Path:
        """Return a file of ids."""
        path = self.folder / "ids.txt"
        path.write_text("".join(f"{one}\n" for one in made_ids(self.rows)))
        return path


@dataclass(frozen=True)
class Client:
    """A client, what it leaves out, and how many requests its small and its large run have."""

    key: str
    name: str
    leaves_out: str
    small: int
    large: int
    command: Callable[[Work], Command]
    own: bool = False
    needs: str = sys.executable

    @property
    def is_here(self) -> bool:
        """Tell whether the machine has it."""
        return shutil.which(self.needs) is not None


def _bulk_cancel(workers: int) -> Client:
    def command(work: Work) -> Command:
        source = write_input(work.folder / "input.csv", made_ids(work.rows))
        return run_command(source, work.folder, f"--concurrency={workers}", *_FAR_AWAY)

    leaves_out = "nothing: input validated, intent and outcome durable, limit kept, results written"
    return Client(f"bulk-cancel-{workers}", f"bulk-cancel, {workers} workers", leaves_out, 500, 5500, command, own=True)


def _peer(key: str) -> Callable[[Work], Command]:
    script = str(Path(__file__).with_name("peers.py"))
    return lambda work: Command([sys.executable, script, key, work.url, str(work.ids())])


def _post(tail: str) -> list[str]:
    headers = [part for header in _HEADERS for part in ("-H", header)]
    return ["curl", "--silent", "--fail", "--output", os.devnull, *headers, "--data", _BODY, tail]


def _curl(work: Work) -> Command:
    config = work.folder / "curl.txt"
    lines = [f"header = {json.dumps(header)}" for header in _HEADERS] + [f"data = {json.dumps(_BODY)}"]
    for one in made_ids(work.rows):
        lines += [f'url = "{work.url}/appointment/{one}/cancel"', f'output = "{os.devnull}"']
    config.write_text("\n".join(lines) + "\n")
    parallel = ["--parallel", "--parallel-max", str(WORKERS)]
    return Command(["curl", "--silent", "--fail", *parallel, "--config", str(config)])


def _xargs(work: Work) -> Command:
    each = _post(f"{work.url}/appointment/{{}}/cancel")
    return Command(["xargs", "-P", str(THREADS), "-I", "{}", *each], stdin=work.ids())


def _gnu_parallel(work: Work) -> Command:
    options = ["--will-cite", "--quote", "-j", str(THREADS), "--joblog", str(work.folder / "joblog")]
    return Command(["parallel", *options, *_post(f"{work.url}/appointment/{{}}/cancel")], stdin=work.ids())


REFERENCE = Client(
    "aiohttp", f"aiohttp + semaphore({WORKERS})", "no ledger, no intent, no limit, no results", 1000, 11_000,
    _peer("aiohttp"),
)  # fmt: skip

CLIENTS = (
    *(_bulk_cancel(workers) for workers in (16, 64, 256)),
    REFERENCE,
    Client(
        "curl", f"curl --parallel --parallel-max {WORKERS}",
        "no ledger, no intent, no limit, one body for all; the answers are thrown away", 2000, 22_000,
        _curl, needs="curl",
    ),
    Client(
        "requests", f"requests + {THREADS} threads", "no ledger, no intent, no limit, no results", 500, 3000,
        _peer("requests"),
    ),
    Client(
        "httpx", f"httpx, one client, semaphore({WORKERS})",
        "no ledger, no intent, no limit; keeps 20 idle connections: as soon as answers take time, it connects anew",
        300, 1800, _peer("httpx"),
    ),
    Client(
        "xargs", f"xargs -P {THREADS} curl", "no ledger, no intent, no limit; a process and a connection per cancel",
        50, 350, _xargs, needs="xargs",
    ),
    Client(
        "parallel", f"GNU parallel -j {THREADS} --joblog curl",
        "a log of exit codes, written afterwards; no intent, no limit; a process and a connection per cancel",
        50, 300, _gnu_parallel, needs="parallel",
    ),
)  # fmt: skip
