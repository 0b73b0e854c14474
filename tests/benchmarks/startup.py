"""How long a command takes that sends nothing: `make bench`.

After one start to warm the caches, the median of the next ones: CPU time, which other work on the machine hardly
changes, decides. `--imports` shows what the time goes to.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measured import environment, program, use

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9/v4"  # nothing listens there, and nothing is asked


@dataclass(frozen=True)
class Start:
    """A command, and how many milliseconds of CPU time it may take."""

    name: str
    arguments: tuple[str, ...]
    target_ms: int


STARTS = (
    Start("--help", ("--help",), 150),
    Start("--version", ("--version",), 300),
    Start("plan, 12 rows", ("plan", str(ROOT / "sample_inputs/nightly.csv"), "--reason=Closed.", "--look=never"), 600),
)


def measure(start: Start, times: int) -> str:
    """Start it so often and say what it took."""
    with tempfile.TemporaryDirectory() as folder:
        environ = environment(Path(folder), NOWHERE)
        _, *found = [use(program(*start.arguments), environ) for _ in range(times + 1)]
    wall, cpu = (median(values) * 1000 for values in ([one.wall_s for one in found], [one.cpu_s for one in found]))
    fastest, slowest = (end([one.wall_s for one in found]) * 1000 for end in (min, max))
    met = "met" if cpu <= start.target_ms else "MISSED"
    return (
        f"{start.name:14} {wall:6.0f} ms (of {times}: {fastest:.0f} to {slowest:.0f}), CPU {cpu:6.0f} ms; "
        f"at most {start.target_ms} ms: {met}"
    )


def slowest_imports(arguments: tuple[str, ...], number: int = 10) -> list[tuple[str, float, int]]:
    """Return the packages that take longest to import: name, milliseconds, modules. No time is counted twice."""
    command = program(*arguments).arguments
    timed = [command[0], "-X", "importtime", *command[1:]]
    lines = subprocess.run(timed, capture_output=True, text=True, check=True).stderr.splitlines()
    took, modules = Counter[str](), Counter[str]()
    for line in lines:
        own, _, name = line.removeprefix("import time:").split("|") if line.count("|") == 2 else ("", "", "")
        if own.strip().isdigit():
            package = name.strip().split(".")[0]
            took[package] += int(own)
            modules[package] += 1
    return [(package, microseconds / 1000, modules[package]) for package, microseconds in took.most_common(number)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--imports", action="store_true", help="list the ten slowest imports of --help instead")
    options = parser.parse_args()
    if options.imports:
        for name, milliseconds, modules in slowest_imports(STARTS[0].arguments):
            print(f"{name:28} {milliseconds:7.1f} ms in {modules} modules")
        return
    for start in STARTS:
        print(measure(start, options.rounds), flush=True)


if __name__ == "__main__":
    main()
