"""What a run costs that mostly waits: `make bench-long`.

A run at the documented limit, 100 a minute after a burst of 200: about 8 minutes for 1,000 rows. Counted are the CPU
seconds of the whole process and, after the burst, how often its threads went to sleep: a process that polls does so
all the time, one that waits for its next slot only a few times for each cancel. `--per-minute 10` tells the two apart:
the sleeps of a second must become fewer, those of a cancel stay.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from measured import environment, made_ids, run_command, use, write_input
from server import Server, serving

BURST, PER_MINUTE, TARGET_S = 200, 100, 10


def sleeps_of(process: int) -> dict[str, int]:
    """Return the voluntary context switches of each thread."""
    found = {}
    for thread in Path(f"/proc/{process}/task").glob("*"):
        try:
            status = (thread / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[thread.name] = int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


@dataclass
class Idling:
    """Counts from the end of the burst to the last cancel but one."""

    server: Server
    rows: int
    seen: list[tuple[float, int, dict[str, int]]] = field(default_factory=list)

    def look(self, process: int) -> None:
        """Look once."""
        came = self.server.stats().cancels
        if BURST <= came < self.rows and (sleeps := sleeps_of(process)):
            self.seen.append((time.monotonic(), came, sleeps))

    def told(self) -> str:
        """Say how often it slept, per second and per cancel."""
        if len(self.seen) < 2:
            return "too short to see it idle"
        (began, first, before), (ended, last, after) = self.seen[0], self.seen[-1]
        sleeps = sum(count - before.get(thread, 0) for thread, count in after.items())
        return (
            f"{sleeps / (ended - began):.1f} voluntary context switches/s in {ended - began:.0f} s after the burst, "
            f"{sleeps / max(1, last - first):.1f} for each cancel"
        )


def measure(rows: int, per_minute: int) -> None:
    """Run the job, with the limit that it has when nobody says anything unless one is given, and print what it used."""
    with tempfile.TemporaryDirectory() as name, serving() as server:
        folder = Path(name)
        source = write_input(folder / "input.csv", made_ids(rows))
        idling = Idling(server, rows)
        limit = [] if per_minute == PER_MINUTE else [f"--rate={per_minute}/min"]
        used = use(run_command(source, folder, *limit), environment(folder, server.url), idling.look)
        stats = server.stats()
    optimum = max(0.0, (stats.cancels + stats.reads - BURST) / per_minute * 60)
    print(
        f"{rows:,} rows at {per_minute}/min in {used.wall_s:.0f} s (the limit allows {optimum:.0f} s): "
        f"CPU {used.cpu_s:.1f} s (less than {TARGET_S} s: {'met' if used.cpu_s < TARGET_S else 'MISSED'}); "
        f"{idling.told()}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--per-minute", type=int, default=PER_MINUTE)
    options = parser.parse_args()
    measure(options.rows, options.per_minute)
