"""What many keys and many rows cost a PostgreSQL server: bytes, and time per statement of the hot path.

The server is one of its own, with its data on a disk and every sync that a real one does, or the one that `--url`
names: an empty database, which is left full. The ledger is asked through its own classes and the queue through DBOS's,
so what is timed is what workers do. The statements of many connections come from threads of this one process: on two
cores these are lower bounds of what a server can do, and no measure of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from types import SimpleNamespace
from typing import Any

import psycopg

from bulk_cancel.cluster import queue
from bulk_cancel.core.model import Appointment, Entry, InputRow, Scope, Work
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.states import Event
from bulk_cancel.ledger.port import RunStart
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.ledger.shared import Lease

REASON = "Our office is closed on Monday. Please book again online."
PACE = Pace(100 / 60, 200)
STAGED = 20_000  #: rows in a transaction, as the program stages them
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "4GB",
    "fsync": "on",
    "synchronous_commit": "on",
}


@dataclass(frozen=True)
class Bench:
    """Where it is measured, and how much."""

    url: str
    rows: int
    attempts: int
    keys: int
    connections: int
    chunks: tuple[int, ...]
    together: int  #: intents, or outcomes, that share a commit

    def ask(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement beside the program."""
        with psycopg.connect(self.url, autocommit=True, options="-c search_path=bulk_cancel") as connection:
            found = connection.execute(statement.encode(), values or None)
            return found.fetchall() if found.description else []


def show(what: str, value: float, unit: str, note: str = "") -> None:
    """Print a line of the table."""
    told = f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"
    print(f"  {what:<46}{told:>12} {unit:<14}{note}", flush=True)


def timed(call: Callable[[], object], times: int = 1) -> float:
    """Return the median of the seconds that a call took."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return median(taken)


def per_second(calls: list[Callable[[int], int]]) -> float:
    """Run calls side by side, each with its number; return the sum of what they counted, per second."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as pool:
        counted = sum(pool.map(lambda call: call[1](call[0]), enumerate(calls)))
    return counted / (time.perf_counter() - began)


# -- rows -------------------------------------------------------------------------------------------------------------


def key(number: int) -> str:
    """Name an account."""
    return f"key-{number:05}"


def rows_of(bench: Bench, start: int, random: Random) -> Iterator[InputRow]:
    """Make up rows whose accounts take turns, the worst order for the server: the rows of a chunk lie far apart."""
    for number in range(start, min(start + STAGED, bench.rows)):
        appointment = str(uuid.UUID(int=random.getrandbits(128), version=4))
        row = number + 2
        yield InputRow(row, appointment, None, False, False, REASON, None, row, None, key(number % bench.keys))


def stage(bench: Bench) -> int:
    """Stage all rows and plan the chunks; return the run's number."""
    print(f"\nStaging {bench.rows:,} rows of {bench.keys:,} keys, {STAGED:,} a transaction")
    random, parts = Random(1), []
    with closing(PostgresLedger.open(bench.url)) as ledger:
        run_no = ledger.begin_run(RunStart("bench", time.time(), ledger.time_base()))
        for start in range(0, bench.rows, STAGED):
            rows = list(rows_of(bench, start, random))
            parts.append(timed(lambda rows=rows: ledger.stage(run_no, rows, time.time())) / len(rows) * 1e6)  # type: ignore[misc]
        ledger.start_run(run_no)
        third = max(1, len(parts) // 3)
        show("seconds per million rows", sum(parts) / len(parts), "s")
        show("the last third beside the first", median(parts[-third:]) / median(parts[:third]), "x")
        show(
            "planning chunks of 250, per million rows",
            timed(lambda: ledger.plan_chunks(run_no, 250)) / bench.rows * 1e6,
            "s",
        )
    bench.ask("VACUUM (ANALYZE)")
    tell_sizes(sizes(bench), ("targets", "input_rows"), bench.rows, "bytes/row")
    return run_no


#: Of each table and index of the ledger: its table, its name, its bytes. Tables first.
SIZES = """
SELECT c.relname, c.relname, pg_table_size(c.oid), 0 FROM pg_class c
WHERE c.relnamespace = 'bulk_cancel'::regnamespace AND c.relkind = 'r'
UNION ALL SELECT c.relname, i.relname, pg_relation_size(i.oid), 1
FROM pg_class c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relnamespace = 'bulk_cancel'::regnamespace ORDER BY 1, 4, 2"""
Sizes = dict[tuple[str, str], int]


def sizes(bench: Bench) -> Sizes:
    """Return what tables and indexes take, in bytes."""
    return {(table, name): size for table, name, size, _ in bench.ask(SIZES)}


def tell_sizes(found: Sizes, tables: tuple[str, ...], number: int, unit: str) -> None:
    """Print what tables and their indexes take, per row or attempt; and all of it."""
    all_of_it = 0.0
    for (table, name), size in found.items():
        if table in tables:
            all_of_it += size / number
            if size / number >= 1:
                show(name if name == table else f"  {name}", size / number, unit)
    show(" and ".join(tables) + " with indexes", all_of_it, unit)


# -- attempts ---------------------------------------------------------------------------------------------------------


def carry(ledger: PostgresLedger, lease: Lease, together: int) -> int:
    """Cancel the targets of a chunk as far as the ledger sees it; return how many commits that took."""
    run_no, commits = lease.chunk.run_no, 0
    ledger.work_under(lease)
    found = [
        work for _, work in ledger.work(run_no, 0, series=False, limit=1000, scope=Scope(lease.account, lease.chunk))
    ]
    for start in range(0, len(found), together):
        some = found[start : start + together]
        ledger.append(run_no, [entry(work, Event.INTENT) for work in some])
        ledger.append(run_no, [outcome(work) for work in some])
        commits += 2
    ledger.end_chunk(lease, "")
    return commits


def entry(work: Work, event: Event) -> Entry:
    """Record that it is about to be sent."""
    return Entry(work.target_id, event, work.state, work.attempts + 1, time.time())


def outcome(work: Work) -> Entry:
    """Record an answer with what a real one has in it."""
    from bulk_cancel.core.states import State

    seen = Appointment(
        work.target.appointment_id,
        is_cancelled=True,
        start="2026-12-24T10:00:00.000Z",
        end="2026-12-24T10:30:00.000Z",
        meeting_type_id="7d1f3a52-7a0b-4a53-8f0e-2a4f2f5d8f11",
    )
    return Entry(
        work.target_id, Event.CANCELLED, State.SENDING, work.attempts + 1, time.time(), 200, "", appointment=seen
    )


def attempt(bench: Bench, run_no: int) -> None:
    """Append intents and outcomes: one connection, then many, each with chunks of its own."""
    print(f"\nIntents and outcomes, {bench.together} a commit, {bench.attempts:,} targets")
    with closing(PostgresLedger.open(bench.url)) as ledger:
        chunks = iter(ledger.chunks(run_no))
    todo, before = bench.attempts, sizes(bench)
    for connections in (1, bench.connections):
        with ExitStack() as stack:
            ledgers = [stack.enter_context(closing(PostgresLedger.open(bench.url))) for _ in range(connections)]
            mine: list[list[int]] = [[] for _ in ledgers]
            part = todo // 4 if connections == 1 else todo - todo // 4
            while part > 0 and (chunk := next(chunks, None)):
                min(mine, key=len).append(chunk.chunk.chunk_no)
                part -= chunk.targets

            def work(number: int, ledgers: list[PostgresLedger] = ledgers, mine: list[list[int]] = mine) -> int:
                leases = (ledgers[number].take_chunk(run_no, chunk_no, "bench", 90.0) for chunk_no in mine[number])
                return sum(carry(ledgers[number], lease, bench.together) for lease in leases if lease)

            rate = per_second([work] * connections)
        show(
            f"commits by {connections} connection(s)",
            rate,
            "a second",
            f"{rate * bench.together / 2:,.0f} cancels a second",
        )
    tell_attempts(bench, before)


def tell_attempts(bench: Bench, before: Sizes) -> None:
    """Print what they left behind."""
    ((done,),) = bench.ask("SELECT count(*) FROM targets WHERE attempts > 0")
    for table in ("targets", "chunks"):
        ((hot,),) = bench.ask(
            f"SELECT 100.0 * n_tup_hot_upd / n_tup_upd FROM pg_stat_user_tables WHERE relname = '{table}'"
        )
        show(f"updates of {table} that were HOT", float(hot), "%")
    bench.ask("VACUUM (ANALYZE)")
    grown = {name: size - before[name] for name, size in sizes(bench).items()}
    tell_sizes(grown, ("events", "seals", "targets"), done, "more/attempt")


# -- pace and signs of life -------------------------------------------------------------------------------------------


def pace(bench: Bench, run_no: int, seconds: float = 1.5) -> None:
    """Reserve slots on one row and on many, and give signs of life."""
    print("\nReservations and signs of life, each a commit of its own, fenced")
    with ExitStack() as stack:
        ledgers = [stack.enter_context(closing(PostgresLedger.open(bench.url))) for _ in range(bench.connections)]
        left = [chunk.chunk.chunk_no for chunk in ledgers[0].chunks(run_no) if not chunk.ended][-bench.connections :]
        leases = [
            ledger.take_chunk(run_no, number, "bench", 90.0) for ledger, number in zip(ledgers, left, strict=True)
        ]

        def many(what: Callable[[PostgresLedger, Lease | None, int], object]) -> Callable[[int], int]:
            def work(number: int) -> int:
                until, done = time.perf_counter() + seconds, 0
                while time.perf_counter() < until:
                    what(ledgers[number], leases[number], done)
                    done += 1
                return done

            return work

        one = many(lambda ledger, lease, _: ledger.reserve("one", 1, PACE, lease))
        all_keys = many(lambda ledger, lease, done: ledger.reserve(key(done % bench.keys), 1, PACE, lease))
        beat = many(lambda ledger, lease, _: ledger.heartbeat(lease))  # type: ignore[arg-type]
        for what, call in (("one key", one), (f"{bench.keys:,} keys", all_keys), ("signs of life", beat)):
            for connections in (1, bench.connections):
                show(f"{what}, {connections} connection(s)", per_second([call] * connections), "a second")


# -- the queue --------------------------------------------------------------------------------------------------------

COPIES = """
INSERT INTO bulk_cancel_dbos.workflow_status ({columns})
SELECT {values} FROM (SELECT * FROM bulk_cancel_dbos.workflow_status WHERE workflow_uuid = %s) one,
  generate_series(1, {number}) AS n"""


def claims(bench: Bench) -> None:
    """Enqueue some chunks as the program does, copy them until there are enough, and claim them as workers do."""
    queue.migrate(bench.url)
    with queue.opened(bench.url) as opened, closing(PostgresLedger.open(bench.url)) as ledger:
        (run,) = ledger.runs("bench")
        some = ledger.chunks(run.run_no)[:200]
        print(f"\nThe queue, {bench.keys:,} partitions, 16 chunks a claim")
        show("enqueueing", timed(lambda: opened.enqueue_all("measured", some)) / len(some) * 1e3, "ms/chunk")
        for number in bench.chunks:
            fill(bench, number)
            claim(bench, number, opened.client._sys_db)


def fill(bench: Bench, number: int) -> None:
    """Have so many chunks wait, and none other: copies of one that was enqueued, over all partitions."""
    names = [name for (name,) in bench.ask(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'bulk_cancel_dbos' "
        "AND table_name = 'workflow_status' AND is_generated = 'NEVER' AND is_identity = 'NO' ORDER BY ordinal_position"
    )]  # fmt: skip
    changed = {
        "workflow_uuid": f"'copied/' || n || '/{number}'",
        "queue_partition_key": f"'key-' || lpad((n %% {bench.keys})::text, 5, '0')",
        "created_at": "one.created_at + n / 1000",
    }
    values = ", ".join(changed.get(name, f"one.{name}") for name in names)
    bench.ask("DELETE FROM bulk_cancel_dbos.workflow_status WHERE workflow_uuid LIKE 'copied/%%' AND %s", True)
    columns = ", ".join(names)
    bench.ask(COPIES.format(columns=columns, values=values, number=number), "measured/1")
    bench.ask(
        "DELETE FROM bulk_cancel_dbos.workflow_status WHERE workflow_uuid LIKE 'measured/%%' AND workflow_uuid <> %s",
        "measured/1",
    )
    bench.ask("VACUUM (ANALYZE) bulk_cancel_dbos.workflow_status")


#: What DBOS wants to know of a queue to claim from it; a real one comes only with a whole worker around it.
_CHUNKS: Any = SimpleNamespace(
    name=queue.CHUNKS,
    _has_partition_limits=lambda: True,
    _partition_concurrency=1,
    _concurrency=None,
    _limiter=None,
    _partition_limiter=None,
)


def claim(bench: Bench, number: int, database: Any) -> None:
    """Time claims with all partitions free, then with all of them taken, as workers find them when nothing is to do."""

    def one() -> int:
        return len(database.start_queued_partitioned_workflows(_CHUNKS, "bench", queue.VERSION, 16))

    show(f"a claim of 16, {number:,} chunks wait", timed(one, 9) * 1e3, "ms")
    while one():
        pass
    show(f"a look, all keys are taken, {number:,} chunks wait", timed(one, 9) * 1e3, "ms")
    sizes = bench.ask("SELECT pg_total_relation_size('bulk_cancel_dbos.workflow_status')")
    show(f"the queue's table, {number:,} chunks", sizes[0][0] / number, "bytes/chunk")


def ends(bench: Bench) -> None:
    """Time what a worker asks when a chunk has ended, and what rescue asks every quarter of a minute."""
    print("\nBeside the work: what is asked of all chunks of a run")
    for number in bench.chunks:
        run_no = 1_000_000 + number
        bench.ask(
            "INSERT INTO chunks (run_no, chunk_no, account, series, after_row, last_row, targets, heartbeat_at) "
            f"SELECT {run_no}, n, 'key-' || n, false, n * 250, n * 250 + 250, 250, now() "
            f"FROM generate_series(1, {number}) n"
        )
        bench.ask("VACUUM (ANALYZE) chunks")
        with closing(PostgresLedger.open(bench.url)) as ledger:
            show(f"all chunks, {number:,}", timed(lambda ledger=ledger, no=run_no: ledger.chunks(no), 3) * 1e3, "ms")  # type: ignore[misc]
            show(
                f"silent ones, of {number:,} open",
                timed(lambda ledger=ledger: ledger.silent_chunks(90.0), 3) * 1e3,
                "ms",
            )  # type: ignore[misc]


def measure(bench: Bench) -> None:
    """Measure everything."""
    run_no = stage(bench)
    attempt(bench, run_no)
    pace(bench, run_no)
    with closing(PostgresLedger.open(bench.url)) as ledger:
        print("\nBeside the work: what whoever watches a run asks every second")
        show(
            "states of all targets", timed(lambda: ledger.targets_by_state(run_no), 3) / bench.rows * 1e9, "s/1e9 rows"
        )
        show("what is left to send", timed(lambda: ledger.sendable_count(run_no), 3) / bench.rows * 1e9, "s/1e9 rows")
    claims(bench)
    ends(bench)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an empty database; default: a server of its own")
    parser.add_argument("--in", dest="folder", default=tempfile.gettempdir(), help="where that server has its data")
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--attempts", type=int, default=4_000)
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument(
        "--chunks", type=int, action="append", help="in the queue; may be repeated; default 2,000 and 20,000"
    )
    parser.add_argument("--together", type=int, default=16, help="intents, or outcomes, that share a commit")
    options = parser.parse_args()
    sizes = (
        options.rows,
        options.attempts,
        options.keys,
        options.connections,
        tuple(options.chunks or (2_000, 20_000)),
        options.together,
    )
    with ExitStack() as stack:
        url = options.url
        if url is None:
            from support import postgres

            server = stack.enter_context(postgres.serving(SETTINGS, Path(options.folder)))
            url = stack.enter_context(server.database())
        began = time.monotonic()
        measure(Bench(url, *sizes))
        print(f"\nIn {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
