"""Whether memory stays flat in a long run: `make bench`.

A run of many rows against a fast server, its resident memory read once a second. It is flat when the figure at the end
is about the one at 10 %.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from measured import environment, made_ids, run_command, use, write_input
from server import Server, serving


def status_of(process: int, name: str) -> int | None:
    """Return a number from what the kernel says about a process, or None when it has just ended."""
    try:
        found = re.search(rf"^{name}:\s*(\d+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    except ProcessLookupError:
        return None
    return int(found[1]) if found else None


@dataclass
class Samples:
    """What was seen of a process: how many cancels had come, and its resident memory in MB."""

    server: Server
    seen: list[tuple[int, float]] = field(default_factory=list)
    peak_mb: float = 0.0

    def take(self, process: int) -> None:
        """Look once."""
        resident, peak = status_of(process, "VmRSS"), status_of(process, "VmHWM")
        if resident is not None and peak is not None:
            self.seen.append((self.server.stats().cancels, resident / 1024))
            self.peak_mb = peak / 1024

    def at(self, cancels: float) -> float:
        """Return the memory at the first look after so many cancels, or at the last look."""
        return next((resident for came, resident in self.seen if came >= cancels), self.seen[-1][1])


def measure(rows: int, workers: int) -> None:
    """Run the job and print its memory."""
    with tempfile.TemporaryDirectory() as name, serving() as server:
        folder = Path(name)
        source = write_input(folder / "input.csv", made_ids(rows))
        limit = (f"--concurrency={workers}", "--rate=1000000/s", "--burst=1000000")
        samples = Samples(server)
        used = use(run_command(source, folder, *limit), environment(folder, server.url), samples.take)
        came = server.stats().cancels
    assert came == rows, f"{came} cancels came"
    tenth, half, end = (samples.at(rows * part) for part in (0.1, 0.5, 1.0))
    print(
        f"{rows:,} rows, {workers} workers, {used.wall_s:.0f} s: {tenth:.0f} MB at 10 %, {half:.0f} MB at 50 %, "
        f"{end:.0f} MB at 100 %, at most {samples.peak_mb:.0f} MB; {end / tenth:.2f} × from 10 % to the end"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=64)
    options = parser.parse_args()
    measure(options.rows, options.workers)
