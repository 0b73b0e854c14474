"""One job in three ways: on SQLite, on PostgreSQL in one process, on PostgreSQL with three workers. One result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bulk_cancel.access.ledgers import ledger_place
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.sandbox.world import Kind, Wanted
from processes.cluster.conftest import MakeCluster
from support.cluster_lab import Cluster, ended, records

WORLD = [
    *[Wanted()] * 24,
    *[Wanted(Kind.CANCELLED)] * 3,
    *[Wanted(Kind.OTHER_HOST)] * 2,
    *[Wanted(Kind.PAID)] * 2,
    *[Wanted(Kind.SYNC_ERROR)] * 2,
    *[Wanted(Kind.GROUP)] * 6,
    *[Wanted(Kind.SERIES)] * 8,
]
NOWHERE = [f"11111111-2222-4333-8444-{number:012x}" for number in range(3)]


def write_job(cluster: Cluster) -> Path:
    """Everything that rows can be: plain, twice, invalid, unknown to the API, cancelled already, attendees, series."""
    world = cluster.sandbox.world
    kinds = {kind: [found.id for found in world.appointments.values() if found.kind is kind] for kind in Kind}
    groups = [world.appointments[id_] for id_ in kinds[Kind.GROUP]]
    plain = [id_ for kind in (Kind.SINGLE, Kind.CANCELLED, Kind.OTHER_HOST, Kind.PAID) for id_ in kinds[kind]]
    rows = [(id_, "", "", "") for id_ in [*plain, *kinds[Kind.SYNC_ERROR], *NOWHERE, *plain[:3], "no id", "", "a/../b"]]
    rows += [(group.id, group.attendee_ids[0], "", "") for group in groups[:3]]
    rows += [(groups[3].id, "", "", "yes"), *((group.id, "", "", "") for group in groups[4:])]
    rows += [(id_, "", "yes", "") for id_ in kinds[Kind.SERIES]]
    names = ("berlin", "paris", "rome")
    owner = {id_: names[number % 3] for number, id_ in enumerate(dict.fromkeys(row[0] for row in rows))}
    owner |= dict.fromkeys(kinds[Kind.SERIES], "wien")
    lines = [",".join((*row, owner[row[0]])) for row in rows]
    path = cluster.folder / "input.csv"
    path.write_text("\n".join(["id,attendee_id,cancel_entire_series,cancel_all,account", *lines, ""]))
    return path


def test_one_job_has_the_same_result_on_sqlite_on_postgresql_and_with_workers(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(wanted=WORLD)
    source = write_job(cluster)
    on_sqlite = carry_out(cluster, source, str(cluster.folder / "ledger.db"), "sqlite")
    alone = carry_out(cluster, source, cluster.url, "alone")
    with cluster.another_database() as url:
        cluster.url = url
        cluster.workers("one", "two", "three", at_once=2)
        together = carry_out(cluster, source, url, "together", "--engine", "dbos", "--chunk", "4")
        assert len({chunk.owner for chunk in cluster.chunks()}) > 1, "several had a share in it"
        cluster.check()
        cluster.kill_all()
    assert on_sqlite["statuses"] >= {"cancelled", "already_cancelled", "not_found", "rejected", "invalid"}
    for what in on_sqlite:
        assert alone[what] == on_sqlite[what], f"PostgreSQL with one process: {what}"
        assert together[what] == on_sqlite[what], f"three workers: {what}"


def carry_out(cluster: Cluster, source: Path, ledger: str, name: str, *words: str) -> dict[str, Any]:
    """Run the job on an untouched world; return all that should not depend on how."""
    cluster.sandbox.reset()
    given = ["--ledger", ledger, "--accounts", "accounts.toml", "--settle", "1s", "--timeout", "2s", "--yes", "--json"]
    told = ended(cluster.start("run", "run", source, *given, "--out", name, *words), code=None)
    with ledger_place(ledger, cluster.sandbox.url, cluster.folder).reading() as opened:
        return {
            "exit code": told["exit_code"],
            "counts": told["counts"],
            "statuses": {status for status, count in told["counts"].items() if count},
            "ledger": contents(opened),
            "files": {path.name: rows_of(path) for path in sorted((cluster.folder / name).glob("*.csv"))},
            "applied": dict(cluster.sandbox.truth().applied),
        }


def contents(ledger: Ledger) -> list[Any]:
    """Rows with states and attempts, and each target's history, without any time."""
    (run,) = ledger.runs()
    rows = ledger.rows(run.run_no, 0, 1000)
    named = {row.target.appointment_id for row in rows if row.target}
    found = {str(work.target): work for name in sorted(named) for work in ledger.find_targets(name)}
    assert ledger.verify() == []
    return [
        [(row.row, row.target, row.state, row.account, row.detail) for row in rows],
        {
            name: (work.state, work.attempts, [told(line) for line in ledger.history(work.target_id)])
            for name, work in found.items()
        },
    ]


def told(line: Any) -> tuple[Any, ...]:
    return line.event, line.attempt_no, line.http_status, line.detail


def rows_of(path: Path) -> list[dict[str, str]]:
    timed = {"settled_at", "cancelled_at"}
    return [{name: value for name, value in row.items() if name not in timed} for row in records(path)]
