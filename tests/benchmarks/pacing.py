"""How close to the optimum the limit is used: `make bench`.

A server with exactly the same numbers counts the 429s it has to answer. The optimum for n requests is
(n - burst) / rate; reads count. Two runs in one process, the first from cold connections, the second right after it: it
finds the bucket as the first one left it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from measured import Command, environment, made_ids, use, write_input
from server import Server, Stats, serving


@dataclass(frozen=True)
class Setting:
    """A limit to use up, how many rows for it, and what time / optimum may be."""

    rate: float
    burst: int
    rows: int
    target: float
    latency_s: float = 0.0
    workers: int = 16

    @property
    def name(self) -> str:
        """The limit in words."""
        latency = f", {self.latency_s * 1000:g} ms latency" if self.latency_s else ""
        return f"{self.rate:g}/s burst {self.burst}{latency}, {self.workers} workers"


SETTINGS = (
    Setting(50, 100, 600, 1.01),
    Setting(1000, 2000, 20_000, 1.01, workers=64),
    Setting(40, 80, 480, 1.03, latency_s=0.02),
)


@dataclass(frozen=True)
class Measured:
    """One cold run and the one after it."""

    requests: int
    ratio: float  #: by the run's own clock
    arrivals: float  #: from the first request that came to the last
    throttled: int
    throttled_after: int


def measure(setting: Setting) -> Measured:
    """Do both runs in a process of their own, against a server that was not asked before."""
    with (
        tempfile.TemporaryDirectory() as name,
        serving(setting.rate, setting.burst, setting.latency_s) as server,
    ):
        folder = Path(name)
        ids = made_ids(setting.rows + setting.rows // 10)
        write_input(folder / "first.csv", ids[: setting.rows])
        write_input(folder / "second.csv", ids[setting.rows :])
        child = [sys.executable, __file__, "--child", str(SETTINGS.index(setting)), str(folder), server.origin]
        used = use(Command(child), environment(folder, server.url))
    first, second = json.loads(used.output)
    stats = Stats(**first["stats"])
    requests = stats.cancels + stats.reads
    optimum = (requests - setting.burst) / setting.rate
    arrivals = (stats.last_request - stats.first_request) / optimum
    after = second["stats"]["throttled"] - stats.throttled
    return Measured(requests, first["elapsed_s"] / optimum, arrivals, stats.throttled, after)


def run_both(setting: Setting, folder: Path, origin: str) -> None:
    """Run both inputs, one right after the other, and print what each took and what the server saw."""
    server = Server(origin)
    found = []
    for number in ("first", "second"):
        elapsed = _run(folder / f"{number}.csv", setting)
        found.append({"elapsed_s": elapsed, "stats": asdict(server.stats())})
    print(json.dumps(found))


def _run(source: Path, setting: Setting) -> float:
    """Run one job in this process; return its seconds."""
    from bulk_cancel.access.machine import Machine
    from bulk_cancel.commands.run import run_job
    from bulk_cancel.execution.caller import Caller
    from bulk_cancel.ops.logs import make_log
    from bulk_cancel.ops.progress import make_display
    from bulk_cancel.settings.job import load_job

    folder = source.parent
    limit = {"rate": f"{setting.rate}/s", "burst": setting.burst, "concurrency": setting.workers}
    places = {"ledger": str(folder / "ledger.db"), "out": str(folder / "out")}
    job = load_job(str(source), {**limit, **places, "yes": True, "quiet": True})
    log = make_log(quiet=True)
    summary = run_job(job, Caller(Machine(os.environ), log, make_display(log, quiet=True)))
    assert summary.exit_code == 0, summary.next
    return summary.elapsed_s


def told(setting: Setting, found: Sequence[Measured]) -> str:
    """Say what all rounds came to."""
    ratio, arrivals = median(one.ratio for one in found), median(one.arrivals for one in found)
    first, second = ([getattr(one, name) for one in found] for name in ("throttled", "throttled_after"))
    return (
        f"{setting.name}: {found[0].requests:,} requests, time / optimum {ratio:.4f} "
        f"(at most {setting.target}: {'met' if ratio <= setting.target else 'MISSED'}), {arrivals:.4f} from the first "
        f"arrival to the last; 429s: {_all(first)} in the cold run, {_all(second)} in one right after"
    )


def _all(counts: Sequence[int]) -> str:
    return " + ".join(map(str, counts))


def main() -> None:
    """Measure and print, or be the measured process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", type=int, choices=range(len(SETTINGS)), help="one setting, by its number")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        index, folder, origin = options.child
        run_both(SETTINGS[int(index)], Path(folder), origin)
        return
    for setting in SETTINGS if options.only is None else [SETTINGS[options.only]]:
        print(told(setting, [measure(setting) for _ in range(options.rounds)]), flush=True)


if __name__ == "__main__":
    main()
