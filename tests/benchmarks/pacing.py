"""How close to the optimum the limit is used: `make bench`.

A server with exactly the same numbers counts the 429s it has to answer. The optimum for n requests is
(n - burst) / rate. Two runs, one right after the other: the second one finds the bucket as the first one left it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bulk_cancel.job import load_job
from bulk_cancel.ops.logs import make_log
from bulk_cancel.ops.progress import make_display
from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.server import SandboxOptions, running
from bulk_cancel.sandbox.world import Wanted, World
from bulk_cancel.wiring import Parts, run_job


@dataclass(frozen=True)
class Setting:
    """A limit to use up, and how many rows for it."""

    rate: float
    burst: int
    rows: int
    latency_s: float = 0.0


SETTINGS = (Setting(40, 80, 400), Setting(40, 80, 400, 0.02), Setting(50, 100, 500))


def measure(setting: Setting) -> None:
    """Run the job and print how it compares with the optimum."""
    world = World.of([Wanted() for _ in range(setting.rows)], seed=9)
    options = SandboxOptions(world=world, rate_per_s=setting.rate, burst=setting.burst, latency_s=setting.latency_s)
    with tempfile.TemporaryDirectory() as folder, running(options) as sandbox:
        ids = list(world.appointments)
        first = run(Path(folder), sandbox.url, setting, ids[: -len(ids) // 10])
        throttled = sandbox.truth().throttled
        run(Path(folder), sandbox.url, setting, ids[-len(ids) // 10 :])
        requests = len(ids[: -len(ids) // 10]) + 1
        optimum = (requests - setting.burst) / setting.rate
        print(
            f"{setting.rate:g}/s burst {setting.burst} latency {setting.latency_s * 1000:g} ms: {requests} requests in "
            f"{first:.3f} s, optimum {optimum:.3f} s, ratio {first / optimum:.4f}; 429s: {throttled} in the first run, "
            f"{sandbox.truth().throttled - throttled} in a second one right after"
        )


def run(folder: Path, url: str, setting: Setting, ids: list[str]) -> float:
    """Run one job in this process; return its seconds from the first to the last answer."""
    source = folder / "input.csv"
    source.write_text("id\n" + "\n".join(ids) + "\n")
    flags = {"rate": f"{setting.rate}/s", "burst": setting.burst, "ledger": str(folder / "l.db"), "yes": True}
    job = load_job(str(source), {**flags, "out": str(folder / "out"), "quiet": True})
    log = make_log(quiet=True)
    environ = {**os.environ, "MEETERGO_API_URL": url, "MEETERGO_TOKEN": OWNER_TOKEN}
    summary = run_job(job, Parts(environ, log, make_display(log, quiet=True)))
    assert summary.exit_code == 0, summary.next
    return summary.elapsed_s


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    for _ in range(parser.parse_args().rounds):
        for setting in SETTINGS:
            measure(setting)
