"""What ten million rows cost beside a hundred thousand: time, CPU per row, peak memory.

Every step runs in a process of its own, which reports its own figures: making the input, `plan`, staging (all that
`run` does before it sends), and a rerun of `run` over a ledger in which all but a thousand targets are settled. For
the rerun the time counts from the start of the process to the first cancel that reaches the server.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from server import Server, serving

LEFT = 1_000
START = 2_000
CHUNK = 100_000
REASON = "Our office is closed on Christmas Eve"


@dataclass(frozen=True)
class Cost:
    """What a step took."""

    seconds: float
    cpu_s: float
    peak_mb: float


# -- steps, each in a process of its own -----------------------------------------------------------------------------


def make_input(path: Path, rows: int) -> None:
    """Write an input: a hundredth of the rows repeat another, a thousandth are invalid."""
    import polars as pl

    def chunk(start: int) -> pl.DataFrame:
        number = pl.int_range(start, min(start + CHUNK, rows), eager=True).alias("n")
        named = pl.when(pl.col("n") % 100 == 99).then(pl.col("n") - 50).otherwise("n")
        one, two = (named.hash(seed).cast(pl.String).str.zfill(20) for seed in (1, 2))
        digits = pl.concat_str(one, two)
        parts = [digits.str.slice(at, length) for at, length in ((20, 8), (4, 4), (8, 4), (12, 4), (28, 12))]
        uuid = pl.concat_str(*parts, separator="-")
        spoilt = pl.when(pl.col("n") % 1000 == 500).then(pl.lit("no uuid")).otherwise(uuid)
        return number.to_frame().select(spoilt.alias("appointment_id"), pl.lit(REASON).alias("reason"))

    if path.suffix == ".parquet":
        frames = (chunk(start).lazy() for start in range(0, rows, CHUNK))
        pl.concat(list(frames)).sink_parquet(path, row_group_size=CHUNK)
        return
    with path.open("wb") as file:
        for start in range(0, rows, CHUNK):
            chunk(start).write_csv(file, include_header=start == 0)


def run_command(words: list[str]) -> None:
    """Run the command line in this process."""
    from bulk_cancel.cli.main import main

    sys.argv = ["bulk-cancel", *words]
    main()


def stage_only(words: list[str]) -> None:
    """Run the command line up to the moment before the first request."""
    from bulk_cancel.commands import run as wiring
    from bulk_cancel.engine.reconcile import Reconciled
    from bulk_cancel.engine.runner import RunEnd, Runner

    async def nothing(_: Runner) -> RunEnd:
        return RunEnd(None, Reconciled())

    Runner.run = nothing  # type: ignore[method-assign]
    wiring.finish = lambda *_: sys.exit(0)  # type: ignore[assignment,misc]
    run_command(words)


def settle(path: Path) -> None:
    """Write the events and states of a run that cancelled all but the last targets, sealed like any other."""
    from bulk_cancel.ledger.sqlite.ledger import SqliteLedger

    ledger = SqliteLedger.open(path)
    connection = ledger._connection
    last = int(str(connection.execute("SELECT max(target_id) FROM targets").fetchall()[0][0]))
    kept = connection.execute(
        "SELECT target_id FROM targets ORDER BY target_id DESC LIMIT 1 OFFSET ?", (LEFT,)
    ).fetchall()[0][0]
    for start in range(0, min(last, int(str(kept))) + 1, CHUNK):
        some = (start, min(start + CHUNK - 1, int(str(kept))))
        with ledger._transaction():
            for number, event in enumerate(("intent", "cancelled")):
                connection.execute(
                    "INSERT INTO events (target_id, run_no, event, attempt_no, at, http_status) "
                    "SELECT target_id, 1, ?, 1, ?, ? FROM targets WHERE target_id BETWEEN ? AND ?",
                    (event, 1.8e9 + number, 200 if number else None, *some),
                )
            connection.execute(
                "UPDATE targets SET state = 'sending', attempts = 1, intent_at = 1.8e9, intent_run_no = 1 "
                "WHERE target_id BETWEEN ? AND ?",
                some,
            )
            connection.execute(
                "UPDATE targets SET state = 'cancelled', settled_at = 1.8e9 + 1, http_status = 200 "
                "WHERE target_id BETWEEN ? AND ?",
                some,
            )
            ledger._seal()
    ledger.close()


def _step(name: str, words: list[str]) -> None:
    """Do a step and say what it took; how it ends does not matter."""
    began = time.monotonic()
    try:
        if name == "input":
            make_input(Path(words[0]), int(words[1]))
        elif name == "settle":
            settle(Path(words[0]))
        else:
            {"run": run_command, "stage": stage_only}[name](words)
    except SystemExit as end:
        if end.code not in (0, 3, None):
            raise
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    print(json.dumps([cost.seconds, cost.cpu_s, cost.peak_mb]), file=sys.__stdout__)


# -- the measurement --------------------------------------------------------------------------------------------------


def measured(name: str, *words: str | Path, environ: dict[str, str]) -> Cost:
    """Do a step in a child."""
    command = [sys.executable, __file__, "--step", name, *map(str, words)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def show(what: str, rows: int, cost: Cost) -> None:
    """Print a line of the table."""
    per_row = cost.cpu_s / rows * 1e6
    print(f"{what:<28}{rows:>12,}{cost.seconds:>10.1f} s{per_row:>10.2f} µs/row{cost.peak_mb:>8.0f} MB", flush=True)


def measure(kind: str, rows: int, folder: Path, server: Server) -> tuple[Cost, Cost]:
    """Measure everything for an input of so many rows; return what plan and staging took."""
    environ = _environ(folder, server)
    source, ledger = folder / f"in.{kind}", folder / "ledger.db"
    measured("input", source, str(rows), environ=environ)
    quick = ("--reason", "closed", "--quiet", "--ledger", ledger, "--rate", "5000/s", "--burst", "5000", "--json")
    plan = measured("run", "plan", source, *quick, environ=environ)
    show(f"plan {kind}", rows, plan)
    stage = measured("stage", "run", source, "--yes", *quick, "--out", folder / "first", environ=environ)
    show(f"validate and stage {kind}", rows, stage)
    show("settle all but 1,000", rows, measured("settle", ledger, environ=environ))
    server.stats(reset=True)
    began = time.monotonic()
    again = measured("run", "run", source, "--yes", *quick, "--out", folder / "again", environ=environ)
    show("rerun, with its reports", rows, again)
    stats = server.stats()
    print(
        f"{'  until the first cancel':<40}{stats.first_cancel - began:>10.1f} s ({stats.cancels} cancels)", flush=True
    )
    return plan, stage


def _environ(folder: Path, server: Server) -> dict[str, str]:
    told = {"MEETERGO_API_URL": server.url, "MEETERGO_TOKEN": "rgo-scale", "HOME": str(folder)}
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEETERGO", "BULK_CANCEL"))}
    return {**kept, **told, "PYTHONPATH": path}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="may be repeated; default 100,000 and 10,000,000")
    parser.add_argument("--kind", choices=["csv", "parquet"], action="append", help="default: both")
    parser.add_argument("--in", dest="folder", help="where the files go; default: the system's temporary folder")
    options = parser.parse_args()
    sizes = options.rows or [100_000, 10_000_000]
    for kind in options.kind or ["csv", "parquet"]:
        costs = {}
        for rows in (START, *sizes):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder, serving() as server:
                costs[rows] = measure(kind, rows, Path(folder), server)
        for number, name in enumerate(("plan", "validate and stage")):
            first, last = (_marginal(costs[START][number], costs[rows][number], rows) for rows in (sizes[0], sizes[-1]))
            print(
                f"{name} {kind}, without what starting takes: {last:.1f} µs/row at {sizes[-1]:,}, "
                f"{last / first:.2f} of that at {sizes[0]:,}",
                flush=True,
            )


def _marginal(start: Cost, cost: Cost, rows: int) -> float:
    """Return µs of CPU per row beyond a run of so few rows that it only starts."""
    return (cost.cpu_s - start.cpu_s) / (rows - START) * 1e6


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        _step(sys.argv[2], sys.argv[3:])
    else:
        main()
