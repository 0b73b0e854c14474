"""Shows what cost.py measured: at the terminal, in docs/benchmarks.md and as a chart."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap

from chart import Bar, draw
from clients import REFERENCE, Client
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
DOCS, CHART = ROOT / "docs/benchmarks.md", ROOT / "docs/benchmarks.svg"
BEGIN = "<!-- benchmark: written by tests/benchmarks/cost.py --write -->"
END = "<!-- benchmark: end -->"
HEADINGS = ("client", "cancels per CPU second", "CPU ms per cancel", "ratio", "connections", "what it leaves out")
LEAST, AIM, GROWTH = 0.45, 1.0, 1.3


@dataclass(frozen=True)
class Figures:
    """What one client came to over all rounds."""

    client: Client
    cost_s: float  #: CPU seconds for one request, the median
    ratio: float  #: speed per CPU second against the reference, the median of each round's
    connections: int  #: of the large run, the most of any round

    @property
    def per_cpu_second(self) -> float:
        """Requests for a second of CPU time."""
        return 1 / self.cost_s

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        numbers = (f"{self.per_cpu_second:,.0f}", f"{self.cost_s * 1000:.3f}", f"{self.ratio:.3g}")
        connected = f"{self.connections:,} for {self.client.large:,}"
        return (self.client.name, *numbers, connected, self.client.leaves_out)


def conditions(rounds: int) -> str:
    """Say where and when this was measured."""
    cores, times = len(os.sched_getaffinity(0)), "1 round" if rounds == 1 else f"{rounds} rounds"
    return (
        f"{datetime.now(UTC):%d %B %Y}, {platform.system()}, {cores} cores, Python {platform.python_version()}, "
        f"median of {times}. Ratio: cancels per CPU second against {REFERENCE.name}, round by round."
    )


def targets(found: Sequence[Figures]) -> Iterator[str]:
    """Compare with what bulk-cancel is meant to reach, as far as it was measured."""
    by_workers = {int(one.client.key.rpartition("-")[2]): one for one in found if one.client.own}
    if one := by_workers.get(64):
        yield (
            f"bulk-cancel against {REFERENCE.name}: {one.ratio:.2f} × its speed per CPU second "
            f"(at least {LEAST}: {_met(one.ratio >= LEAST)}; aim {AIM}: {_met(one.ratio >= AIM)})"
        )
    if {16, 256} <= set(by_workers):
        growth = by_workers[16].ratio / by_workers[256].ratio
        yield f"CPU per cancel, 256 workers / 16 workers: {growth:.2f} (at most {GROWTH}: {_met(growth <= GROWTH)})"
    for workers, one in sorted(by_workers.items()):
        met = _met(one.connections <= workers)
        yield f"TCP connections with {workers} workers: {one.connections} (at most {workers}: {met})"


def _met(reached: bool) -> str:
    return "met" if reached else "MISSED"


def show(console: Console, found: Sequence[Figures], rounds: int) -> None:
    """Print the table and the targets."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(HEADINGS[0], no_wrap=True)
    for heading in HEADINGS[1:5]:
        table.add_column("\n".join(wrap(heading, 8, break_long_words=False)), justify="right", no_wrap=True)
    for one in _fastest_first(found):
        table.add_row(*one.cells()[:5], style="bold" if one.client.own else None)
    console.print(table)
    console.print(f"\n{HEADINGS[5][0].upper()}{HEADINGS[5][1:]}:")
    for one in found:
        if not one.client.own:
            console.print(f"  {one.client.name}: {one.client.leaves_out}", highlight=False, soft_wrap=True)
    console.print(f"\n{conditions(rounds)}\n", highlight=False, soft_wrap=True)
    for line in targets(found):
        console.print(line, highlight=False, soft_wrap=True)


def write(found: Sequence[Figures], rounds: int) -> None:
    """Put the table between the markers of the page, and draw the chart."""
    table = _markdown(found)
    lines = "\n".join(f"- {line}" for line in targets(found))
    said = conditions(rounds)
    _put(DOCS, f"{table}\n\n{said}\n\n{lines}")
    bars = [Bar(one.client.name, one.per_cpu_second, one.client.own) for one in _fastest_first(found)]
    values = "; ".join(f"{bar.label}: {bar.value:,.0f}" for bar in bars)
    CHART.write_text(draw("Cancels per second of CPU time", f"{values}. {said}", bars), encoding="utf-8")


def _markdown(found: Sequence[Figures]) -> str:
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|--:|--:|--:|--:|---|"]
    for one in _fastest_first(found):
        name, *rest = one.cells()
        lines.append("| " + " | ".join([f"**{name}**" if one.client.own else name, *rest]) + " |")
    return "\n".join(lines)


def _fastest_first(found: Sequence[Figures]) -> list[Figures]:
    return sorted(found, key=lambda one: one.cost_s)


def _put(path: Path, text: str) -> None:
    """Replace what stands between the markers. Raises ValueError when they are missing."""
    old = path.read_text(encoding="utf-8")
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    new, times = between.subn(lambda _: f"{text}\n", old)
    if times != 1:
        raise ValueError(f"{path.name} has the markers {times} times instead of once")
    path.write_text(new, encoding="utf-8")
