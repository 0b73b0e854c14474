"""Runs over workers: stopped, handed out twice, beside each other, with a wrong token; and what must be in no table."""

from __future__ import annotations

import json
from dataclasses import replace

import psycopg
import pytest

from bulk_cancel.cluster import queue
from bulk_cancel.cluster.dispatch import enqueue
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.ledger.postgres import PostgresLedger
from bulk_cancel.sandbox.credentials import EXPIRED_TOKEN
from bulk_cancel.sandbox.world import Kind, Wanted
from processes.cluster.conftest import MakeCluster
from support.cluster_lab import Cluster, ended, secrets_in, share_out
from support.roles import given_rights
from support.worlds import of_kind

SLOW = 'rate = "40/s"\nburst = 10'


def halfway(cluster: Cluster, sent: int = 20) -> str:
    """Return the run's id when it is in the middle."""
    cluster.wait_for(lambda: len(cluster.cancels()) >= sent, "it is in the middle")
    with cluster.ledger() as ledger:
        return ledger.runs()[0].run_id


@pytest.mark.long
def test_a_run_is_stopped_on_all_workers_and_gone_on_with(make_cluster: MakeCluster) -> None:
    """Beside that: it is handed out a second time in the middle, which changes nothing."""
    cluster = make_cluster(120, limits=SLOW)
    for name in ("one", "two"):
        cluster.worker(name)
    source = cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin", "paris")))
    run = cluster.start_run(source, "--chunk", "25")
    run_id = halfway(cluster)
    hand_out_again(cluster, run_id)
    assert cluster.start("stop", "cluster", "stop", run_id, "--ledger", cluster.url).wait() == 0
    told = ended(run, code=5)
    sent = len(cluster.cancels())
    assert told["counts"]["pending"] == 120 - sent > 0
    assert "bulk-cancel cluster stop" in told["next"]
    status = ended(cluster.start("status", "cluster", "status", "--json", "--ledger", cluster.url))
    assert all(chunk["ended"] for chunk in status["runs"][0]["chunks"])
    again = cluster.run(source)
    assert again["counts"]["cancelled"] == 120
    assert len(cluster.cancels()) == 120
    cluster.check()


@pytest.mark.long
def test_runs_and_workers_with_the_rights_of_their_roles_alone(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(60, limits=SLOW)
    with given_rights(cluster.url) as urls:
        replace(cluster, url=urls.worker).workers("one", "two")
        runs = replace(cluster, url=urls.run)
        source = cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin", "paris")))
        assert runs.run(source, "--chunk", "10")["counts"]["cancelled"] == 60
        assert runs.run(source)["requests"]["posts"] == 0
        assert "permission denied" not in cluster.logs()
        cluster.check()
        cluster.kill_all()


def hand_out_again(cluster: Cluster, run_id: str) -> None:
    ledger = PostgresLedger.open(cluster.url)
    try:
        (run,) = ledger.runs(run_id)
        before = [chunk.chunk for chunk in ledger.chunks(run.run_no)]
        ledger.plan_chunks(run.run_no, 3)
        assert [chunk.chunk for chunk in ledger.chunks(run.run_no)] == before
        with queue.opened(cluster.url) as opened:
            enqueue(ledger, opened, run, system_clock())
    finally:
        ledger.close()


@pytest.mark.long
def test_a_second_run_of_workers_is_refused_or_waits(make_cluster: MakeCluster) -> None:
    """What another run sends could take rows of this one along, as a series does, or be asked for anew by it."""
    cluster = make_cluster(wanted=[Wanted(Kind.SERIES)] * 4 + [Wanted()] * 60, limits=SLOW)
    first, *others = [one.id for one in of_kind(cluster.sandbox.world, Kind.SERIES)]
    singles = [one.id for one in of_kind(cluster.sandbox.world, Kind.SINGLE)]
    cluster.worker("one")
    run = cluster.start_run(cluster.write_rows(share_out([*singles, *others], ("berlin",))), "--chunk", "20")
    run_id = halfway(cluster)
    series = cluster.folder / "series.csv"
    series.write_text(f"id,account,cancel_entire_series\n{first},paris,true\n")
    refused = ended(cluster.start_run(series), code=75)
    assert run_id in refused["error"]
    waiting = cluster.start_run(series, "--lock-wait", "60s")
    assert ended(run)["counts"]["cancelled"] == 63
    assert ended(waiting)["exit_code"] == 0
    cluster.check()


def test_a_chunk_whose_work_failed_before_it_was_taken(make_cluster: MakeCluster) -> None:
    """As when no connection was to be had for longer than a worker's patience."""
    cluster = make_cluster(5)
    run = cluster.start_run(cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",))))
    cluster.wait_for(cluster.chunks, "planned")
    with cluster.ledger() as ledger:
        name = queue.workflow_id(ledger.runs()[0].run_id, 1)
    with queue.opened(cluster.url) as opened:
        cluster.wait_for(lambda: opened.status(name), "enqueued")
    with psycopg.connect(cluster.url) as other:
        other.execute("UPDATE bulk_cancel_dbos.workflow_status SET status = 'ERROR' WHERE workflow_uuid = %s", [name])
    cluster.worker("one")
    assert ended(run)["counts"]["cancelled"] == 5


def test_a_wrong_token_ends_its_account_alone(make_cluster: MakeCluster) -> None:
    """And no token is in any log or table, of the ledger or of the queue, nor is the password of the database."""
    cluster = make_cluster(60)
    cluster.url = cluster.url.replace("postgres@", "postgres:rgo-secret-password@")
    cluster.worker("one", "--log-file", "full.log", TOKEN_PARIS=EXPIRED_TOKEN)
    rows = share_out(cluster.sandbox.world.appointments, ("berlin", "paris", "rome"))
    told = ended(cluster.start_run(cluster.write_rows(rows), "--chunk", "10", "--log-file", "run.log"), code=77)
    assert (told["counts"]["cancelled"], told["counts"]["pending"]) == (40, 20)
    assert "Account paris: The API refuses the credential" in told["next"]
    assert {arrival.target for arrival in cluster.cancels()} == {id_ for id_, name in rows if name != "paris"}
    assert cluster.start("status", "cluster", "status", "--ledger", cluster.url).wait() == 0
    dump = cluster.dump()
    assert "carry_chunk" in dump, "the queue is in it"
    assert rows[0][0] in dump, "the ledger is in it"
    assert secrets_in({"tables": dump, "summary": json.dumps(told)}) == []
    cluster.check()
