"""What a cancel costs in CPU time, beside other ways to send one: `make bench`.

The figure is the marginal cost, (CPU of a large run - CPU of a small one) / (their difference in requests): what it
takes to start is left out, and measured by startup.py. All clients take turns, round by round, so that noise meets all
alike; the ratio is the median of each round's ratio to aiohttp.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from clients import CLIENTS, REFERENCE, Client, Work
from measured import environment, use
from report import Figures, show, write
from rich.console import Console
from server import Server, serving


@dataclass(frozen=True)
class _Run:
    cpu_s: float
    connections: int


def one_run(server: Server, client: Client, rows: int) -> _Run:
    """Send so many cancels, from a cold start. Raises RuntimeError when the server counts another number."""
    with tempfile.TemporaryDirectory() as folder:
        command = client.command(Work(server.url, Path(folder), rows))
        server.stats(reset=True)
        used = use(command, environment(Path(folder), server.url))
    stats = server.stats()
    if stats.cancels != rows:
        raise RuntimeError(f"{client.name}: {stats.cancels} cancels came instead of {rows}")
    return _Run(used.cpu_s, stats.connections)


def one_round(server: Server, clients: list[Client]) -> dict[str, _Run]:
    """Return each client's marginal cost of a request and the connections of its large run."""
    found = {}
    for client in clients:
        small, large = (one_run(server, client, rows) for rows in (client.small, client.large))
        cost = (large.cpu_s - small.cpu_s) / (client.large - client.small)
        print(f"  {client.name}: {cost * 1000:.3f} ms", file=sys.stderr)
        found[client.key] = _Run(cost, large.connections)
    return found


def figures(rounds: list[dict[str, _Run]], clients: list[Client]) -> list[Figures]:
    """Return what all rounds came to, client by client."""

    def of(client: Client) -> Figures:
        ratios = [one[REFERENCE.key].cpu_s / one[client.key].cpu_s for one in rounds]
        runs = [one[client.key] for one in rounds]
        cost = median(run.cpu_s for run in runs)
        return Figures(client, cost, median(ratios), max(run.connections for run in runs))

    return [of(client) for client in clients]


def main() -> None:
    """Measure, print and, if asked to, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=[client.key for client in CLIENTS], help="and aiohttp")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds that the server waits")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md and docs/benchmarks.svg")
    options = parser.parse_args()
    if options.write and (options.only or options.latency):
        parser.error("only a whole run without latency is written")
    wanted = {*(options.only or [client.key for client in CLIENTS]), REFERENCE.key}
    clients = [client for client in CLIENTS if client.key in wanted]
    console = Console()
    for client in clients:
        if not client.is_here:
            console.print(f"{client.name} is left out: {client.needs} is not installed.")
    here = [client for client in clients if client.is_here]
    rounds = []
    with serving(latency_s=options.latency / 1000) as server:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            rounds.append(one_round(server, here))
    found = figures(rounds, here)
    show(console, found, options.rounds)
    if options.write:
        write(found, options.rounds)


if __name__ == "__main__":
    main()
